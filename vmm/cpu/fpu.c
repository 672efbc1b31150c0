/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Extended state in the standard XSAVE format, or FXSAVE's where there is no
 * XSAVE.  Intel SDM 1, 13; AMD APM 2, 11.5.  The area belongs to its vCPU.
 */
#include "../lib/errno.h"
#include "../lib/printk.h"
#include "../lib/string.h"
#include "../mm/alloc.h"
#include "asm.h"
#include "cpu.h"
#include "extable.h"
#include "fpu.h"
#include "regs.h"

#define XCR0_X87 BIT(0)
#define XCR0_SSE BIT(1)
#define XCR0_AVX BIT(2)
#define XCR0_MPX (BIT(3) | BIT(4))
#define XCR0_AVX512 (BIT(5) | BIT(6) | BIT(7))
#define XCR0_PKRU BIT(9)
/* Components whose rules xcr0_valid() knows. */
#define XCR0_KNOWN (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512 | XCR0_PKRU)

#define LEGACY_SIZE 512
#define HEADER_SIZE 64
#define FCW_DEFAULT 0x037f
#define MXCSR_DEFAULT 0x1f80

struct xsave_area {
    uint16_t fcw, fsw;
    uint8_t ftw, reserved;
    uint16_t fop;
    uint64_t fip, fdp;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t st_xmm[LEGACY_SIZE - 32];
    uint64_t xstate_bv, xcomp_bv;
    uint8_t header_reserved[HEADER_SIZE - 16];
    uint8_t components[];
};
_Static_assert(offsetof(struct xsave_area, xstate_bv) == LEGACY_SIZE, "XSAVE header");

uint64_t xfeature_mask;
unsigned xsave_size = LEGACY_SIZE + HEADER_SIZE;
static bool use_xsaveopt;
/* What a vCPU gets whose own state the CPU refuses: legacy region and header do for XRSTOR of the initial state. */
static struct {
    uint8_t bytes[PAGE_SIZE];
} initial_state __aligned(64);

/* Behind an instruction labelled 1: where it faults, operand rc becomes -EFAULT. */
#define ON_FAULT_RC                                                                                                    \
    "2:\n\t"                                                                                                           \
    ".pushsection .text.unlikely,\"ax\"\n"                                                                             \
    "3:\tmovl %[efault], %[rc]\n\tjmp 2b\n\t.popsection\n\t" EX_TABLE("1b", "3b")

void xcr0_write(uint64_t xcr0)
{
    if (xfeature_mask)
        INSN("xsetbv" ::"c"(0), "a"((uint32_t)xcr0), "d"((uint32_t)(xcr0 >> 32)));
}

unsigned xstate_size_of(uint64_t xcr0)
{
    unsigned size = LEGACY_SIZE + HEADER_SIZE;
    uint32_t r[4];

    for (unsigned i = 2; i < 63; i++) {
        if (!(xcr0 & xfeature_mask & BIT(i)))
            continue;
        cpuid_count(0xd, i, r);
        if (r[1] + r[0] > size)
            size = r[1] + r[0];
    }
    return size;
}

/* Each component behind the one before, some on the next 64 bytes: Intel SDM 1, 13.4.3. */
unsigned xstate_compact_size_of(uint64_t xcr0)
{
    unsigned size = LEGACY_SIZE + HEADER_SIZE;
    uint32_t r[4];

    for (unsigned i = 2; i < 63; i++) {
        if (!(xcr0 & xfeature_mask & BIT(i)))
            continue;
        cpuid_count(0xd, i, r);
        if (r[2] & BIT(1))
            size = ROUND_UP(size, 64U);
        size += r[0];
    }
    return size;
}

static void reset_area(struct xsave_area *a, size_t size)
{
    memset(a, 0, size);
    a->fcw = FCW_DEFAULT;
    a->mxcsr = MXCSR_DEFAULT;
    /* Both in use, so that XRSTOR takes MXCSR and FCW from the area. */
    a->xstate_bv = XCR0_X87 | XCR0_SSE;
}

void fpu_init_cpu(void)
{
    clts();
    INSN("fninit");
    xcr0_write(xfeature_mask);
    if (cpu_features.xsaves)
        wrmsr(MSR_IA32_XSS, 0); /* guests that execute XSAVES have the host's value */
}

/* The heap aligns to 16 and XSAVE wants 64, so the area comes in whole pages. */
static unsigned area_order(void)
{
    unsigned order = 0;

    while (PAGE_SIZE << order < xsave_size)
        order++;
    return order;
}

struct xsave_area *fpu_alloc(void)
{
    struct xsave_area *a = alloc_xenheap_pages(area_order());

    if (a)
        fpu_reset(a);
    return a;
}

void fpu_free(struct xsave_area *a)
{
    if (a)
        free_xenheap_pages(a, area_order());
}

void fpu_reset(struct xsave_area *a) { reset_area(a, xsave_size); }

