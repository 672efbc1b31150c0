/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tiny PVH guest that checks what the hypervisor shows it, one line for each
 * check ("ok NAME" or "FAILED NAME ..."), and powers off.  Built as Dom0
 * (dom0=pvh) or as a PVH guest; with "stay" on its command line it stays instead.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define __XEN_TOOLS__ 1
#include <xen/xen.h>
#include <xen/arch-x86/hvm/start_info.h>
#include <xen/event_channel.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

extern uint64_t start_info_addr, idt[512];
extern uint32_t ap_count;
extern char hypercall_page[], stubs[], ap_start[], ap_end[];
/* pvh_start.S: to ring 3 and back; what SYSENTER found there (CS in ring 3, and after it). */
extern void ring3_64(void), ring3_32(void);
extern char sysenter_entry[];
extern uint64_t pgd[512], sysenter_rsp, sysenter_rip;
extern uint32_t sysenter_cs[2];
extern uint32_t task_result; /* pvh_tasks.S */

struct frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax, vector, error, rip, cs, rflags, rsp,
        ss;
};

static volatile uint64_t seen[256];
static volatile uint64_t last_error, last_cr2;
uint64_t resume_at; /* an expected fault goes on there */
static unsigned failures;
static bool have_hypercalls;
static struct shared_info *const shared = (void *)0x7fff000;
static uint32_t *const lapic = (void *)0xfee00000;

/* -- small things --------------------------------------------------------------------------------------------------- */
void *memset(void *d, int c, size_t n) { for (char *p = d; n--;) *p++ = (char)c; return d; }
void *memcpy(void *d, const void *s, size_t n) { char *p = d; const char *q = s; while (n--) *p++ = *q++; return d; }
static int strncmp_(const char *a, const char *b, size_t n)
{
    for (; n; n--, a++, b++)
        if (*a != *b || !*a)
            return *a - *b;
    return 0;
}

static void outb(uint16_t p, uint8_t v) { __asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(p)); }
static uint8_t inb(uint16_t p) { uint8_t v; __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(p)); return v; }
static uint32_t inl(uint16_t p) { uint32_t v; __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(p)); return v; }
static uint64_t rdtsc(void) { uint32_t a, d; __asm__ volatile("rdtsc" : "=a"(a), "=d"(d)); return (uint64_t)d << 32 | a; }
static void cpuid_count(uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    __asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(subleaf));
}
static void cpuid(uint32_t leaf, uint32_t r[4]) { cpuid_count(leaf, 0, r); }
static void wrmsr(uint32_t msr, uint64_t v) { __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32))); }
static void write_cr8(uint64_t v) { __asm__ volatile("mov %0, %%cr8; nop; nop" ::"r"(v) : "memory"); }
static uint64_t read_cr8(void) { uint64_t v; __asm__ volatile("mov %%cr8, %0" : "=r"(v)); return v; }
static uint64_t rdmsr(uint32_t msr)
{
    uint32_t a, d;
    __asm__ volatile("rdmsr" : "=a"(a), "=d"(d) : "c"(msr));
    return (uint64_t)d << 32 | a;
}

static long hypercall(unsigned nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
    register uint64_t r10 __asm__("r10") = a4;
    long ret;

    __asm__ volatile("call *%[fn]"
                     : "=a"(ret), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10)
                     : [fn] "r"(hypercall_page + nr * 32)
                     : "memory", "r11", "rcx");
    return ret;
}

static void print(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    if (have_hypercalls && hypercall(__HYPERVISOR_console_io, CONSOLEIO_write, n, (uint64_t)s, 0) >= 0)
        return;
    while (n--)
        outb(0xe9, *s++);
}

static void print_hex(uint64_t v)
{
    char buf[20] = "0x", *p = buf + 2;
    int shift = 60;

    while (shift && !((v >> shift) & 0xf))
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        *p++ = "0123456789abcdef"[(v >> shift) & 0xf];
    *p = 0;
    print(buf);
}

