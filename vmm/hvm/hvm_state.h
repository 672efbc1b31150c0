/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the core's own files share about a vCPU's architectural state. */
#ifndef POLDER_HVM_STATE_H
#define POLDER_HVM_STATE_H

#include "hvm.h"

/* Bits that the domain's CPU policy lets a guest set. */
uint64_t hvm_cr4_allowed(const struct domain *d);
uint64_t hvm_efer_allowed(const struct domain *d);
uint64_t hvm_xcr0_allowed(const struct domain *d);
/* After control registers were set without the checks of MOV CRn. */
void hvm_restore_pdptes(struct vcpu *v);

/* The 512 bytes of FXSAVE format in a saved state: makes them complete; says that they were written. */
void hvm_fpu_fill_legacy(struct xsave_area *a);
void hvm_fpu_legacy_changed(struct xsave_area *a);

/* MTRRs and PAT. read and write: false: not one of these MSRs; *ok false: #GP. */
void mtrr_reset(struct vcpu *v);
uint64_t mtrr_cap(void);
bool pat_valid(uint64_t value);
bool mtrr_value_ok(uint32_t msr, uint64_t value);
bool mtrr_read(struct vcpu *v, uint32_t msr, uint64_t *value);
bool mtrr_write(struct vcpu *v, uint32_t msr, uint64_t value, bool *ok);

/* The state after INIT (AMD APM 2, 14.1.3); v is current or off its CPU. */
void hvm_vcpu_reset_state(struct vcpu *v);
/* The code segment and IP of a start in real mode. */
void hvm_vcpu_set_real_mode_entry(struct vcpu *v, uint16_t cs_sel, uint64_t cs_base, uint16_t ip);
/* INIT and start-up IPIs that v, which is current, has to act on. */
void hvm_vcpu_take_init(struct vcpu *v);

int hvm_io_init(struct domain *d) __must_check;
/* HLT: blocks v unless something waits for it. */
void hvm_halt(struct vcpu *v);
/* The answer that io.c waited for has come: finishes the instruction. */
void hvm_complete_io(struct vcpu *v);
/* After an exit: the interrupt the guest took is acknowledged, the TPR taken over. */
void hvm_intr_after_exit(struct vcpu *v);
/* Loads the guest's debug registers and lets it have them. */
void hvm_load_dr(struct vcpu *v);
/* Copies them from the CPU to v->dr. */
void hvm_save_dr(struct vcpu *v);

/* VMCALL or VMMCALL: exit says how long it is. */
void hvm_exit_hypercall(struct vcpu *v, const struct vm_exit *exit);
/*
 * #UD at SYSCALL, SYSRET, SYSENTER or SYSEXIT in a guest from the other vendor's machine: done as that vendor's CPUs do.
 * HVM_UNHANDLEABLE: another instruction.
 */
enum hvm_result hvm_emulate_system_call(struct vcpu *v, const struct vm_exit *exit);
/* #UD in a guest from the other vendor's machine: true: it was an instruction of that vendor's, and is done. */
bool hvm_foreign_insn(struct vcpu *v, struct vm_exit *exit);
void hvm_fill_hypercall_page(struct domain *d, void *page);

void hvm_set_tsc_offset(struct vcpu *v, uint64_t offset);
/* Such that the guest's TSC is tsc when this CPU's is host_tsc. */
void hvm_set_guest_tsc_at(struct vcpu *v, uint64_t tsc, uint64_t host_tsc);
/* After a change of the domain's CPU policy or of its TSC's rate. */
void hvm_settings_changed(struct vcpu *v);

/* All ones in the low bytes of a register. */
static inline uint64_t bytes_mask(unsigned bytes) { return bytes >= 8 ? ~0UL : (1UL << (8 * bytes)) - 1; }

#endif
