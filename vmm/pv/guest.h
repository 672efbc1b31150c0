/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the files that run PV guests: frames bounced into the guest, its
 * segments and control registers, privileged instructions, system calls.
 */
#ifndef POLDER_PV_GUEST_H
#define POLDER_PV_GUEST_H

#include "pv.h"
#include "mm.h"
#include "../cpu/percpu.h"
#include "../cpu/regs.h"
#include "../emul/emul.h"

/* -- bounce.c ---------------------------------------------------------------------------------------------------- */
/*
 * Makes current's guest enter its kernel at cs:rip with a frame on its kernel stack, as if a gate had been taken.
 * rip 0, or a stack that cannot be written: the domain is crashed, saying 'what'; false.
 */
struct pv_bounce {
    const char *what;
    uint64_t rip;
    uint16_t cs;
    bool mask_events;
    bool has_error_code;
    bool failsafe; /* the frame also holds the data selectors */
    uint32_t error_code;
};
bool pv_bounce(struct vcpu *v, const struct pv_bounce *b);
bool pv_bounce_event(struct vcpu *v);
bool pv_bounce_failsafe(struct vcpu *v);
bool pv_bounce_nmi(struct vcpu *v);
/* Switches current's mode: page tables and GS base. */
void pv_switch_mode(struct vcpu *v);

/* RFLAGS that a guest runs with: what it wants, but no I/O privilege and interrupts on. */
static inline uint64_t pv_guest_rflags(uint64_t f)
{
    return (f & ~(EFLAGS_IOPL | EFLAGS_VM | EFLAGS_VIF | EFLAGS_VIP)) | EFLAGS_IF | EFLAGS_MBS;
}

/* -- traps.c, entry.c, iret.c -------------------------------------------------------------------------------------- */
void pv_trap(struct cpu_user_regs *regs);
void pv_iret_fault(struct cpu_user_regs *regs, unsigned vector, uint32_t error_code);
bool pv_page_fault_in_hypervisor(struct cpu_user_regs *regs, uint64_t cr2);
void pv_syscall(struct cpu_user_regs *regs);
void pv_sysenter(struct cpu_user_regs *regs);
void pv_resume(void);
/* May the guest's code in its present mode use INT n for this vector? */
bool pv_softint_allowed(const struct vcpu *v, unsigned vector);
/* The hypercall page of PV guests: 128 entries of 32 bytes. */
void pv_fill_hypercall_page(void *page);

/* -- segments.c: of current, on this CPU --------------------------------------------------------------------------- */
void pv_save_segments(struct vcpu *v);
/* Loads v's data selectors and bases. False: a selector was refused by the CPU and is now null. */
bool pv_load_segments(struct vcpu *v);
uint64_t pv_read_segment_base(const struct vcpu *v, unsigned which /* SEGBASE_* */);
int pv_write_segment_base(struct vcpu *v, unsigned which, uint64_t base) __must_check;
/* Code and data segment of a selector that is loaded in ring 3. False: none such. */
bool pv_segment(struct vcpu *v, enum emul_seg seg, struct emul_segment *out);

/* -- debugreg.c ---------------------------------------------------------------------------------------------------- */
int pv_set_debugreg(struct vcpu *v, unsigned reg, uint64_t value) __must_check;
int pv_get_debugreg(const struct vcpu *v, unsigned reg, uint64_t *value) __must_check;
void pv_load_debugregs(const struct vcpu *v);
void pv_unload_debugregs(const struct vcpu *v);

/* -- control registers: domain.c ----------------------------------------------------------------------------------- */
uint64_t pv_guest_cr4(uint64_t wanted); /* what CR4 shows after a guest wrote 'wanted' */
uint64_t pv_initial_cr4(void);
void pv_load_cr4(const struct vcpu *v);
void pv_set_ts(struct vcpu *v, bool ts); /* current's CR0.TS */

/* -- privop.c, priv_io.c, msr.c ------------------------------------------------------------------------------------ */
/* A #GP(0) of current's guest: emulates the instruction if it is privileged. False: deliver the fault. */
bool pv_emulate_privileged(struct cpu_user_regs *regs);
bool pv_emulate_forced(struct cpu_user_regs *regs); /* `ud2; .ascii "xen"; cpuid` */
bool pv_io_allowed(struct vcpu *v, unsigned port, unsigned bytes);
uint32_t pv_port_read(struct vcpu *v, unsigned port, unsigned bytes);
void pv_port_write(struct vcpu *v, unsigned port, unsigned bytes, uint32_t value);
int pv_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value) __must_check; /* 0 or -EPERM: #GP */
int pv_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value) __must_check;

/* -- context.c, callback.c ----------------------------------------------------------------------------------------- */
int pv_set_context(struct vcpu *v, const struct vcpu_guest_context *ctx) __must_check;
int pv_get_context(struct vcpu *v, struct vcpu_guest_context *ctx) __must_check;
/* domctl get_ext_vcpucontext and set_ext_vcpucontext. */
int pv_ext_context(struct domain *d, struct xen_domctl_ext_vcpucontext *e, bool set) __must_check;
void pv_set_trap(struct vcpu *v, const struct trap_info *ti);

/* Each file registers its hypercalls; called once, from pv_init(). */
void pv_register_callbacks(void);
void pv_register_debugreg(void);
void pv_register_iret(void);
void pv_register_segments(void);

/* cpu/entry.S: leaves the hypervisor with these registers; interrupts off. */
void restore_guest_regs_and_iret(struct cpu_user_regs *regs) __noreturn;

#endif