static void check(const char *name, bool ok, uint64_t detail)
{
    print(ok ? "ok " : "FAILED ");
    print(name);
    if (!ok) {
        failures++;
        print(" ");
        print_hex(detail);
    }
    print("\n");
}

/* -- the local APIC --------------------------------------------------------------------------------------------------- */
static bool x2apic;

static void apic_write(unsigned reg, uint32_t v)
{
    if (x2apic)
        wrmsr(0x800 + (reg >> 4), v);
    else
        lapic[reg / 4] = v;
}
static uint32_t apic_read(unsigned reg) { return x2apic ? (uint32_t)rdmsr(0x800 + (reg >> 4)) : lapic[reg / 4]; }

/* -- traps ------------------------------------------------------------------------------------------------------------ */
void trap(struct frame *f)
{
    seen[f->vector]++;
    if (f->vector >= 32) {
        if (f->vector == 0xf0 || f->vector == 0xf2)
            apic_write(0xb0, 0);
        if (f->vector == 0xf1)
            shared->vcpu_info[0].evtchn_upcall_pending = 0;
        return;
    }
    last_error = f->error;
    __asm__ volatile("mov %%cr2, %0" : "=r"(*(uint64_t *)&last_cr2));
    if (resume_at) {
        f->rip = resume_at;
        resume_at = 0;
        return;
    }
    print("FAILED unexpected exception ");
    print_hex(f->vector);
    print(" error ");
    print_hex(f->error);
    print(" rip ");
    print_hex(f->rip);
    print(" cr2 ");
    print_hex(last_cr2);
    print("\n");
    for (;;)
        __asm__ volatile("cli; hlt");
}

static void set_idt(void)
{
    for (unsigned i = 0; i < 256; i++) {
        uint64_t at = (uint64_t)stubs + i * 16;

        idt[2 * i] = (at & 0xffff) | 8UL << 16 | 0x8eUL << 40 | (at & 0xffff0000) << 32;
        idt[2 * i + 1] = at >> 32;
    }
}

/* Runs an instruction that should fault; the vector, or -1. */
#define FAULT_OF(insn)                                                                                                 \
    ({                                                                                                                 \
        uint64_t before[32];                                                                                           \
        int got = -1;                                                                                                  \
        for (int i_ = 0; i_ < 32; i_++)                                                                                \
            before[i_] = seen[i_];                                                                                     \
        __asm__ volatile("lea 1f(%%rip), %%r15; mov %%r15, resume_at(%%rip);" insn "\n1:" ::                           \
                             : "rax", "rcx", "rdx", "r15", "memory");                                                  \
        resume_at = 0;                                                                                                 \
        for (int i_ = 0; i_ < 32; i_++)                                                                                \
            if (seen[i_] != before[i_])                                                                                \
                got = i_;                                                                                              \
        got;                                                                                                           \
    })

/* -- checks ------------------------------------------------------------------------------------------------------------- */
static void check_cpuid(void)
{
    uint32_t r[4], sig[4];

    cpuid(0x40000000, sig);
    check("cpuid-signature", !strncmp_((char *)&sig[1], "XenVMMXenVMM", 12), sig[1]);
    cpuid(0x40000001, r);
    check("cpuid-version", r[0] == (4 << 16 | 17), r[0]);
    cpuid(1, r);
    check("cpuid-hypervisor-bit", r[2] >> 31, r[2]);
    cpuid(0x40000002, r);
    wrmsr(r[1], (uint64_t)hypercall_page);
    have_hypercalls = hypercall_page[0] != 0;
    check("hypercall-page", have_hypercalls, r[1]);
    long v = hypercall(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0);
    check("xen-version", v == (4 << 16 | 17), (uint64_t)v);
}

