/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paravirtual domains: their state, and what the files of this folder ask of
 * each other.  The memory side is declared in mm.h.
 *
 * Letters as in domain/domain.h: [v] the vCPU itself while it runs, or anyone
 * while it is paused and off its CPU; [m] pv_domain.lock; [c] set at creation.
 */
#ifndef POLDER_PV_PV_H
#define POLDER_PV_PV_H

#include "../domain/domain.h"
#include "../mm/pgtable.h"

#define PV_MAX_VCPUS 32 /* vcpu_info slots in shared_info */
#define PERDOMAIN_L1S ((PV_MAX_VCPUS * PERDOMAIN_VCPU_PAGES) / PT_ENTRIES)

struct pv_domain {
    spinlock_t lock; /* validation of L2 and higher tables, changes of their entries; lock order: page lock after it */
    pte_t *perdomain_l3; /* [c] hypervisor pages: the tree under PERDOMAIN_SLOT */
    pte_t *perdomain_l2; /* [c] */
    pte_t *perdomain_l1
        [PERDOMAIN_L1S];      /* [m] entry of GDT page p of vCPU i: [i * PERDOMAIN_VCPU_PAGES + p]; NULL until needed */
    unsigned relinquish_vcpu; /* [d] progress of pv_mm_relinquish */
    uint64_t relinquish_left; /* [d] frames it has yet to look at, + 1; 0: not begun */
    uint32_t pci_cf8;         /* [a] Dom0: what it wrote to the PCI address port */
};

struct pv_callback {
    uint64_t rip;
    bool mask_events; /* CALLBACKF_mask_events / TI_GET_IF: evtchn_upcall_mask is set on entry */
};

struct pv_vcpu {
    /* Page tables: frames of the L4 of kernel and user mode, each with a reference and a type count. 0: none. */
    mfn_t guest_table, guest_table_user; /* [v] */
    struct page_info *old_table;         /* [v] a table given up whose undoing was preempted; with a reference */
    uint64_t cr3;                        /* [v] what CR3 holds while it runs: one of the two, or idle_cr3() */
    bool kernel_mode;                    /* [v] which of the two; the guest's kernel runs in ring 3 too */
    bool in_syscall;                     /* [v] VGCF_in_syscall of the frame being returned to */

    /* Descriptor tables. Frames are of PGT_seg_desc_page type, mapped in the per-domain area. */
    uint64_t gdt_frames[16]; /* [v] 0: not set */
    unsigned gdt_ents;       /* [v] */
    uint64_t ldt_base;       /* [v] guest linear address */
    unsigned ldt_ents;       /* [v] 0: none */
    spinlock_t ldt_lock;     /* guards ldt_mapped and the entries of the LDT's area */
    unsigned ldt_mapped;     /* pages of it mapped so far */

    /* Virtual CPU state. */
    uint64_t kernel_ss, kernel_sp;                  /* [v] stack for the switch from user to kernel mode */
    uint64_t ctrlreg[8];                            /* [v] as the guest sees them; [3] is not used: guest_table */
    uint64_t fs_base, gs_base_kernel, gs_base_user; /* [v] while it does not run, or is in the other mode */
    uint16_t ds, es, fs, gs;                        /* [v] selectors saved while it does not run */
    uint32_t tsc_aux;                               /* [v] what RDTSCP and RDPID give; in the CPU while it runs */
    unsigned iopl;                                  /* [v] virtual, 0 to 3, by PHYSDEVOP_set_iopl */
    uint64_t iobmp;                                 /* [v] guest linear address of the port bitmap (0 bit: allowed) */
    unsigned iobmp_limit;                           /* [v] ports it covers */
    uint64_t efer;                                  /* [v] guest's view */

    struct pv_callback event_cb, failsafe_cb, syscall_cb, syscall32_cb, sysenter_cb; /* [v] */
    bool syscall32_disables_events, sysenter_disables_events;
    uint64_t nmi_callback; /* [v] by NMI callback registration; 0: none */
    bool nmi_masked;       /* [v] the guest's NMI handler runs: until HYPERVISOR_iret */
    bool failsafe_pending; /* [v] a selector could not be loaded: failsafe callback on the way out */

    bool need_update_runstate_area;
    bool in_exception;    /* [v] guards against recursion while a bounce frame is written */
    uint8_t bounce_flags; /* [v] traps.c's: which frame to build on the way out */
    uint32_t bounce_error;
    uint64_t bounce_rip;
    uint16_t bounce_cs;

    struct trap_info trap_ctxt[256]; /* [v] last, so that exceptions' are on the page of all the rest */
};

/* True if current's guest runs (ran, when it trapped) in its kernel: decides which page tables are loaded. */
static inline bool pv_in_kernel_mode(const struct vcpu *v) { return v->pv->kernel_mode; }

/* -- traps.c: reflecting events into the guest -------------------------------------------------------------- */
/* Injects an exception into current: error_code is used where the vector has one. */
void pv_inject_exception(unsigned vector, uint32_t error_code);
void pv_inject_page_fault(uint32_t error_code, uint64_t cr2); /* sets arch.cr2 of vcpu_info */

#endif
