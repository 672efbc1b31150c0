/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Domains and vCPUs: what every guest type shares.  What one type alone needs
 * hangs from ->pv or ->hvm, and is reached from here through ->ops only.
 *
 * Letters say what guards a field: [d] d->lock, [p] d->page_lock, [e] evtchn lock, [s] the scheduler's
 * lock of v's CPU, [a] atomic operations, [c] set at creation, [v] the vCPU itself while it runs, or anyone while it
 * is paused and off its CPU.
 */
#ifndef POLDER_DOMAIN_DOMAIN_H
#define POLDER_DOMAIN_DOMAIN_H

#include "../lib/abi.h"
#include "../lib/cpumask.h"
#include "../lib/errno.h"
#include "../lib/list.h"
#include "../lib/printk.h"
#include "../lib/spinlock.h"
#include "../mm/page.h"
#include "../sched/timer.h"
#include <xen/domctl.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

#define MAX_VCPUS 128 /* per domain; PV and, with 2-level event channels, what shared_info can hold is 32 */

struct domain;
struct vcpu;
struct evtchn;
struct evtchn_port_ops;
struct grant_table;
struct pv_domain;
struct pv_vcpu;
struct hvm_domain;
struct hvm_vcpu;
struct sched_unit;
struct pirq_table;
struct cpu_policy;
struct xsave_area;
struct vcpu_hvm_context;

/* pause_flags bits: while any is set the vCPU does not run. */
#define VPF_blocked 0        /* waits for an event */
#define VPF_down 1           /* VCPUOP_down, or not yet started */
#define VPF_blocked_in_xen 2 /* waits for an ioreq server's answer */
#define VPF_migrating 3
#define VPF_crashed 4

/* A flat memory range that a domain may touch though it is not its RAM (MMIO frames, I/O ports, IRQs). */
struct rangeset;

/* What differs between PV and HVM (and PVH) guests. Members may sleep or be preempted only where said. */
struct guest_ops {
    const char *name;
    /* Creation and end. relinquish is preemptible (-ERESTART) and gives back all frames that are mapped or typed. */
    int (*domain_init)(struct domain *d, const struct xen_domctl_createdomain *cfg);
    int (*domain_relinquish)(struct domain *d);
    void (*domain_free)(struct domain *d);
    int (*vcpu_init)(struct vcpu *v);
    void (*vcpu_free)(struct vcpu *v);

    /* Scheduling. switch_from saves what the CPU holds of v; switch_to loads it; resume (never returns) enters the guest. */
    void (*switch_from)(struct vcpu *v);
    void (*switch_to)(struct vcpu *v);
    void (*resume)(void);

    /* VCPUOP_initialise and domctl get/setvcpucontext. The context is a copy in hypervisor memory. */
    int (*set_context)(struct vcpu *v, const struct vcpu_guest_context *ctx);
    int (*get_context)(struct vcpu *v, struct vcpu_guest_context *ctx);
    /* VCPUOP_initialise of an HVM vCPU, whose argument is this (public header hvm/hvm_vcpu.h). NULL: set_context. */
    int (*set_hvm_context)(struct vcpu *v, const struct vcpu_hvm_context *ctx);
    /* vCPU state as after INIT / at VCPUOP_up of a never-initialised vCPU; -ENOSYS where the type has none. */
    int (*vcpu_reset)(struct vcpu *v);

    /* Memory of the current vCPU's address space, at guest linear addresses: 0 or -EFAULT. */
    int (*copy_from)(void *dst, uint64_t gva, size_t n);
    int (*copy_to)(uint64_t gva, const void *src, size_t n);

    /*
     * Guest frame -> page with a reference (and with PGT_writable_page type if write; drop with page_put_and_type).
     * NULL with *err = -EINVAL / -ENOENT, or -ERESTART-like -EAGAIN. mfn_out may be NULL.
     */
    struct page_info *(*get_page)(struct domain *d, gfn_t gfn, bool write, int *err);
    /* Any frame incl. MMIO: what does gfn map to? INVALID_MFN if nothing. No reference is taken. */
    mfn_t (*gfn_to_mfn)(struct domain *d, gfn_t gfn);
    /* Physical-map changes (HVM; PV guests: M2P only). Frames must belong to d and be referenced by the caller. */
    int (*physmap_add)(struct domain *d, gfn_t gfn, mfn_t mfn, unsigned order);
    int (*physmap_remove)(struct domain *d, gfn_t gfn, mfn_t mfn, unsigned order);
    /* Foreign page of another domain (XENMAPSPACE_gmfn_foreign); the page reference passes to the p2m. NULL: PV. */
    int (*physmap_add_foreign)(struct domain *d, gfn_t gfn, mfn_t mfn);
    /* MMIO of the machine (domctl memory_mapping). */
    int (*map_mmio)(struct domain *d, gfn_t gfn, mfn_t mfn, uint64_t n, bool add);