static void check_msr(void)
{
    uint64_t gs = rdmsr(0xc0000102), value = 0x123456789000;
    int got;

    wrmsr(0xc0000102, value);
    check("msr-kernel-gs", rdmsr(0xc0000102) == value, rdmsr(0xc0000102));
    wrmsr(0xc0000102, gs);
    check("msr-efer", (rdmsr(0xc0000080) & 0x500) == 0x500, rdmsr(0xc0000080));
    check("msr-pat", rdmsr(0x277) == 0x0007040600070406, rdmsr(0x277));
    got = FAULT_OF("mov $0x12345678, %%ecx; rdmsr");
    check("msr-unknown-faults", got == 13, (uint64_t)got);
    got = FAULT_OF("mov $0xc0000080, %%ecx; mov $0xff, %%eax; xor %%edx, %%edx; wrmsr");
    check("msr-efer-reserved-faults", got == 13, (uint64_t)got);
}

/* x87, SSE and AVX through XSAVES and back, in the compacted format: Intel SDM 1, 13.11 and 13.12. */
static void check_xsaves(void)
{
    static uint8_t area[4096] __attribute__((aligned(64)));
    static const uint64_t in[4] = {0x1111222233334444, 0x5555666677778888, 0x9999aaaabbbbcccc, 0xddddeeeeffff0000};
    uint64_t out[4] = {0}, cr4;
    uint32_t r[4] = {0};
    int got = FAULT_OF("mov $0xda0, %%ecx; mov $0x100, %%eax; xor %%edx, %%edx; wrmsr");

    check("xss-takes-no-state", got == 13, (uint64_t)got);
    cpuid_count(0xd, 1, r);
    if (!(r[0] & 1 << 3)) {
        got = FAULT_OF("mov $0xda0, %%ecx; rdmsr");
        check("no-xsaves-no-xss", got == 13, (uint64_t)got);
        return;
    }
    check("xss", rdmsr(0xda0) == 0, rdmsr(0xda0));
    __asm__ volatile("mov %%cr4, %0; bts $18, %0; mov %0, %%cr4; xsetbv" : "=&r"(cr4) : "a"(7), "d"(0), "c"(0) : "memory");
    cpuid_count(0xd, 1, r);
    check("xsaves-size", r[1] == 512 + 64 + 256, r[1]);
    __asm__ volatile("vmovups %[in], %%ymm7; xsaves64 %[area]; vzeroall; xrstors64 %[area]; vmovups %%ymm7, %[out]"
                     : [area] "+m"(area), [out] "=m"(out)
                     : [in] "m"(in), "a"(7), "d"(0)
                     : "memory");
    check("xsaves-format", *(uint64_t *)(area + 520) == (1UL << 63 | 7), *(uint64_t *)(area + 520));
    check("xsaves-state", out[0] == in[0] && out[1] == in[1] && out[2] == in[2] && out[3] == in[3], out[3]);
}

static void check_faults(void)
{
    int got = FAULT_OF("mov 0x123456789000, %%rax");

    check("page-fault", got == 14 && last_cr2 == 0x123456789000, last_cr2);
    got = FAULT_OF("ud2");
    check("ud2", got == 6, (uint64_t)got);
    got = FAULT_OF("mov %%cr4, %%rax; bts $31, %%rax; mov %%rax, %%cr4");
    check("cr4-reserved-faults", got == 13, (uint64_t)got);
    got = FAULT_OF("xor %%eax, %%eax; vmrun");
    check("vmrun-ud", got == 6, (uint64_t)got);
}

static void check_io(void)
{
    static uint8_t buf[64];
    uint64_t mmio = 0xf0000000, count = 16, from;
    void *to = buf;
    uint64_t before;

    check("pio-unclaimed", inb(0x5a5) == 0xff && inl(0x5a4) == ~0U, inl(0x5a4));
    __asm__ volatile("cld; rep insb" : "+D"(to), "+c"(count) : "d"(0x5a5) : "memory");
    check("pio-string", count == 0 && to == buf + 16 && buf[0] == 0xff && buf[15] == 0xff, count);
    check("mmio-unclaimed", *(volatile uint32_t *)mmio == ~0U && *(volatile uint64_t *)(mmio + 8) == ~0UL,
          *(volatile uint32_t *)mmio);
    *(volatile uint32_t *)mmio = 5;
    memset(buf, 0, sizeof(buf));
    to = buf;
    from = mmio;
    count = 4;
    __asm__ volatile("cld; rep movsq" : "+D"(to), "+S"(from), "+c"(count)::"memory");
    check("mmio-movs", count == 0 && from == mmio + 32 && buf[31] == 0xff && buf[32] == 0, count);
    __asm__ volatile("mov $7, %%rax; lock xadd %%eax, (%1); mov %%rax, %0" : "=r"(before) : "r"(mmio) : "rax", "memory");
    check("mmio-xadd", (uint32_t)before == ~0U, before);
}

