/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HYPERVISOR_iret: how a PV guest's kernel returns to user mode, or from an NMI (arch-x86/xen-x86_64.h). */
#include "../cpu/regs.h"
#include "../domain/hypercall.h"
#include "guest.h"

static __hot_entry long do_iret(uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct vcpu *v = current;
    struct cpu_user_regs *regs = &v->regs;
    struct iret_context frame;

    if (copy_from_guest(&frame, regs->rsp)) {
        domain_crash(v->domain, "vCPU %u: iret frame at %#lx is not readable", v->id, (unsigned long)regs->rsp);
        return 0;
    }
    if ((frame.cs & 3) == 3) {
        if (!v->pv->guest_table_user.v) {
            domain_crash(v->domain, "vCPU %u: iret to user mode without user page tables", v->id);
            return 0;
        }
        pv_switch_mode(v);
    }
    regs->rip = frame.rip;
    regs->cs = (uint16_t)frame.cs | 3; /* rings 0 to 2 are the guest's kernel, which runs in ring 3 */
    regs->rflags = pv_guest_rflags(frame.rflags);
    regs->rsp = frame.rsp;
    regs->ss = (uint16_t)frame.ss | 3;
    if (frame.flags & VGCF_in_syscall) {
        regs->r11 = frame.rflags; /* as SYSRET leaves them */
        regs->rcx = frame.rip;
    } else {
        regs->r11 = frame.r11;
        regs->rcx = frame.rcx;
        regs->entry_vector = 0; /* SYSRET would destroy both */
    }
    WRITE_ONCE(v->info->evtchn_upcall_mask, !(frame.rflags & EFLAGS_IF));
    v->pv->nmi_masked = false;
    return (long)frame.rax;
}

void pv_register_iret(void) { hypercall_register_pv(__HYPERVISOR_iret, do_iret); }