    /*
     * Grant mappings. host_addr: PV: linear address of the mapping or machine address of a PTE; HVM: gpa. map: the caller's
     * page reference (and PGT_writable_page, unless GNTMAP_readonly) belongs to the mapping from then on. PV: a guest that
     * overwrites the PTE by other means drops it like any other; HVM: only grant_unmap gives it up. unmap: -EINVAL where
     * host_addr does not map mfn, else the reference is the caller's again, who flushes a PV domain's TLBs before he drops
     * it (HVM: flushed on return).
     */
    int (*grant_map)(struct domain *d, uint64_t host_addr, mfn_t mfn, unsigned gnttab_flags, unsigned cache_flags);
    int (*grant_unmap)(struct domain *d, uint64_t host_addr, mfn_t mfn, unsigned gnttab_flags, uint64_t new_addr);

    /* An event became pending for v: beyond vcpu_kick, what must happen for it to notice (HVM: raise the callback). */
    void (*event_pending)(struct vcpu *v);
    bool (*event_deliverable)(struct vcpu *v); /* v is interruptible by an upcall now (for vcpu_block) */
    void (*nmi_pending)(struct vcpu *v);
    /* The guest's TSC at a TSC value of this CPU. NULL: the same. */
    uint64_t (*guest_tsc)(struct vcpu *v, uint64_t host_tsc);
    /* The CPU policy or the TSC's rate of v's domain was set; v does not run. NULL: nothing depends on them. */
    void (*settings_changed)(struct vcpu *v);
    /* Fills the page of hypercall stubs (domctl hypercall_init). NULL: the type's own domctl does it. */
    void (*hypercall_page)(struct domain *d, void *page);
    void (*dump)(struct vcpu *v);
    void (*show_vcpu)(struct vcpu *v); /* what interrupts it, for debug key 'q'; NULL: nothing to add */
    /* Someone else (a grant, a foreign mapping) wrote to a frame of d: for log-dirty. NULL: not tracked. */
    void (*mark_dirty)(struct domain *d, mfn_t mfn);
    uint64_t (*cr4)(const struct vcpu *v);  /* as the guest sees it (for CPUID's OSXSAVE); NULL: 0 */
    uint64_t (*max_gpfn)(struct domain *d); /* highest guest frame number in use; NULL: what shared_info says */
};
extern const struct guest_ops pv_guest_ops, hvm_guest_ops, idle_guest_ops;

struct vcpu {
    uint64_t align_pad; /* puts regs at 8 modulo 16, so that the end of the hardware's frame is 16-byte aligned */
    struct cpu_user_regs regs; /* [v] at VCPU_REGS (mm/layout.h): TSS.rsp0 of a PV vCPU is &regs.es */
    uint64_t host_stack_top;   /* [v] struct cpu_info of the CPU it runs on; read by the entry code */
    uint64_t entry_scratch;    /* pads to 16 bytes; for the entry code */

    unsigned id;                 /* [c] */
    unsigned processor;          /* [s] where it runs, ran last, or waits */
    struct domain *domain;       /* [c] */
    const struct guest_ops *ops; /* [c] == domain->ops */
    struct sched_unit *sched;    /* the scheduler's part */

    unsigned long pause_flags;                /* [a] VPF_* */
    int32_t pause_count;                      /* [a] vcpu_pause() nesting */
    bool is_running;                          /* [s] on a CPU, or its state is still there */
    bool is_initialised;                      /* [d] has a context */
    bool is_idle;                             /* [c] */
    bool fpu_dirty;                           /* [v] its extended state is (partly) in the CPU's registers */
    bool defer_shutdown, paused_for_shutdown; /* shutdown_lock */
    bool upcall_hint;                         /* [a] an event was set pending since it was last looked at */

