/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data segments of PV guests: selectors and the bases of FS and GS.  The
 * hypervisor uses neither, so they stay in the CPU while a vCPU is current.
 * In kernel mode GS.base is the kernel's and KERNEL_GS_BASE the user's; SWAPGS goes with each change of mode.
 */
#include "../cpu/asm.h"
#include "../cpu/extable.h"
#include "../cpu/regs.h"
#include "../domain/hypercall.h"
#include "guest.h"

/* Loads a selector; one that faults leaves the null selector and false. */
#define DEFINE_LOADER(reg)                                                                                             \
    static bool load_##reg(uint16_t sel)                                                                               \
    {                                                                                                                  \
        bool ok = load_segment_safe_##reg(sel) == 0;                                                                   \
        if (!ok && load_segment_safe_##reg(0)) {                                                                       \
            BUG();                                                                                                     \
        }                                                                                                              \
        return ok;                                                                                                     \
    }
DEFINE_LOADER(ds)
DEFINE_LOADER(es)
DEFINE_LOADER(fs)
DEFINE_LOADER(gs)

static uint16_t read_ds(void)
{
    uint32_t s;
    INSN("mov %%ds, %0" : "=r"(s));
    return (uint16_t)s;
}
static uint16_t read_es(void)
{
    uint32_t s;
    INSN("mov %%es, %0" : "=r"(s));
    return (uint16_t)s;
}
static uint16_t read_fs(void)
{
    uint32_t s;
    INSN("mov %%fs, %0" : "=r"(s));
    return (uint16_t)s;
}
static uint16_t read_gs(void)
{
    uint32_t s;
    INSN("mov %%gs, %0" : "=r"(s));
    return (uint16_t)s;
}

void pv_save_segments(struct vcpu *v)
{
    struct pv_vcpu *pv = v->pv;
    uint64_t gs = rdmsr(MSR_GS_BASE), shadow = rdmsr(MSR_SHADOW_GS_BASE);

    pv->ds = read_ds();
    pv->es = read_es();
    pv->fs = read_fs();
    pv->gs = read_gs();
    pv->fs_base = rdmsr(MSR_FS_BASE);
    pv->gs_base_kernel = pv_in_kernel_mode(v) ? gs : shadow;
    pv->gs_base_user = pv_in_kernel_mode(v) ? shadow : gs;
}

/* The selectors first: loading one sets the base from its descriptor, which the saved base then replaces. */
bool pv_load_segments(struct vcpu *v)
{
    struct pv_vcpu *pv = v->pv;
    bool ok;

    ok = load_ds(pv->ds);
    ok &= load_es(pv->es);
    ok &= load_fs(pv->fs);
    ok &= load_gs(pv->gs);
    wrmsr(MSR_FS_BASE, pv->fs_base);
    wrmsr(MSR_GS_BASE, pv_in_kernel_mode(v) ? pv->gs_base_kernel : pv->gs_base_user);
    wrmsr(MSR_SHADOW_GS_BASE, pv_in_kernel_mode(v) ? pv->gs_base_user : pv->gs_base_kernel);
    return ok;
}

static uint32_t base_msr(const struct vcpu *v, unsigned which)
{
    if (which == SEGBASE_FS) {
        return MSR_FS_BASE;
    }
    return pv_in_kernel_mode(v) == (which == SEGBASE_GS_KERNEL) ? MSR_GS_BASE : MSR_SHADOW_GS_BASE;
}

uint64_t pv_read_segment_base(const struct vcpu *v, unsigned which) { return rdmsr(base_msr(v, which)); }

int pv_write_segment_base(struct vcpu *v, unsigned which, uint64_t base)
{
    if (!is_canonical(base)) {
        return -EINVAL;
    }
    wrmsr(base_msr(v, which), base);
    return 0;
}

/* SEGBASE_GS_USER_SEL: the selector and, from its descriptor, the user's GS base. A bad selector becomes null. */
static void load_user_gs(struct vcpu *v, uint16_t sel)
{
    uint64_t kernel_base = pv_read_segment_base(v, SEGBASE_GS_KERNEL);

    if (!load_gs(pv_fixup_selector(sel))) {
        printk(LOG_GUEST LOG_DEBUG "d%uv%u: user GS selector %#x refused\n", v->domain->id, v->id, sel);
    }
    wrmsr(MSR_SHADOW_GS_BASE, (sel & ~3U) ? rdmsr(MSR_GS_BASE) : 0);
    wrmsr(MSR_GS_BASE, kernel_base);
}

static long do_set_segment_base(uint64_t which, uint64_t base, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct vcpu *v = current;

    switch (which) {
    case SEGBASE_FS:
    case SEGBASE_GS_USER:
    case SEGBASE_GS_KERNEL: return pv_write_segment_base(v, (unsigned)which, base);
    case SEGBASE_GS_USER_SEL: load_user_gs(v, (uint16_t)base); return 0;
    default: return -EINVAL;
    }
}

/* -- segments for the emulator ------------------------------------------------------------------------------------- */

static uint16_t selector_of(const struct vcpu *v, enum emul_seg seg)
{
    switch (seg) {
    case EMUL_SEG_CS: return v->regs.cs;
    case EMUL_SEG_SS: return v->regs.ss;
    case EMUL_SEG_DS: return read_ds();
    case EMUL_SEG_ES: return read_es();
    case EMUL_SEG_FS: return read_fs();
    case EMUL_SEG_GS: return read_gs();
    default: return 0;
    }
}

static void decode_descriptor(uint64_t desc, struct emul_segment *out)
{
    out->attr = (uint32_t)(desc >> 40 & 0xf0ff);
    out->limit = (uint32_t)((desc & 0xffff) | (desc >> 32 & 0xf0000));
    if (out->attr & EMUL_ATTR_G) {
        out->limit = out->limit << 12 | 0xfff;
    }
    out->base = (desc >> 16 & 0xffffff) | (desc >> 32 & 0xff000000);
}

__hot bool pv_segment(struct vcpu *v, enum emul_seg seg, struct emul_segment *out)
{
    uint64_t desc;

    *out = (struct emul_segment){.sel = selector_of(v, seg)};
    if (seg > EMUL_SEG_GS) {
        return false;
    }
    if (out->sel & ~3U) {
        if (!pv_read_descriptor(v, out->sel, &desc)) {
            return false;
        }
        decode_descriptor(desc, out);
    } else {
        out->attr = EMUL_ATTR_P | EMUL_ATTR_S | 0x3; /* null: a usable flat data segment in 64-bit mode */
        out->limit = ~0U;
    }
    if (seg == EMUL_SEG_FS) {
        out->base = pv_read_segment_base(v, SEGBASE_FS);
    } else if (seg == EMUL_SEG_GS) {
        out->base = rdmsr(MSR_GS_BASE);
    }
    return true;
}

void pv_register_segments(void) { hypercall_register_pv(__HYPERVISOR_set_segment_base, do_set_segment_base); }
