/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The virtual machine control block. AMD APM 2, appendix B "Layout of VMCB". */
#ifndef POLDER_SVM_VMCB_H
#define POLDER_SVM_VMCB_H

#include "../vmm/lib/types.h"

struct vmcb_segment {
    uint16_t sel;
    uint16_t attr; /* bits 7:0 as in the descriptor's byte 5, 11:8 AVL L D/B G */
    uint32_t limit;
    uint64_t base;
};

struct vmcb {
    uint16_t cr_reads, cr_writes; /* intercepts, a bit for each register */
    uint16_t dr_reads, dr_writes;
    uint32_t exceptions;
    uint32_t intercepts1, intercepts2, intercepts3;
    uint8_t reserved_18[0x3c - 0x18];
    uint16_t pause_threshold, pause_count;
    uint64_t iopm_base, msrpm_base;
    uint64_t tsc_offset;
    uint32_t asid;
    uint8_t tlb_control, reserved_5d[3];
    uint64_t vintr;
    uint64_t shadow; /* bit 0: interrupt shadow */
    uint64_t exitcode, exitinfo1, exitinfo2, exitintinfo;
    uint64_t np_control;
    uint64_t avic_bar, ghcb;
    uint64_t eventinj;
    uint64_t n_cr3;
    uint64_t lbr_control;
    uint32_t clean, reserved_c4;
    uint64_t nrip;
    uint8_t nr_bytes, bytes[15];
    uint8_t reserved_e0[0x400 - 0xe0];

    struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    uint8_t reserved_4a0[0x4cb - 0x4a0];
    uint8_t cpl;
    uint8_t reserved_4cc[4];
    uint64_t efer;
    uint8_t reserved_4d8[0x548 - 0x4d8];
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
    uint8_t reserved_580[0x5d8 - 0x580];
    uint64_t rsp;
    uint8_t reserved_5e0[0x5f8 - 0x5e0];
    uint64_t rax, star, lstar, cstar, sfmask, kernel_gs;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip, cr2;
    uint8_t reserved_648[0x668 - 0x648];
    uint64_t g_pat, debugctl;
    uint8_t reserved_678[0x1000 - 0x678];
};

#define VMCB_AT(field, offset) _Static_assert(offsetof(struct vmcb, field) == (offset), "VMCB: " #field)
VMCB_AT(exceptions, 0x008);
VMCB_AT(pause_threshold, 0x03c);
VMCB_AT(tsc_offset, 0x050);
VMCB_AT(vintr, 0x060);
VMCB_AT(exitcode, 0x070);
VMCB_AT(np_control, 0x090);
VMCB_AT(eventinj, 0x0a8);
VMCB_AT(clean, 0x0c0);
VMCB_AT(nrip, 0x0c8);
VMCB_AT(bytes, 0x0d1);
VMCB_AT(es, 0x400);
VMCB_AT(tr, 0x490);
VMCB_AT(cpl, 0x4cb);
VMCB_AT(efer, 0x4d0);
VMCB_AT(cr4, 0x548);
VMCB_AT(rip, 0x578);
VMCB_AT(rsp, 0x5d8);
VMCB_AT(rax, 0x5f8);
VMCB_AT(cr2, 0x640);
VMCB_AT(g_pat, 0x668);
_Static_assert(sizeof(struct vmcb) == 0x1000, "VMCB");

/* intercepts1 */
#define INTERCEPT_INTR BIT(0)
#define INTERCEPT_NMI BIT(1)
#define INTERCEPT_SMI BIT(2)
#define INTERCEPT_INIT BIT(3)
#define INTERCEPT_VINTR BIT(4)
#define INTERCEPT_CR0_SEL_WRITE BIT(5)
#define INTERCEPT_RDTSC BIT(14)
#define INTERCEPT_RDPMC BIT(15)
#define INTERCEPT_CPUID BIT(18)
#define INTERCEPT_IRET BIT(20)
#define INTERCEPT_INVD BIT(22)
#define INTERCEPT_PAUSE BIT(23)
#define INTERCEPT_HLT BIT(24)
#define INTERCEPT_INVLPG BIT(25)
#define INTERCEPT_INVLPGA BIT(26)
#define INTERCEPT_IOIO_PROT BIT(27)
#define INTERCEPT_MSR_PROT BIT(28)
#define INTERCEPT_TASK_SWITCH BIT(29)
#define INTERCEPT_SHUTDOWN BIT(31)
/* intercepts2 */
#define INTERCEPT_VMRUN BIT(0)
#define INTERCEPT_VMMCALL BIT(1)
#define INTERCEPT_VMLOAD BIT(2)
#define INTERCEPT_VMSAVE BIT(3)
#define INTERCEPT_STGI BIT(4)
#define INTERCEPT_CLGI BIT(5)
#define INTERCEPT_SKINIT BIT(6)
#define INTERCEPT_RDTSCP BIT(7)
#define INTERCEPT_WBINVD BIT(9)
#define INTERCEPT_MONITOR BIT(10)
#define INTERCEPT_MWAIT BIT(11)
#define INTERCEPT_XSETBV BIT(13)
#define INTERCEPT_RDPRU BIT(14)