    struct vcpu_info *info;             /* [d] in shared_info, or where it registered; never NULL while initialised */
    struct page_info *info_page;        /* registered: holds a reference and a type, mapped by the direct map */
    uint64_t runstate_gva;              /* [v] registered area, 0: none */
    bool runstate_due;                  /* [v] it could not be written: a PV guest in user mode has it unmapped */
    uint64_t time_info_gva;             /* [v] registered secondary time area, 0: none */
    struct vcpu_runstate_info runstate; /* [s] */

    struct timer periodic_timer, singleshot_timer, poll_timer;
    time_ns_t periodic_period, periodic_last; /* 0: off; when it fired last, or was to */
    uint32_t time_epoch;         /* [v] state of the time sources that its time info was written for; 0: due */
    uint32_t pirq_first;         /* [e] first of the ports of pirqs that notify it, 0: none */
    int poll_evtchn;             /* [a] -1: any of the polled, 0: not polling, >0: this port */
    uint32_t virq_to_evtchn[24]; /* [e] NR_VIRQS */

    bool nmi_is_pending, mce_is_pending; /* [a] */
    struct xsave_area *fpu;              /* [v] */
    uint64_t xcr0, xcr0_accum;           /* [v] */
    uint64_t dr[8];                      /* [v] debug registers; dr[7] == 0: none active */
    cpumask_t dirty_cpus;                /* CPUs whose TLB may hold entries of it */

    /* A hypercall in progress (domain/hypercall.c). */
    struct {
        bool restart; /* it asked to be continued, with what follows */
        bool in_multicall;
        bool compat; /* by 32-bit HVM code */
        uint8_t cont_nargs;
        uint32_t cont_nr;
        uint64_t cont_arg[5];
    } hc;

    union {
        struct pv_vcpu *pv;
        struct hvm_vcpu *hvm;
    };
    struct list_head tasklet_list;
};
_Static_assert(offsetof(struct vcpu, regs) == VCPU_REGS, "entry code");
_Static_assert(offsetof(struct vcpu, regs.es) % 16 == 0, "the CPU aligns RSP0 down to 16");

enum domain_dying { DOMDYING_alive, DOMDYING_dying, DOMDYING_dead };

struct domain {
    domid_t id;                  /* [c] */
    uint8_t type_flags;          /* unused padding, keeps the ids apart in a dump */
    bool is_privileged;          /* [c] Dom0: may control others */
    bool is_hardware;            /* [c] Dom0: owns the machine's devices */
    bool is_hvm;                 /* [c] HVM or PVH; PV otherwise */
    const struct guest_ops *ops; /* [c] */
    int32_t refcount;            /* [a] domain_get / domain_put; the memory goes when it reaches 0 */
    struct list_head link;       /* in the domain list, by rising id; domlist_lock */

    spinlock_t lock;          /* LOCK_DOMAIN */
    spinlock_t shutdown_lock; /* is_shutting_down and what goes with it; unordered: taken on crashes anywhere */
    spinlock_t page_lock;     /* LOCK_PAGE: page_list and accounting */

    uint8_t handle[16];    /* UUID */
    uint32_t create_flags; /* XEN_DOMCTL_CDF_* */
    uint32_t ssidref;
    uint32_t vm_assist; /* [a] VMASST_TYPE_* bits */
    uint64_t options;   /* other creation arguments */

    unsigned max_vcpus; /* [c] length of vcpu[] */
    struct vcpu **vcpu; /* [d] NULL entries: not created */

    struct shared_info *shared_info; /* [c] a hypervisor page shared with the domain */
    bool shinfo_32bit;               /* [d] shared_info and vcpu_info have the layout of 32-bit guests */
    int64_t wc_sec_offset;           /* seconds that its wall clock differs from the machine's */
    uint32_t emulation_flags;        /* [c] XEN_X86_EMU_* */
    uint32_t misc_flags;             /* [c] XEN_X86_MSR_RELAXED */
    struct timer watchdog[2];        /* [d] SCHEDOP_watchdog */
    uint32_t watchdog_inuse;         /* [d] bits */
    int32_t pollers;                 /* [a] vCPUs in SCHEDOP_poll */

