/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the SVM backend share: the vCPU's part, and the functions that make up the backend's table. */
#ifndef POLDER_SVM_SVM_H
#define POLDER_SVM_SVM_H

#include "../vmm/cpu/cpu.h"
#include "../vmm/hvm/hvm.h"
#include "../vmm/lib/string.h"
#include "vmcb.h"

#define MSRPM_ORDER 1 /* two frames, a vCPU's own */
#define IOPM_ORDER 2  /* three frames, shared: every port exits */

struct svm_vcpu {
    struct vmcb *vmcb;
    paddr_t vmcb_pa;
    uint8_t *msrpm;
    uint64_t asid_generation; /* of the CPU that gave the ASID; 0: needs a new one */
    unsigned asid_cpu;
    bool flush_wanted; /* [a] set by anyone; taken at the next entry */
    uint32_t clean;    /* groups unchanged since the last run */
    bool irq_offered;  /* V_IRQ stands for an interrupt that the core wants to hear of */
    uint8_t offered_vector;
    bool reinjecting;   /* V_IRQ stands for one that was acknowledged before, at offered_vector */
    bool window_wanted; /* V_IRQ only opens the interrupt window */
    bool nmi_masked;    /* between an NMI and the end of its handler */
    bool nmi_window_wanted;
    bool iret_seen; /* the IRET at iret_rip is about to run */
    uint64_t iret_rip;
    struct hvm_event injected; /* by EVENTINJ at this entry, with RIP at injected_rip */
    uint64_t injected_rip;
    uint64_t sysenter_esp, sysenter_eip; /* all 64 bits, where the guest's accesses to the MSRs exit */
    uint64_t tsc_aux;                    /* in the CPU while the vCPU is loaded, where the CPU has RDTSCP */
};

extern uint32_t svm_features; /* SVM_FEATURE_* of all CPUs */
extern bool svm_in_tcg;       /* see inject.c */
extern uint8_t *svm_iopm;

static inline struct svm_vcpu *svm_of(struct vcpu *v) { return v->hvm->backend; }
static inline void svm_dirty(struct svm_vcpu *s, uint32_t groups) { s->clean &= ~groups; }

/* cpu.c */
int svm_cpu_enable(void);
void svm_cpu_disable(void);
paddr_t svm_host_vmcb(void); /* of this CPU: holds what VMLOAD brings back */

/* vcpu.c */
int svm_vcpu_init(struct vcpu *v);
void svm_vcpu_free(struct vcpu *v);
void svm_vcpu_load(struct vcpu *v);
void svm_vcpu_put(struct vcpu *v);
void svm_set_intercepts(struct svm_vcpu *s, uint32_t *word, uint32_t bits, bool on);
bool svm_msr_exits(struct vcpu *v, uint32_t msr); /* when it is written */
void svm_intercept_msr(struct vcpu *v, uint32_t msr, bool read, bool write);
void svm_set_exception_intercepts(struct vcpu *v, uint32_t bitmap);
void svm_intercept_rdtsc(struct vcpu *v, bool on);
void svm_allow_dr(struct vcpu *v, bool allow);
void svm_set_tsc_offset(struct vcpu *v, uint64_t offset);
void svm_dump(struct vcpu *v);

/* state.c */
void svm_get_segment(struct vcpu *v, enum hvm_segment seg, struct segment_reg *out);
void svm_set_segment(struct vcpu *v, enum hvm_segment seg, const struct segment_reg *in);
void svm_update_cr(struct vcpu *v, unsigned cr);
void svm_update_efer(struct vcpu *v);
uint64_t svm_get_msr(struct vcpu *v, enum hvm_saved_msr msr);
void svm_set_msr(struct vcpu *v, enum hvm_saved_msr msr, uint64_t value);
uint64_t svm_get_dr(struct vcpu *v, unsigned dr);
void svm_set_dr(struct vcpu *v, unsigned dr, uint64_t value);

/* inject.c */
void svm_inject_event(struct vcpu *v, const struct hvm_event *e);
bool svm_event_pending(struct vcpu *v);
unsigned svm_interrupt_shadow(struct vcpu *v);
void svm_set_interrupt_shadow(struct vcpu *v, unsigned shadow);
void svm_interrupt_window(struct vcpu *v, bool on);
void svm_nmi_window(struct vcpu *v, bool on);
bool svm_nmi_blocked(struct vcpu *v);
void svm_set_nmi_blocked(struct vcpu *v, bool blocked);
void svm_offer_interrupt(struct vcpu *v, uint8_t vector, bool heeds_tpr);
void svm_withdraw_interrupt(struct vcpu *v);
bool svm_interrupt_taken(struct vcpu *v, uint8_t *vector);
void svm_update_tpr_shadow(struct vcpu *v, uint8_t tpr, uint8_t threshold);
uint8_t svm_tpr_shadow(struct vcpu *v);
void svm_decode_exitintinfo(struct vcpu *v, struct hvm_event *e);
void svm_iret_intercepted(struct vcpu *v);
void svm_note_injection_done(struct vcpu *v);

/* asid.c */
void svm_prepare_asid(struct svm_vcpu *s);
void svm_flush_guest_tlb(struct vcpu *v);
void svm_flush_nested(struct domain *d);
void svm_invlpg(struct vcpu *v, uint64_t gva);
void svm_asid_init_cpu(void);

/* exit.c, run.c, enter.S */
void svm_decode_exit(struct vcpu *v, struct vm_exit *exit);
void svm_run(struct vcpu *v, struct vm_exit *exit);
void svm_enter(struct cpu_user_regs *regs, paddr_t vmcb, paddr_t host_vmcb);

#endif