static void check_tsc(void)
{
    uint64_t before = rdtsc(), after = rdtsc();

    check("tsc-rises", after > before, after - before);
}

static void take_interrupts(void) { __asm__ volatile("sti; nop; nop; cli" ::: "memory"); }

static void check_mode(const char *const name[9])
{
    const unsigned self = 0x400f2; /* ICR: fixed, to itself */
    uint64_t n = seen[0xf0];

    check(name[0], (apic_read(0x30) & 0xff) == 0x14, apic_read(0x30));
    apic_write(0xf0, 0x1ff);
    apic_write(0x3e0, 0xb); /* divide by 1 */
    apic_write(0x320, 0xf0);
    apic_write(0x380, 10000000);
    check(name[1], apic_read(0x380) == 10000000 && apic_read(0x390) - 1 < 10000000 - 1, apic_read(0x390));
    apic_write(0x380, 100000); /* a millisecond */
    for (unsigned i = 0; i < 100 && seen[0xf0] == n; i++)
        __asm__ volatile("sti; hlt; cli" ::: "memory");
    check(name[2], seen[0xf0] == n + 1, seen[0xf0]);
    n = seen[0xf2];
    apic_write(0x300, self);
    take_interrupts();
    check(name[3], seen[0xf2] == n + 1, seen[0xf2]);
    /* With IF clear it waits. */
    n = seen[0xf2];
    apic_write(0x300, self);
    (void)inb(0x5a5);
    check(name[4], seen[0xf2] == n && (apic_read(0x270) & 1 << 18), seen[0xf2]);
    take_interrupts();
    check(name[5], seen[0xf2] == n + 1, seen[0xf2]);
    /* And for the TPR. */
    n = seen[0xf2];
    apic_write(0x80, 0xf0);
    apic_write(0x300, self);
    take_interrupts();
    check(name[6], seen[0xf2] == n && apic_read(0x80) == 0xf0 && apic_read(0xa0) == 0xf0, seen[0xf2]);
    __asm__ volatile("sti; mov %0, %%cr8; nop; nop; cli" ::"r"(0UL) : "memory");
    check(name[7], seen[0xf2] == n + 1, seen[0xf2]);
    n = seen[0xf2];
    apic_write(0x80, 0xf0);
    apic_write(0x300, self);
    __asm__ volatile("sti" ::: "memory");
    for (unsigned i = 0; i < 500; i++) /* each lets it in or holds it back: the exits they make are counted */
        apic_write(0x80, 0);
    __asm__ volatile("cli" ::: "memory");
    check(name[8], seen[0xf2] == n + 1 && !(apic_read(0x170) & 1 << 18), seen[0xf2]);
}

