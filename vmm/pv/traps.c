/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exceptions that a PV guest raised: handled here, emulated, or reflected into
 * its kernel through the trap table it gave.  AMD APM 2, 8.2; Intel SDM 3A, 6.15.
 */
#include "../cpu/asm.h"
#include "../cpu/cpu.h"
#include "../cpu/irq.h"
#include "../cpu/regs.h"
#include "../domain/evtchn.h"
#include "guest.h"

#define DR6_DEFAULT 0xffff0ff0UL
#define DR6_EVENTS 0xe00fUL /* B0-B3, BD, BS, BT */

static const char *const trap_names[20] = {"#DE", "#DB",       "NMI",      "#BP", "#OF", "#BR", "#UD",
                                           "#NM", "#DF",       "vector 9", "#TS", "#NP", "#SS", "#GP",
                                           "#PF", "vector 15", "#MF",      "#AC", "#MC", "#XM"};

static const char *trap_name(unsigned vector)
{
    return vector < ARRAY_SIZE(trap_names) ? trap_names[vector] : "an exception";
}

static __hot_entry void inject(unsigned vector, bool has_error_code, uint32_t error_code)
{
    struct vcpu *v = current;
    const struct trap_info *ti = &v->pv->trap_ctxt[vector & 0xff];
    const struct pv_bounce b = {.what = trap_name(vector),
                                .rip = ti->address,
                                .cs = ti->cs,
                                .mask_events = TI_GET_IF(ti),
                                .has_error_code = has_error_code,
                                .error_code = error_code};

    pv_bounce(v, &b);
}

__hot_entry void pv_inject_exception(unsigned vector, uint32_t error_code)
{
    inject(vector, vector < 32 && ((uint32_t)X86_TRAP_HAVE_EC >> vector & 1), error_code);
}

__hot_entry void pv_inject_page_fault(uint32_t error_code, uint64_t cr2)
{
    struct vcpu *v = current;

    v->pv->ctrlreg[2] = cr2;
    v->info->arch.cr2 = cr2;
    /* Both modes run in ring 3; the guest's kernel expects to see which of the two it was. */
    error_code &= ~PFEC_U;
    if (!pv_in_kernel_mode(v)) {
        error_code |= PFEC_U;
    }
    pv_inject_exception(X86_TRAP_PF, error_code);
}

bool pv_softint_allowed(const struct vcpu *v, unsigned vector)
{
    const struct trap_info *ti = &v->pv->trap_ctxt[vector & 0xff];
    unsigned dpl = TI_GET_DPL(ti);

    return ti->address && (pv_in_kernel_mode(v) ? dpl >= 1 : dpl == 3);
}

/* INT n through a gate that the hypervisor does not open to ring 3: error code IDT, vector * 8. APM 2, 8.4.1 */
static bool soft_interrupt(struct cpu_user_regs *regs)
{
    unsigned vector = regs->error_code >> 3 & 0xff;
    struct vcpu *v = current;

    if ((regs->error_code & 3) != 2 || !pv_softint_allowed(v, vector)) {
        return false;
    }
    regs->rip += 2;
    inject(vector, false, 0);
    return true;
}

static void general_protection(struct cpu_user_regs *regs)
{
    if (regs->error_code & 2) {
        if (soft_interrupt(regs)) {
            return;
        }
    } else if (!regs->error_code && pv_emulate_privileged(regs)) {
        return;
    }
    pv_inject_exception(X86_TRAP_GP, regs->error_code);
}

static void debug_exception(uint64_t dr6)
{
    struct vcpu *v = current;

    v->dr[6] = (v->dr[6] & ~0xfUL) | (dr6 & DR6_EVENTS) | DR6_DEFAULT;
    pv_inject_exception(X86_TRAP_DB, 0);
}

/* The guest has set TS by HYPERVISOR_fpu_taskswitch; the call's contract is that TS is clear in the handler (xen.h). */
static void device_not_available(void)
{
    struct vcpu *v = current;

    if (!(v->pv->ctrlreg[0] & CR0_TS)) {
        clts(); /* left over from a switch */
        return;
    }
    pv_set_ts(v, false);
    pv_inject_exception(X86_TRAP_NM, 0);
}

/* Called with interrupts off: CR2 and DR6 are read before anything can change them. */
__hot_entry void pv_trap(struct cpu_user_regs *regs)
{
    unsigned vector = regs->entry_vector & 0xff;
    uint64_t cr2 = 0, dr6 = 0;

    if (vector == X86_TRAP_PF) {
        cr2 = read_cr2();
    } else if (vector == X86_TRAP_DB) {
        INSN("mov %%dr6, %0" : "=r"(dr6));
        INSN("mov %0, %%dr6" ::"r"(DR6_DEFAULT));
    }
    local_irq_enable();
    switch (vector) {
    case X86_TRAP_PF:
        if (!pv_mm_page_fault(regs, cr2)) {
            pv_inject_page_fault(regs->error_code, cr2);
        }
        break;
    case X86_TRAP_GP: general_protection(regs); break;
    case X86_TRAP_NM: device_not_available(); break;
    case X86_TRAP_UD:
        if (!pv_emulate_forced(regs)) {
            pv_inject_exception(X86_TRAP_UD, 0);
        }
        break;
    case X86_TRAP_DB: debug_exception(dr6); break;
    case VECTOR_LEGACY_SYSCALL: inject(VECTOR_LEGACY_SYSCALL, false, 0); break;
    default: pv_inject_exception(vector, regs->error_code); break;
    }
}

/* A fault that the hypervisor took on a guest's address, such as a descriptor table mapped on demand. */
bool pv_page_fault_in_hypervisor(struct cpu_user_regs *regs, uint64_t cr2)
{
    struct vcpu *v = current;

    if (v->is_idle || !is_pv_domain(v->domain) || (regs->error_code & PFEC_RSVD)) {
        return false;
    }
    return pv_mm_page_fault(regs, cr2);
}

/* IRETQ refused the frame that the guest wants to return to; its registers are as they were. Interrupts are off. */
void pv_iret_fault(struct cpu_user_regs *regs, unsigned vector, uint32_t error_code)
{
    struct vcpu *v = current;

    local_irq_enable();
    pv_save_segments(v);
    pv_bounce_failsafe(v);
}
