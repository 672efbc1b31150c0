/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decodes an exit into the neutral record.  AMD APM 2, 15.7 "#VMEXIT", and the sections named below. */
#include "../vmm/cpu/regs.h"
#include "svm.h"

/* APM 2, 15.10.2 "IN and OUT Behavior" */
static void svm_decode_io(const struct vmcb *vmcb, struct vm_exit *exit)
{
    uint64_t info = vmcb->exitinfo1;

    exit->reason = VMEXIT_PIO;
    exit->insn_len = (uint8_t)(vmcb->exitinfo2 - vmcb->rip);
    exit->u.pio.in = info & 1;
    exit->u.pio.string = info & 4;
    exit->u.pio.rep = info & 8;
    exit->u.pio.size = (info >> 4) & 7;
    exit->u.pio.addr_size = info & 0x80 ? 2 : info & 0x100 ? 4 : 8;
    exit->u.pio.port = info >> 16;
    exit->u.pio.seg_known = svm_features & SVM_FEATURE_DECODE_ASSISTS;
    exit->u.pio.seg = (info >> 10) & 7;
}

/* APM 2, 15.25.6 "Nested versus Guest Page Faults, Fault Ordering" */
static void svm_decode_npf(const struct vmcb *vmcb, struct vm_exit *exit)
{
    uint64_t info = vmcb->exitinfo1;

    exit->reason = VMEXIT_NPF;
    exit->u.npf.gpa = GPA(vmcb->exitinfo2);
    exit->u.npf.present = info & PFEC_P;
    exit->u.npf.write = info & PFEC_W;
    exit->u.npf.fetch = info & PFEC_I;
    exit->u.npf.read = !(info & (PFEC_W | PFEC_I));
    exit->u.npf.in_page_walk = info & BIT(33);
    if ((svm_features & SVM_FEATURE_DECODE_ASSISTS) && vmcb->nr_bytes <= sizeof(exit->bytes)) {
        exit->nr_bytes = vmcb->nr_bytes;
        memcpy(exit->bytes, vmcb->bytes, exit->nr_bytes);
    }
}

/* APM 2, 15.33.1 "MOV CRx/DRx Intercepts": without decode assists the register is not told. */
static void svm_decode_cr(const struct vmcb *vmcb, struct vm_exit *exit, unsigned cr, bool write)
{
    exit->reason = VMEXIT_CR;
    exit->u.cr.cr = cr;
    exit->u.cr.write = write;
    exit->u.cr.decoded = (svm_features & SVM_FEATURE_DECODE_ASSISTS) && (vmcb->exitinfo1 & BIT(63));
    exit->u.cr.gpr = vmcb->exitinfo1 & 0xf;
}

/* APM 2, 15.14.1 "Task Switch Intercept" */
static void svm_decode_task_switch(const struct vmcb *vmcb, struct vm_exit *exit)
{
    uint64_t info = vmcb->exitinfo2;

    exit->reason = VMEXIT_TASK_SWITCH;
    exit->u.task.sel = (uint16_t)vmcb->exitinfo1;
    exit->u.task.has_error = info & BIT(44);
    exit->u.task.error_code = (uint32_t)info;
    if (info & BIT(36))
        exit->u.task.source = TASK_IRET;
    else if (info & BIT(38))
        exit->u.task.source = TASK_JMP;
    else
        exit->u.task.source = exit->idt.valid ? TASK_GATE : TASK_CALL;
}

static void svm_decode_exception(const struct vmcb *vmcb, struct vm_exit *exit)
{
    unsigned vector = (unsigned)(vmcb->exitcode - SVM_EXIT_EXCEPTION);

    exit->reason = VMEXIT_EXCEPTION;
    exit->u.exc.type = EVENT_EXCEPTION;
    exit->u.exc.vector = vector;
    exit->u.exc.has_error = (X86_TRAP_HAVE_EC >> vector) & 1;
    exit->u.exc.error_code = exit->u.exc.has_error ? (uint32_t)vmcb->exitinfo1 : 0;
    exit->u.exc.cr2 = vector == X86_TRAP_PF ? vmcb->exitinfo2 : 0;
    exit->u.exc.dr6 = vmcb->dr6;
}

static void svm_decode_ranges(const struct vmcb *vmcb, struct vm_exit *exit)
{
    uint64_t code = vmcb->exitcode;

    if (code < SVM_EXIT_CR0_WRITE)
        svm_decode_cr(vmcb, exit, code & 0xf, false);
    else if (code < SVM_EXIT_DR0_READ)
        svm_decode_cr(vmcb, exit, code & 0xf, true);
    else if (code <= SVM_EXIT_DR15_WRITE)
        exit->reason = VMEXIT_DR;
    else if (code < SVM_EXIT_INTR)
        svm_decode_exception(vmcb, exit);
    else
        exit->reason = VMEXIT_BAD_STATE;
}