static void check_lapic(void)
{
    static const char *const xapic_names[] = {
        "lapic-version", "lapic-count", "lapic-timer", "lapic-self-ipi", "interrupts-wait-for-if",
        "interrupts-come-with-if", "interrupts-wait-for-tpr", "interrupts-come-with-cr8", "interrupts-come-with-tpr"};
    static const char *const x2apic_names[] = {
        "x2apic-version", "x2apic-count", "x2apic-timer", "x2apic-self-ipi", "x2apic-interrupts-wait-for-if",
        "x2apic-interrupts-come-with-if", "x2apic-interrupts-wait-for-tpr", "x2apic-interrupts-come-with-cr8",
        "x2apic-interrupts-come-with-tpr"};
    uint64_t n;
    uint32_t r[4];
    int got;

    check_mode(xapic_names);
    cpuid(1, r);
    if (!(r[2] & 1 << 21))
        return;
    wrmsr(0x1b, rdmsr(0x1b) | 0xc00);
    x2apic = true;
    check("x2apic-id", apic_read(0x20) == 0 && apic_read(0xd0) == 1, apic_read(0xd0));
    check_mode(x2apic_names);
    n = seen[0xf2];
    wrmsr(0x83f, 0xf2);
    take_interrupts();
    check("x2apic-self-ipi-register", seen[0xf2] == n + 1, seen[0xf2]);
    got = FAULT_OF("mov $0x80b, %%ecx; mov $1, %%eax; xor %%edx, %%edx; wrmsr");
    check("x2apic-eoi-of-1-faults", got == 13, (uint64_t)got);
    got = FAULT_OF("mov $0x80b, %%ecx; rdmsr");
    check("x2apic-eoi-cannot-be-read", got == 13, (uint64_t)got);
}

/* The task priority in CR8 holds interrupts of its class and below back: SDM 3A, 11.8.6. */
static void check_cr8(void)
{
    uint64_t n = seen[0xf2], cr8, exit, from;
    uint32_t r[4];

    apic_write(0x300, 0x400f2); /* waits for IF, while CR8 is raised */
    write_cr8(0xf);
    __asm__ volatile("sti; nop; nop" ::: "memory");
    check("cr8-raised-in-time", seen[0xf2] == n, seen[0xf2]);
    check("cr8-is-the-tpr", read_cr8() == 0xf && apic_read(0x80) == 0xf0, apic_read(0x80));
    write_cr8(0xe);
    check("cr8-lowered", seen[0xf2] == n + 1, seen[0xf2]);
    write_cr8(0xf);
    apic_write(0x300, 0x400f2); /* waits for CR8, with IF set */
    (void)inb(0x5a5);
    check("cr8-holds-back", seen[0xf2] == n + 1, seen[0xf2]);
    write_cr8(0);
    check("cr8-lowered-to-0", seen[0xf2] == n + 2, seen[0xf2]);
    __asm__ volatile("cli");
    apic_write(0x80, 0x50);
    check("tpr-is-cr8", read_cr8() == 5, read_cr8());
    apic_write(0x80, 0);
    /* Accesses do not exit: the fastest takes far less time than the fastest CPUID, which does. */
    cr8 = exit = ~0UL;
    for (unsigned i = 0; i < 32; i++) {
        from = rdtsc();
        cpuid(0, r);
        from = rdtsc() - from;
        exit = from < exit ? from : exit;
        from = rdtsc();
        write_cr8(i & 7);
        (void)read_cr8();
        from = rdtsc() - from;
        cr8 = from < cr8 ? from : cr8;
    }
    write_cr8(0);
    check("cr8-does-not-exit", cr8 < exit / 4, cr8);
}

/* Both wait for IF: one comes after the other; SVM in QEMU needs an exit between them (svm/inject.c). */
static void check_upcall_and_lapic(void)
{
    struct evtchn_bind_ipi ipi = {.vcpu = 0};
    struct evtchn_send send;
    uint64_t upcalls = seen[0xf1], n = seen[0xf2];
    long rc = hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, (uint64_t)&ipi, 0, 0);

    shared->vcpu_info[0].evtchn_pending_sel = 0;
    send.port = ipi.port;
    if (!rc)
        rc = hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, (uint64_t)&send, 0, 0);
    apic_write(0x300, 0x400f2);
    (void)inb(0x5a5);
    __asm__ volatile("sti" ::: "memory");
    for (unsigned i = 0; i < 20000 && seen[0xf2] == n; i++)
        ; /* no PAUSE, which may exit */
    if (seen[0xf2] != n)
        print("no exit between upcall and lapic\n");
    (void)inb(0x5a5);
    __asm__ volatile("cli" ::: "memory");
    check("upcall-with-lapic", !rc && seen[0xf1] == upcalls + 1 && seen[0xf2] == n + 1, seen[0xf2] - n);
}