    struct page_list page_list;    /* [p] */
    struct page_list extra_list;   /* [p] PGC_extra */
    uint64_t tot_pages, max_pages; /* [p] */
    uint64_t outstanding_pages;    /* [p] claimed, not yet allocated */
    uint64_t shr_pages;

    enum domain_dying dying;             /* [d] */
    bool is_shutting_down, is_shut_down; /* shutdown_lock */
    int shutdown_code;                   /* shutdown_lock; SHUTDOWN_*, -1: none */
    bool creation_finished;              /* [d] first unpause */
    bool controller_paused;
    int32_t pause_count;            /* [a] */
    int32_t controller_pause_count; /* [d] by domctl */
    unsigned relinquish_step;       /* progress of domain_relinquish_resources */

    /* Event channels (evtchn.c). */
    struct {
        spinlock_t lock; /* LOCK_EVTCHN */
        struct evtchn **bucket;
        struct evtchn *spare;     /* the next bucket, allocated ahead */
        unsigned max_port, valid; /* ports allocated are below valid */
        uint32_t first_free;      /* all below it are in use; 0: not known */
        const struct evtchn_port_ops *ops;
        struct evtchn_fifo *fifo;
    } evtchn;
    struct grant_table *grant;
    struct pirq_table *pirqs; /* pirq.c */

    /* What of the machine it may touch (rangeset.h). */
    struct rangeset *iomem_caps, *ioport_caps, *irq_caps;

    struct guest_e820 *e820;   /* [p] its memory map (memory.h); NULL: none was set */
    struct cpu_policy *policy; /* what CPUID and MSRs show (vmm/cpu/policy.h) */
    struct {
        uint32_t mode; /* XEN_CPUID tsc modes: 0 default, 1 emulate, 2 native */
        uint64_t khz;
        uint64_t ratio;    /* the guest's ticks for one of the machine's, 32.32; 0: the same (HVM only) */
        int64_t offset_ns; /* guest time = system time - offset at the start of its life */
        uint32_t incarnation;
    } tsc;
    struct domain *target;            /* a stub domain's ward */
    uint16_t sched_weight, sched_cap; /* scheduler's */
    int64_t sched_tokens;             /* nanoseconds it may still run; with a cap only (sched.c: cap_lock) */
    time_ns_t sched_tokens_time;      /* when they were topped up */
    uint32_t handled_irqs;

    union {
        struct pv_domain *pv;
        struct hvm_domain *hvm;
    };
};

extern struct domain *dom0;        /* the hardware domain */
extern struct domain *idle_domain; /* id DOMID_IDLE; one vCPU per CPU */
extern struct domain *dom_xen;     /* DOMID_XEN: owner of hypervisor pages shared with Dom0 */
extern struct domain *dom_io;      /* DOMID_IO: owner of MMIO frames */
extern struct list_head domain_list;
extern spinlock_t domlist_lock;

static inline bool is_pv_domain(const struct domain *d) { return !d->is_hvm; }
#define for_each_vcpu(d, v)                                                                                            \
    for (unsigned _i = 0; _i < (d)->max_vcpus; _i++)                                                                   \
        if (((v) = (d)->vcpu[_i]) != NULL)

/* -- domain.c ------------------------------------------------------------------------------------------------- */
int domains_init(void);      /* the idle domain, DOMID_XEN and DOMID_IO; may follow or precede sched_init() */
void idle_domain_init(void); /* by either of them */
/* id DOMID_INVALID: choose. ERR: *out is NULL and the errno is returned. The domain is paused by its controller. */
int domain_create(domid_t id, const struct xen_domctl_createdomain *cfg, bool privileged,
                  struct domain **out) __must_check;
