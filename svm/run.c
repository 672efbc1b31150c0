/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One entry into the guest and the exit from it. */
#include "../vmm/cpu/asm.h"
#include "svm.h"

_Static_assert(offsetof(struct cpu_user_regs, r15) == 0 && offsetof(struct cpu_user_regs, rbx) == 40 &&
                   offsetof(struct cpu_user_regs, rcx) == 88 && offsetof(struct cpu_user_regs, rdi) == 112,
               "enter.S");

static void svm_load_state(struct vcpu *v, struct svm_vcpu *s)
{
    struct vmcb *vmcb = s->vmcb;

    vmcb->rax = v->regs.rax;
    vmcb->rip = v->regs.rip;
    vmcb->rsp = v->regs.rsp;
    vmcb->rflags = v->regs.rflags | 2;
    svm_prepare_asid(s);
    vmcb->clean = svm_features & SVM_FEATURE_CLEAN ? s->clean : 0;
}

static void svm_store_state(struct vcpu *v, struct svm_vcpu *s)
{
    const uint64_t guest_owned = 0x8 | 0x2; /* CR0.TS and MP: writes to nothing else pass without an exit */
    struct vmcb *vmcb = s->vmcb;

    v->regs.rax = vmcb->rax;
    v->regs.rip = vmcb->rip;
    v->regs.rsp = vmcb->rsp;
    v->regs.rflags = vmcb->rflags;
    v->hvm->cr[0] = (v->hvm->cr[0] & ~guest_owned) | (vmcb->cr0 & guest_owned);
    v->hvm->cr[2] = vmcb->cr2;
    v->hvm->cr[3] = vmcb->cr3;
    vmcb->tlb_control = TLB_DO_NOTHING;
    s->clean = CLEAN_ALL;
}

void svm_run(struct vcpu *v, struct vm_exit *exit)
{
    struct svm_vcpu *s = svm_of(v);

    svm_load_state(v, s);
    svm_enter(&v->regs, s->vmcb_pa, svm_host_vmcb());
    svm_store_state(v, s);
    svm_note_injection_done(v);
    local_irq_enable();
    svm_decode_exit(v, exit);
}