static void check_events(void)
{
    struct xen_add_to_physmap map = {.domid = DOMID_SELF, .space = XENMAPSPACE_shared_info,
                                     .gpfn = (uint64_t)shared >> 12};
    struct xen_hvm_param param = {.domid = DOMID_SELF, .index = HVM_PARAM_CALLBACK_IRQ, .value = 2UL << 56 | 0xf1};
    struct evtchn_bind_virq virq = {.virq = VIRQ_TIMER};
    struct vcpu_set_singleshot_timer timer = {0};
    struct vcpu_time_info *t = &shared->vcpu_info[0].time;
    uint64_t n = seen[0xf1];
    long rc = hypercall(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, (uint64_t)&map, 0, 0);

    check("map-shared-info", rc == 0, (uint64_t)rc);
    rc = hypercall(__HYPERVISOR_hvm_op, HVMOP_set_param, (uint64_t)&param, 0, 0);
    check("callback-vector", rc == 0, (uint64_t)rc);
    rc = hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, (uint64_t)&virq, 0, 0);
    check("bind-virq", rc == 0 && virq.port, (uint64_t)rc);
    check("vcpu-time", t->tsc_to_system_mul && t->version && !(t->version & 1), t->version);
    timer.timeout_abs_ns = t->system_time + 50000000;
    timer.flags = 0;
    rc = hypercall(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, (uint64_t)&timer, 0);
    check("singleshot-timer", rc == 0, (uint64_t)rc);
    for (unsigned i = 0; i < 100 && seen[0xf1] == n; i++)
        __asm__ volatile("sti; hlt; cli" ::: "memory");
    check("upcall", seen[0xf1] == n + 1 && (shared->evtchn_pending[0] & (1UL << virq.port)), seen[0xf1]);
    check_upcall_and_lapic();
}

static void check_balloon(void)
{
    static xen_pfn_t frame;
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};
    volatile uint32_t *p = (void *)0x6000000;
    long rc;

    frame = (uint64_t)p >> 12;
    r.extent_start.p = &frame;
    *p = 42;
    rc = hypercall(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, (uint64_t)&r, 0, 0);
    check("balloon-down", rc == 1 && *p == ~0U, (uint64_t)rc);
    rc = hypercall(__HYPERVISOR_memory_op, XENMEM_populate_physmap, (uint64_t)&r, 0, 0);
    check("balloon-up", rc == 1 && *p == 0, *p);
    *p = 43;
    check("balloon-ram", *p == 43, *p);
}

/* SYSCALL in compatibility mode, which CPUID's "AuthenticAMD" promises. */
static void check_syscall(void)
{
    uint64_t rcx, r11, cs, from, carry;

    wrmsr(0xc0000080, rdmsr(0xc0000080) | 1); /* EFER.SCE */
    wrmsr(0xc0000081, 8UL << 32);             /* STAR: CS 8, SS 16 */
    wrmsr(0xc0000084, 1);                     /* SFMASK: CF */
    __asm__ volatile("mov $0xc0000083, %%ecx; lea 2f(%%rip), %%rax; xor %%edx, %%edx; wrmsr;" /* CSTAR */
                     "pushq $24; lea 1f(%%rip), %%rax; push %%rax; stc; lretq;"
                     ".code32; 1: syscall; 3: hlt; .code64;"
                     "2: setc %%dl; movzbl %%dl, %%edx; mov %%cs, %%eax; lea 3b(%%rip), %%rdi; mov %%r11, %%rsi"
                     : "=a"(cs), "=c"(rcx), "=d"(carry), "=S"(r11), "=D"(from)::"r11", "memory", "cc");
    check("compat-syscall", cs == 8 && rcx == from && !carry && (r11 & 1), rcx);
}