/* XSAVE and XRSTOR work on XCR0 & mask, so XCR0 must have every bit that the guest ever used. */
void fpu_save(struct xsave_area *a, uint64_t xcr0_accum)
{
    uint64_t xcr0 = (xcr0_accum & xfeature_mask) | XCR0_LEGACY;
    uint32_t lo = (uint32_t)xcr0, hi = (uint32_t)(xcr0 >> 32);

    clts(); /* a PV guest may have set TS */
    if (!xfeature_mask) {
        INSN("fxsave64 %0" : "+m"(*a));
        return;
    }
    xcr0_write(xcr0);
    if (use_xsaveopt)
        INSN("xsaveopt64 %0" : "+m"(*a) : "a"(lo), "d"(hi) : "memory");
    else
        INSN("xsave64 %0" : "+m"(*a) : "a"(lo), "d"(hi) : "memory");
}

/* All components, so that those which the guest never used hold nothing of another's. -EFAULT: a bad MXCSR or header. */
static int load_area(const struct xsave_area *a)
{
    int rc = 0;

    if (xfeature_mask)
        INSN("1:\txrstor64 %[a]\n" ON_FAULT_RC
             : [rc] "+r"(rc)
             : [a] "m"(*a), [efault] "i"(-EFAULT), "a"((uint32_t)xfeature_mask), "d"((uint32_t)(xfeature_mask >> 32))
             : "memory");
    else
        INSN("1:\tfxrstor64 %[a]\n" ON_FAULT_RC : [rc] "+r"(rc) : [a] "m"(*a), [efault] "i"(-EFAULT) : "memory");
    return rc;
}

/*
 * Is the compacted area laid out as CPUID's leaf 0xd says?  Bochs 2.7's XSAVEC writes the first extended component over the
 * header, on which XRSTOR faults.  AVX's is the first, at the same place in both formats: Intel SDM 1, 13.4.3.
 */
static bool xsavec_works(void)
{
    static struct {
        struct xsave_area a;
        uint8_t ymm_high[256];
    } in __aligned(64), out __aligned(64);

    if (!(xfeature_mask & XCR0_AVX))
        return true;
    reset_area(&in.a, sizeof(in));
    in.a.xstate_bv |= XCR0_AVX;
    memset(in.ymm_high, 0x5a, sizeof(in.ymm_high));
    if (load_area(&in.a))
        return false;
    INSN("xsavec64 %0" : "+m"(out) : "a"((uint32_t)(XCR0_LEGACY | XCR0_AVX)), "d"(0) : "memory");
    (void)load_area((const struct xsave_area *)initial_state.bytes);
    return !memcmp(out.a.header_reserved, in.a.header_reserved, sizeof(in.a.header_reserved)) &&
           !memcmp(out.ymm_high, in.ymm_high, sizeof(in.ymm_high));
}

void fpu_init_boot(void)
{
    uint32_t r[4];

    reset_area((struct xsave_area *)initial_state.bytes, LEGACY_SIZE + HEADER_SIZE);
    if (!cpu_features.xsave)
        return;
    cpuid_count(0xd, 0, r);
    xfeature_mask = ((uint64_t)r[3] << 32 | r[0]) & XCR0_KNOWN;
    if (!(xfeature_mask & XCR0_AVX))
        xfeature_mask &= ~XCR0_AVX512;
    if ((xfeature_mask & XCR0_AVX512) != XCR0_AVX512)
        xfeature_mask &= ~XCR0_AVX512;
    xsave_size = xstate_size_of(xfeature_mask);
    use_xsaveopt = cpu_features.xsaveopt;
    printk(LOG_INFO "FPU: XSAVE, components %#lx, %u bytes\n", xfeature_mask, xsave_size);
    xcr0_write(xfeature_mask);
    if (cpu_features.xsavec && !xsavec_works()) {
        printk(LOG_WARN "FPU: XSAVEC's area is not what CPUID says: guests do without\n");
        cpu_features.xsavec = false;
    }
}

void fpu_restore(const struct xsave_area *a, uint64_t xcr0_accum)
{
    static const uint32_t zero;

    xcr0_write(xfeature_mask);
    /* AMD's older CPUs restore the x87 error pointers only with an exception pending: overwrite another guest's. */
    if (cpu_features.vendor == VENDOR_AMD && !(cpu_features.ext8_ebx & BIT(2)))
        INSN("fnclex; ffree %%st(7); fildl %0" ::"m"(zero));
    if (load_area(a))
        (void)load_area((const struct xsave_area *)initial_state.bytes);
}

/* Intel SDM 1, 13.3: which combinations XSETBV takes. */
bool xcr0_valid(uint64_t xcr0, uint64_t allowed)
{
    if (!(xcr0 & XCR0_X87) || (xcr0 & ~(allowed & xfeature_mask)))
        return false;
    if ((xcr0 & XCR0_AVX) && !(xcr0 & XCR0_SSE))
        return false;
    if (xcr0 & XCR0_AVX512)
        return (xcr0 & XCR0_AVX512) == XCR0_AVX512 && (xcr0 & XCR0_AVX);
    return true;
}