int vcpu_create(struct domain *d, unsigned id, struct vcpu **out) __must_check;
/* A counted reference; NULL: no such domain. DOMID_SELF is understood. Works for dying ones too. */
struct domain *domain_get_by_id(domid_t id);
/* The domain with the lowest id not below 'id', with a reference; NULL: none. For loops over all domains. */
struct domain *domain_get_next(domid_t id);
bool domain_get(struct domain *d); /* false: already being freed */
void domain_put(struct domain *d);
int domain_kill(struct domain *d) __must_check;          /* preemptible */
void domain_shutdown(struct domain *d, unsigned reason); /* SHUTDOWN_* */
void domain_resume(struct domain *d);
/* The guest did what it must not: log, and shut it down with SHUTDOWN_crash. */
void domain_crash(struct domain *d, const char *fmt, ...) __printf(2, 3);
void domain_pause(struct domain *d); /* waits until none of its vCPUs runs; not for current's own */
void domain_pause_nosync(struct domain *d);
void domain_unpause(struct domain *d);
int domain_pause_by_controller(struct domain *d) __must_check;
int domain_unpause_by_controller(struct domain *d) __must_check;
void vcpu_pause(struct vcpu *v);
void vcpu_pause_nosync(struct vcpu *v);
void vcpu_unpause(struct vcpu *v);
/* Switches this CPU from prev to next, which then runs: called by the scheduler, interrupts off. */
void context_switch(struct vcpu *prev, struct vcpu *next) __noreturn;
/* For the switch_to of who has no page tables of its own: the CPU may still be on those of the PV vCPU that it left. */
void context_leave_pv_tables(void);
/* Makes sure that v's registers (FPU, segments) are in memory: v must be paused or current. */
void vcpu_sync_state(struct vcpu *v);
/* Between them a shutdown of the domain waits for v: it has an I/O request under way. False: it is shutting down already. */
bool vcpu_start_shutdown_deferral(struct vcpu *v);
void vcpu_end_shutdown_deferral(struct vcpu *v);
/* VCPUOP_initialise and domctl setvcpucontext, for a paused or never started v: ops->set_context and VPF_down. */
int vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *ctx) __must_check;
/* HVM: notes whether the caller is 32-bit code, which decides the layout of shared_info from now on. */
void domain_latch_shinfo_size(struct domain *d);
/* True if HVM guests can run (a backend has started); NULL: none. Set by vmm/hvm. */
extern bool (*hvm_caps)(void);
static inline bool hvm_guests_possible(void) { return hvm_caps && hvm_caps(); }
/* Fills what domctl getdomaininfo and sysctl getdomaininfolist give. */
void domain_info_get(struct domain *d, struct xen_domctl_getdomaininfo *info);
int vcpu_register_info(struct vcpu *v, gfn_t gfn, unsigned offset) __must_check;
/* Privilege: may current's domain do a control operation on d? 0 or -EPERM. */
int control_allowed(const struct domain *d) __must_check;
/* A domain that such an operation names, with a reference: current's own, its ward's, or any. -ESRCH, -EPERM: none. */
static inline __must_check int domain_get_controlled(domid_t id, struct domain **d)
{
    int rc;

    *d = domain_get_by_id(id);
    if (!*d)
        return -ESRCH;
    rc = control_allowed(*d);
    if (rc)
        domain_put(*d);
    return rc;
}

/* -- time.c: the time that guests see ---------------------------------------------------------------------------- */
extern uint32_t guest_time_epoch;
void vcpu_time_write(struct vcpu *v); /* writes vcpu_time_info, current only */
/* The same where it is due: called on entry to a guest. */
static inline void vcpu_time_update(struct vcpu *v)
{
    if (unlikely(v->time_epoch != READ_ONCE(guest_time_epoch)))
        vcpu_time_write(v);
}
void domain_wallclock_update(struct domain *d); /* writes the wall clock into shared_info */
void vcpu_runstate_publish(struct vcpu *v);     /* copies runstate to its registered area (current only) */
void wallclock_update_all(void);                /* after the machine's wall clock was set */
int domain_set_tsc_info(struct domain *d, uint32_t mode, uint64_t elapsed_ns, uint32_t khz,
                        uint32_t incarnation) __must_check;
/* The ticks of d's TSC for so many of the machine's; and how long d's ticks take. */
uint64_t domain_tsc_ticks(const struct domain *d, uint64_t host_ticks);
uint64_t domain_tsc_to_ns(const struct domain *d, uint64_t ticks);
void domain_settings_changed(struct domain *d); /* d is paused, or has not run */
void domain_get_tsc_info(struct domain *d, uint32_t *mode, uint64_t *elapsed_ns, uint32_t *khz, uint32_t *incarnation);
void vcpu_timers_init(struct vcpu *v); /* periodic, single-shot and poll timers */
void vcpu_timers_kill(struct vcpu *v);
void vcpu_timers_move(struct vcpu *v); /* v runs on another CPU now */

#endif