/* SYSENTER in long mode, to an address above 4 GiB, which "GenuineIntel" promises. */
static void check_sysenter(void)
{
    uint64_t high = 0xffff800000000000, rsp = high + 0x123456000;

    pgd[256] = pgd[0];
    wrmsr(0x174, 8); /* CS 8, SS 16 */
    wrmsr(0x175, rsp);
    wrmsr(0x176, high + (uint64_t)sysenter_entry);
    check("sysenter-msrs", rdmsr(0x175) == rsp && rdmsr(0x176) == high + (uint64_t)sysenter_entry, rdmsr(0x176));
    ring3_64();
    check("sysenter-64", sysenter_cs[0] == 0x2b && sysenter_cs[1] == 8 && sysenter_rsp == rsp &&
          sysenter_rip == high + (uint64_t)sysenter_entry, sysenter_rip);
    sysenter_rsp = sysenter_rip = 0;
    ring3_32();
    check("sysenter-32", sysenter_cs[0] == 0x1b && sysenter_cs[1] == 8 && sysenter_rsp == rsp &&
          sysenter_rip == high + (uint64_t)sysenter_entry, sysenter_rip);
}

/*
 * A guest that takes its CPU for one of the other vendor (xl's cpuid=) uses that vendor's instructions: VMCALL or
 * VMMCALL, and ways to make system calls.
 */
static void check_vendor(void)
{
    uint32_t r[4];
    long ret;

    cpuid(0, r);
    if (r[1] == 0x756e6547) /* "Genu" */
        __asm__ volatile("vmcall" : "=a"(ret) : "a"(__HYPERVISOR_xen_version), "D"(XENVER_version), "S"(0) : "memory");
    else
        __asm__ volatile("vmmcall" : "=a"(ret) : "a"(__HYPERVISOR_xen_version), "D"(XENVER_version), "S"(0) : "memory");
    print(r[1] == 0x756e6547 ? "vendor Intel\n" : "vendor AMD\n");
    check("vendor-hypercall", ret == hypercall(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0), (uint64_t)ret);
    if (r[1] == 0x756e6547)
        check_sysenter();
    else
        check_syscall();
}

void ap_main(void)
{
    __atomic_fetch_add((uint32_t *)0x7000, 1, __ATOMIC_SEQ_CST);
    for (;;)
        __asm__ volatile("cli; hlt");
}

static void check_smp(void)
{
    uint32_t *up = (uint32_t *)0x7000;
    long vcpus = 0;

    while (hypercall(__HYPERVISOR_vcpu_op, VCPUOP_is_up, (uint64_t)vcpus, 0, 0) >= 0)
        vcpus++;
    if (vcpus < 2)
        return;
    *up = 0;
    memcpy((void *)0x8000, ap_start, (size_t)(ap_end - ap_start));
    apic_write(0x300, 0xc4500); /* INIT to all but self */
    apic_write(0x300, 0xc4608); /* start-up at 0x8000 */
    for (uint64_t end = rdtsc() + 20000000000UL; rdtsc() < end && *(volatile uint32_t *)up < vcpus - 1;)
        __asm__ volatile("pause");
    check("start-aps", *(volatile uint32_t *)up == vcpus - 1, *up);
}

void main(void)
{
    struct hvm_start_info *si = (void *)start_info_addr;
    struct sched_shutdown stop = {.reason = SHUTDOWN_poweroff};

    set_idt();
    print("PVH test guest\n");
    check("start-info", si->magic == XEN_HVM_START_MAGIC_VALUE && si->version == 1, si->magic);
    if (strncmp_((const char *)si->cmdline_paddr, "no-tasks", 8))
        check("task-switches", task_result == 0x3fff, task_result);
    check_cpuid();
    check_msr();
    check_xsaves();
    check_faults();
    check_io();
    check_tsc();
    check_lapic();
    check_cr8();
    check_events();
    check_balloon();
    check_vendor();
    check_smp();
    print(failures ? "PVH-TEST-FAILED\n" : "PVH-TEST-PASSED\n");
    if (!strncmp_((const char *)si->cmdline_paddr, "stay", 4))
        for (;;)
            __asm__ volatile("pause");
    hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, (uint64_t)&stop, 0, 0);
    for (;;)
        __asm__ volatile("cli; hlt");
}
