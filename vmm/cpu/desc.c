/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GDT, TSS and IDT of each CPU, and the MSRs that name its SYSCALL stub.  The
 * GDT is one page, the 15th of the table that a PV guest sees: the guest's own
 * descriptors come before it.  AMD APM 2, 4.8, 12.2.5; Intel SDM 3A, 6.14, 7.7.
 */
#include "../lib/errno.h"
#include "../lib/string.h"
#include "../mm/alloc.h"
#include "asm.h"
#include "cpu.h"
#include "entry.h"
#include "irq.h"
#include "regs.h"

#define GDT_PAGE_BYTE (GDT_PAGE_OF_HV * PAGE_SIZE)
#define GDT_INDEX(sel) (((sel) >> 3) - GDT_PAGE_BYTE / 8)
#define GDT_LIMIT (LDT_SELECTOR + 16 - 1)

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, iopb;
} __packed;
_Static_assert(sizeof(struct tss) == 104, "TSS");

struct idt_gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_mid;
    uint32_t offset_high, reserved;
};
_Static_assert(sizeof(struct idt_gate) == 16, "gate");

struct table_reg {
    uint16_t limit;
    uint64_t base;
} __packed;

struct cpu_desc {
    uint64_t *gdt_page;
    struct tss tss __aligned(128); /* within one page, as the CPU's access to it must be */
};

static DEFINE_PER_CPU(struct cpu_desc, cpu_desc);
static uint64_t boot_gdt_page[PAGE_SIZE / 8] __aligned(4096);
static struct idt_gate idt[256] __aligned(4096);

static const uint64_t gdt_template[] = {
    [GDT_INDEX(HV_CS)] = 0x00af9b000000ffff,      [GDT_INDEX(HV_DS)] = 0x00cf93000000ffff,
    [GDT_INDEX(GUEST_CS32)] = 0x00cffb000000ffff, [GDT_INDEX(GUEST_DS)] = 0x00cff3000000ffff,
    [GDT_INDEX(GUEST_CS64)] = 0x00affb000000ffff,
};

int desc_prepare_cpu(unsigned cpu)
{
    struct cpu_desc *c = &per_cpu(cpu_desc, cpu);

    if (!c->gdt_page)
        c->gdt_page = cpu ? alloc_zeroed_page() : boot_gdt_page;
    return c->gdt_page ? 0 : -ENOMEM;
}

/* A 16-byte system descriptor: type 9 is an available TSS, 2 an LDT. */
static void set_system_desc(unsigned sel, unsigned type, uint64_t base, uint32_t limit)
{
    uint64_t *desc = this_cpu(cpu_desc).gdt_page + GDT_INDEX(sel);

    desc[1] = base >> 32;
    desc[0] = (limit & 0xffff) | (base & 0xffffff) << 16 | (uint64_t)(0x80 | type) << 40 |
              (uint64_t)(limit >> 16 & 0xf) << 48 | (base >> 24 & 0xff) << 56;
}

static void idt_init(void)
{
    for (unsigned i = 0; i < 256; i++) {
        uint64_t stub = (uint64_t)trap_stubs + i * TRAP_STUB_SIZE;

        idt[i] = (struct idt_gate){.offset_low = (uint16_t)stub,
                                   .selector = HV_CS,
                                   .type = 0x8e,
                                   .offset_mid = (uint16_t)(stub >> 16),
                                   .offset_high = (uint32_t)(stub >> 32)};
    }
    idt[X86_TRAP_BP].type = idt[X86_TRAP_OF].type = idt[VECTOR_LEGACY_SYSCALL].type = 0xee; /* from ring 3 too */
    idt[X86_TRAP_DF].ist = IST_DF;
    idt[X86_TRAP_NMI].ist = IST_NMI;
    idt[X86_TRAP_MC].ist = IST_MC;
    idt[X86_TRAP_DB].ist = IST_DB;
}