/* NRIP save is not valid for every exit: APM 2, 15.7.1 "State Saved on Exit". */
static uint8_t svm_insn_len(const struct vmcb *vmcb)
{
    uint64_t len = vmcb->nrip - vmcb->rip;

    return (svm_features & SVM_FEATURE_NRIPS) && vmcb->nrip && len <= 15 ? (uint8_t)len : 0;
}

static void svm_bad_state(struct vcpu *v, struct vm_exit *exit)
{
    printk(LOG_ERR "svm: d%dv%u: VMRUN refused or exit %#lx not known\n", v->domain->id, v->id,
           svm_of(v)->vmcb->exitcode);
    svm_dump(v);
    exit->reason = VMEXIT_BAD_STATE;
}

void svm_decode_exit(struct vcpu *v, struct vm_exit *exit)
{
    struct svm_vcpu *s = svm_of(v);
    const struct vmcb *vmcb = s->vmcb;

    *exit = (struct vm_exit){.insn_len = svm_insn_len(vmcb)};
    svm_decode_exitintinfo(v, &exit->idt);
    switch (vmcb->exitcode) {
    case SVM_EXIT_INTR:
    case SVM_EXIT_NMI:
    case SVM_EXIT_SMI:
    case SVM_EXIT_INIT: exit->reason = VMEXIT_NONE; break;
    case SVM_EXIT_VINTR:
        svm_interrupt_window(v, false);
        exit->reason = VMEXIT_INTR_WINDOW;
        break;
    case SVM_EXIT_CR0_SEL_WRITE: svm_decode_cr(vmcb, exit, 0, true); break;
    case SVM_EXIT_RDTSC: /* an intercepted RDTSCP may be reported so too: the bytes tell */
        exit->reason = cpu_features.rdtscp ? VMEXIT_RDTSC : VMEXIT_EMULATE;
        break;
    case SVM_EXIT_RDTSCP:
        exit->reason = cpu_features.rdtscp ? VMEXIT_RDTSC : VMEXIT_INVALID_OP;
        exit->u.rdtsc.rdtscp = true;
        break;
    case SVM_EXIT_RDPMC: exit->reason = VMEXIT_RDPMC; break;
    case SVM_EXIT_CPUID: exit->reason = VMEXIT_CPUID; break;
    case SVM_EXIT_IRET:
        svm_iret_intercepted(v);
        exit->reason = s->nmi_window_wanted ? VMEXIT_NMI_WINDOW : VMEXIT_NONE;
        break;
    case SVM_EXIT_INVD:
    case SVM_EXIT_WBINVD: exit->reason = VMEXIT_WBINVD; break;
    case SVM_EXIT_PAUSE: exit->reason = VMEXIT_PAUSE; break;
    case SVM_EXIT_HLT: exit->reason = VMEXIT_HLT; break;
    case SVM_EXIT_INVLPG:
        exit->reason = VMEXIT_INVLPG;
        exit->u.invlpg.decoded = svm_features & SVM_FEATURE_DECODE_ASSISTS;
        exit->u.invlpg.gva = vmcb->exitinfo1;
        break;
    case SVM_EXIT_IOIO: svm_decode_io(vmcb, exit); break;
    case SVM_EXIT_MSR:
        exit->reason = VMEXIT_MSR;
        exit->u.msr.msr = (uint32_t)v->regs.rcx;
        exit->u.msr.write = vmcb->exitinfo1 & 1;
        break;
    case SVM_EXIT_TASK_SWITCH: svm_decode_task_switch(vmcb, exit); break;
    case SVM_EXIT_SHUTDOWN: exit->reason = VMEXIT_TRIPLE_FAULT; break;
    case SVM_EXIT_VMMCALL: exit->reason = VMEXIT_HYPERCALL; break;
    case SVM_EXIT_XSETBV: exit->reason = VMEXIT_XSETBV; break;
    case SVM_EXIT_INVLPGA:
    case SVM_EXIT_VMRUN:
    case SVM_EXIT_VMLOAD ... SVM_EXIT_SKINIT:
    case SVM_EXIT_MONITOR:
    case SVM_EXIT_MWAIT:
    case SVM_EXIT_MWAIT_ARMED:
    case SVM_EXIT_RDPRU: exit->reason = VMEXIT_INVALID_OP; break;
    case SVM_EXIT_NPF: svm_decode_npf(vmcb, exit); break;
    default: svm_decode_ranges(vmcb, exit); break;
    }
    if (exit->reason == VMEXIT_BAD_STATE)
        svm_bad_state(v, exit);
}