/* vintr. APM 2, 15.21 "Interrupt and Local APIC Support" */
#define VINTR_TPR_MASK 0xffUL
#define VINTR_IRQ BIT(8)
#define VINTR_PRIO_SHIFT 16
#define VINTR_PRIO_MASK (0xfUL << VINTR_PRIO_SHIFT)
#define VINTR_IGN_TPR BIT(20)
#define VINTR_MASKING BIT(24)
#define VINTR_VECTOR_SHIFT 32
#define VINTR_VECTOR_MASK (0xffUL << VINTR_VECTOR_SHIFT)

/* eventinj and exitintinfo. APM 2, 15.20 "Event Injection" */
#define EVENTINJ_TYPE_SHIFT 8
#define EVENTINJ_EV BIT(11)
#define EVENTINJ_V BIT(31)

/* clean: what the CPU may keep from the last run. APM 2, 15.15.3 */
#define CLEAN_INTERCEPTS BIT(0)
#define CLEAN_PERM_MAPS BIT(1)
#define CLEAN_ASID BIT(2)
#define CLEAN_VINTR BIT(3)
#define CLEAN_NP BIT(4)
#define CLEAN_CR BIT(5)
#define CLEAN_DR BIT(6)
#define CLEAN_DT BIT(7)
#define CLEAN_SEG BIT(8)
#define CLEAN_CR2 BIT(9)
#define CLEAN_ALL 0x3ffU

#define TLB_DO_NOTHING 0
#define TLB_FLUSH_ALL 1
#define TLB_FLUSH_ASID 3

/* CPUID 0x8000000a, EDX */
#define SVM_FEATURE_NP BIT(0)
#define SVM_FEATURE_NRIPS BIT(3)
#define SVM_FEATURE_CLEAN BIT(5)
#define SVM_FEATURE_FLUSH_BY_ASID BIT(6)
#define SVM_FEATURE_DECODE_ASSISTS BIT(7)
#define SVM_FEATURE_PAUSE_FILTER BIT(10)

/* exitcode. APM 2, appendix C */
enum svm_exitcode {
    SVM_EXIT_CR0_READ = 0x00,
    SVM_EXIT_CR0_WRITE = 0x10,
    SVM_EXIT_DR0_READ = 0x20,
    SVM_EXIT_DR15_WRITE = 0x3f,
    SVM_EXIT_EXCEPTION = 0x40,
    SVM_EXIT_INTR = 0x60,
    SVM_EXIT_NMI = 0x61,
    SVM_EXIT_SMI = 0x62,
    SVM_EXIT_INIT = 0x63,
    SVM_EXIT_VINTR = 0x64,
    SVM_EXIT_CR0_SEL_WRITE = 0x65,
    SVM_EXIT_RDTSC = 0x6e,
    SVM_EXIT_RDPMC = 0x6f,
    SVM_EXIT_CPUID = 0x72,
    SVM_EXIT_IRET = 0x74,
    SVM_EXIT_INVD = 0x76,
    SVM_EXIT_PAUSE = 0x77,
    SVM_EXIT_HLT = 0x78,
    SVM_EXIT_INVLPG = 0x79,
    SVM_EXIT_INVLPGA = 0x7a,
    SVM_EXIT_IOIO = 0x7b,
    SVM_EXIT_MSR = 0x7c,
    SVM_EXIT_TASK_SWITCH = 0x7d,
    SVM_EXIT_SHUTDOWN = 0x7f,
    SVM_EXIT_VMRUN = 0x80,
    SVM_EXIT_VMMCALL = 0x81,
    SVM_EXIT_VMLOAD = 0x82,
    SVM_EXIT_SKINIT = 0x86,
    SVM_EXIT_RDTSCP = 0x87,
    SVM_EXIT_WBINVD = 0x89,
    SVM_EXIT_MONITOR = 0x8a,
    SVM_EXIT_MWAIT = 0x8b,
    SVM_EXIT_MWAIT_ARMED = 0x8c,
    SVM_EXIT_XSETBV = 0x8d,
    SVM_EXIT_RDPRU = 0x8e,
    SVM_EXIT_NPF = 0x400,
};

#endif