static void tss_init(struct tss *tss)
{
    uint64_t stack = ROUND_DOWN((uint64_t)get_cpu_info(), STACK_SIZE);

    /* Above each IST stack stays room for the selectors that follow the hardware's part of a frame. */
    for (unsigned i = 1; i <= NR_IST; i++)
        tss->ist[i - 1] = stack + i * PAGE_SIZE - 64;
    tss->rsp[0] = (uint64_t)get_cpu_info();
    tss->iopb = sizeof(*tss); /* none: a PV guest's port accesses raise #GP */
}

static void load_selectors(void)
{
    __asm__ volatile("pushq %0\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\tmovl %1, %%ss\n\t"
                     "movl %2, %%ds\n\t"
                     "movl %2, %%es\n\t"
                     "movl %2, %%fs\n\t"
                     "movl %2, %%gs" ::"i"(HV_CS),
                     "r"(HV_DS), "r"(0)
                     : "rax", "memory");
}

static void syscall_init_cpu(unsigned cpu)
{
    syscall_slots[cpu].stack_top = (uint64_t)get_cpu_info();
    wrmsr(MSR_STAR, (uint64_t)GUEST_CS32 << 48 | (uint64_t)HV_CS << 32);
    wrmsr(MSR_LSTAR, (uint64_t)syscall_stubs + cpu * SYSCALL_STUB_SIZE);
    wrmsr(MSR_CSTAR, (uint64_t)syscall32_stubs + cpu * SYSCALL_STUB_SIZE);
    wrmsr(MSR_SYSCALL_MASK,
          EFLAGS_TF | EFLAGS_IF | EFLAGS_DF | EFLAGS_IOPL | EFLAGS_NT | EFLAGS_RF | EFLAGS_VM | EFLAGS_AC);
    /* AMD's CPUs have no SYSENTER in long mode; the MSRs are there all the same. */
    if (cpu_features.leaf1_edx & BIT(11)) {
        wrmsr(MSR_IA32_SYSENTER_CS, HV_CS);
        wrmsr(MSR_IA32_SYSENTER_ESP, (uint64_t)get_cpu_info());
        wrmsr(MSR_IA32_SYSENTER_EIP, (uint64_t)sysenter_entry);
    }
}

void desc_init_cpu(unsigned cpu)
{
    struct cpu_desc *c = &this_cpu(cpu_desc);
    struct table_reg idtr = {sizeof(idt) - 1, (uint64_t)idt};

    if (cpu == 0) {
        idt_init();
        c->gdt_page = boot_gdt_page;
    }
    memcpy(c->gdt_page, gdt_template, sizeof(gdt_template));
    tss_init(&c->tss);
    load_gdt_for(host_gdt_base());
    load_selectors();
    tss_reload();
    load_ldt_for(0, 0);
    __asm__ volatile("lidt %0" ::"m"(idtr));
    syscall_init_cpu(cpu);
}

void load_gdt_for(uint64_t gdt_va)
{
    struct table_reg gdtr = {GDT_LIMIT, gdt_va};

    __asm__ volatile("lgdt %0" ::"m"(gdtr));
}

uint64_t host_gdt_base(void) { return (uint64_t)this_cpu(cpu_desc).gdt_page - GDT_PAGE_BYTE; }

mfn_t host_gdt_mfn(unsigned cpu) { return virt_to_mfn(per_cpu(cpu_desc, cpu).gdt_page); }

void load_ldt_for(uint64_t ldt_va, unsigned entries)
{
    if (entries)
        set_system_desc(LDT_SELECTOR, 2, ldt_va, entries * 8 - 1);
    __asm__ volatile("lldt %w0" ::"r"(entries ? LDT_SELECTOR : 0));
}

void tss_set_rsp0(uint64_t rsp0) { this_cpu(cpu_desc).tss.rsp[0] = rsp0; }

void tss_reload(void)
{
    /* Writing the descriptor anew clears its busy bit, which LTR would refuse. */
    set_system_desc(TSS_SELECTOR, 9, tss_base(), sizeof(struct tss) - 1);
    __asm__ volatile("ltr %w0" ::"r"(TSS_SELECTOR));
}

uint64_t tss_base(void) { return (uint64_t)&this_cpu(cpu_desc).tss; }
uint64_t idt_base(void) { return (uint64_t)idt; }
