/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HVM domains: state that the core keeps, and its parts' interfaces.  exit.c
 * handles exits, intr.c chooses what to inject, io.c finds who answers an
 * access, p2m.c is the physical map.
 */
#ifndef POLDER_HVM_HVM_H
#define POLDER_HVM_HVM_H

#include "backend.h"
#include <xen/hvm/dm_op.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/ioreq.h>
#include <xen/hvm/params.h>
#include <xen/hvm/save.h>

struct p2m;
struct vlapic;
struct vioapic;
struct vpic;
struct vpit;
struct vrtc;
struct vhpet;
struct vpmtimer;
struct hvm_irq;
struct vtick;
struct ioreq_server;

/* A fault is queued by the function that finds it, with hvm_inject_exception(). */
enum hvm_result {
    HVM_OKAY,
    HVM_FAULT /* queued in v->hvm->pending */,
    HVM_RETRY /* waits for a device model */,
    HVM_UNHANDLEABLE
};

#define MAX_IOREQ_SERVERS 8

/*
 * An access that goes out to an ioreq server, or is being answered: one for each vCPU.  An instruction with several
 * accesses is executed again from its start after each answer; those it did already are answered from done[].
 */
enum io_state { IO_NONE, IO_PENDING, IO_DONE };
enum io_completion { COMPLETE_NOTHING, COMPLETE_PIO, COMPLETE_EMULATION };
struct hvm_access {
    uint64_t addr, data;
    uint8_t bytes;
    bool write, pio;
};
#define HVM_ACCESSES_MAX 16
struct hvm_io {
    enum io_state state;
    ioreq_t req; /* the last one that was sent; its answer in req.data when IO_DONE */
    struct ioreq_server *server;
    enum io_completion completion; /* what to do when the answer is there */
    uint8_t insn_len;              /* COMPLETE_PIO */
    uint8_t nr_bytes, bytes[15];   /* COMPLETE_EMULATION: the instruction */
    uint8_t nr_done, next; /* accesses of this instruction (this iteration, if repeated) so far; the next to replay */
    uint64_t done_rcx;
    struct hvm_access done[HVM_ACCESSES_MAX];
};

enum hvm_intsrc { INTSRC_NONE, INTSRC_PIC, INTSRC_LAPIC, INTSRC_VECTOR /* event channel upcall */, INTSRC_NMI };
struct hvm_intack {
    enum hvm_intsrc source;
    uint8_t vector;
};

struct hvm_vcpu {
    void *backend;  /* [v] struct svm_vcpu or vmx_vcpu */
    uint64_t cr[9]; /* [v] 0, 2, 3, 4 as the guest sees them (8 is in the vlapic) */
    uint64_t efer;  /* [v] */
    struct vlapic *vlapic;
    struct hvm_io io;          /* [v] */
    struct hvm_event pending;  /* [v] to be injected at the next entry: a fault, or one to deliver again */
    struct hvm_intack offered; /* [v] given to the hardware as a virtual interrupt */
    bool offered_acked;        /* [v] and acknowledged at its source already */
    bool flag_dr_dirty;        /* [v] the guest's debug registers are loaded */
    uint8_t upcall_vector;     /* [a] HVMOP_set_evtchn_upcall_vector; 0: none */
    spinlock_t init_lock;      /* the next two */
    bool init_pending;         /* INIT came: v itself acts on it before it enters the guest */
    int sipi_vector;           /* start-up IPI that came after it; -1: none */
    uint64_t tsc_offset;       /* [v] guest TSC = host TSC + offset */
    uint64_t tsc_adjust;
    uint64_t spec_ctrl;
    uint64_t mcg_status;
    struct { /* [v] MTRRs and PAT */
        uint64_t pat, def_type, fixed[11], var[16];
        uint8_t nr_var;
    } mtrr;
    struct { /* [v] machine check: what save records hold */
        uint64_t caps, ctl2[2], ext_ctl;
    } vmce;
    uint64_t exits[NR_VMEXITS]; /* counters */
};

#define DEBUG_LINE 96
#define HVM_PIO_HANDLERS 24
#define HVM_MMIO_HANDLERS 6
struct hvm_pio_range {
    uint16_t port, len;
    enum hvm_result (*fn)(struct vcpu *v, bool write, uint16_t port, unsigned bytes, uint32_t *value);
};

struct hvm_domain {
    void *backend;
    struct p2m *p2m;
    uint64_t params[HVM_NR_PARAMS]; /* [d] */
    bool is_pvh;                    /* [c] no emulated devices but the LAPIC (emulation_flags) */
    uint32_t emulation_flags;       /* [c] XEN_X86_EMU_* */
    uint64_t tsc_base;              /* [d] host TSC when the guest's was 0 */
    uint64_t sync_tsc; /* [d] host TSC that saving and loading contexts count from, the same for all vCPUs */

    void *apic_access_page; /* [c] where the hardware does APIC accesses */
    struct vioapic *vioapic;
    struct vpic *vpic; /* [2] */
    struct vpit *vpit;
    struct vrtc *vrtc;
    struct vhpet *vhpet;
    struct vpmtimer *pmtimer;
    struct hvm_irq *irq; /* INTx links, GSI assertion counts, callback via */

    struct hvm_pio_range pio[HVM_PIO_HANDLERS];     /* [c] */
    const struct mmio_ops *mmio[HVM_MMIO_HANDLERS]; /* [c] */
    unsigned nr_pio, nr_mmio;

    spinlock_t ioreq_lock; /* the table and each server's pages; taken before the p2m's lock */
    struct ioreq_server *ioreq_server[MAX_IOREQ_SERVERS];
    uint64_t ioreq_gfn_base, ioreq_gfn_mask; /* [ioreq_lock] guest frames for servers' pages: bit set: free */
    uint32_t ioreq_gfn_legacy;               /* [ioreq_lock] bits: IOREQ_PFN, BUFIOREQ_PFN free */
    uint32_t pci_cf8;                        /* [a] last value written to port 0xcf8 */

    struct {
        uint64_t first, nr;
    } vram; /* [p2m] range of dm_op track_dirty_vram; nr 0: none */
    struct logdirty_scan {
        uint64_t next;        /* the first frame that was not looked at; 0: no scan is under way */
        uint32_t dirty_count; /* of those before */
        domid_t by;
        bool clear;
    } scan;               /* [domctl] a shadow_op that was preempted */
    bool is_s3_suspended; /* [d] */
    uint8_t x87_fip_width;
    bool devices_up;             /* [c] */
    struct vtick *ticks;         /* [c] all of the devices' timers */
    bool mapcache_invalidate;    /* [a] frames left the map: device models are told at the end of the hypercall */
    spinlock_t debug_lock;       /* the next two */
    char debug_line[DEBUG_LINE]; /* port 0xe9: text without its end so far */
    unsigned debug_len;
};

/* -- start, and life of domains (hvm.c) --------------------------------------------------------------------------- */
void hvm_init(void); /* chooses a backend, enables it on all CPUs, registers ops and hypercalls */
bool hvm_available(void);
static inline struct hvm_domain *hvm_dom(const struct domain *d) { return d->hvm; }
static inline void *hvm_backend_data(struct vcpu *v) { return v->hvm->backend; }

/* Architectural helpers (cr.c, msr.c, xcr.c). */
enum hvm_result hvm_set_cr(struct vcpu *v, unsigned cr, uint64_t value); /* checks of MOV CRn; CR8 to the vlapic */
uint64_t hvm_get_cr(struct vcpu *v, unsigned cr);
enum hvm_result hvm_set_efer(struct vcpu *v, uint64_t value);
enum hvm_result hvm_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value);
enum hvm_result hvm_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value);
enum hvm_result hvm_set_xcr0(struct vcpu *v, uint32_t index, uint64_t value);
enum hvm_result hvm_task_switch(struct vcpu *v, uint16_t sel, enum task_source source, bool has_error,
                                uint32_t error_code);
int hvm_mode_bytes(struct vcpu *v); /* 2, 4 or 8: code size now; 0 real, 1 vm86: see emulate.c */
unsigned hvm_cpl(struct vcpu *v);
bool hvm_long_mode_active(const struct vcpu *v);
bool hvm_paging_enabled(const struct vcpu *v);

/* -- exits and entry (exit.c, intr.c) ---------------------------------------------------------------------------- */
void hvm_handle_exit(struct vcpu *v, struct vm_exit *exit);
/* Debug keys: show.c */
void hvm_show_exits(char key);
void hvm_show_vcpu(struct vcpu *v);
void hvm_resume(void); /* guest_ops.resume: the run loop; never returns */
void hvm_inject_exception(struct vcpu *v, unsigned vector, int error_code /* -1: none */, uint64_t cr2);
/* A CPU can deliver such an event: Intel SDM 3C, 26.2.1.3; APM 2, 15.20. */
bool hvm_event_possible(const struct hvm_event *e, bool protected_mode);
void hvm_inject_event(struct vcpu *v, const struct hvm_event *e);
void hvm_intr_assist(struct vcpu *v); /* before each entry, interrupts off: what to inject, which windows to open */
void hvm_advance_rip(struct vcpu *v, unsigned len); /* also ends an interrupt shadow and honours TF */
void hvm_triple_fault(struct vcpu *v);

/* Emulation of the instruction at RIP (emulate.c, over vmm/emul). */
enum hvm_result hvm_emulate_one(struct vcpu *v, const struct vm_exit *exit);
uint64_t hvm_linear_rip(struct vcpu *v); /* where that instruction is fetched */
/* Length of the instruction at RIP, for CPUs that do not say; 0: could not be fetched (a fault is queued). */
unsigned hvm_insn_length(struct vcpu *v, const struct vm_exit *exit);

/* -- linear and physical memory of a guest (guest_walk.c, guest_copy.c) ------------------------------------------ */
/* Walks the guest's page tables. pfec: PFEC_* wanted on entry, the fault's on -EFAULT. */
int hvm_gva_to_gpa(struct vcpu *v, uint64_t gva, uint32_t *pfec, gpa_t *gpa) __must_check;
int hvm_copy_from_gpa(struct domain *d, void *dst, gpa_t gpa, size_t n) __must_check; /* RAM only; -EFAULT */
int hvm_copy_to_gpa(struct domain *d, gpa_t gpa, const void *src, size_t n) __must_check;
/* At the current privilege, or (PFEC_* without U) as supervisor; on -EFAULT *pfec and *fault_gva tell. */
int hvm_copy_from_gva(struct vcpu *v, void *dst, uint64_t gva, size_t n, uint32_t *pfec,
                      uint64_t *fault_gva) __must_check;
int hvm_copy_to_gva(struct vcpu *v, uint64_t gva, const void *src, size_t n, uint32_t *pfec,
                    uint64_t *fault_gva) __must_check;

/* -- who answers an access (io.c, ioreq.c) ------------------------------------------------------------------------- */
/* Devices in the hypervisor register here at domain creation. Handlers return HVM_OKAY, or HVM_UNHANDLEABLE to pass it on.
 * bytes: 1, 2, 4 (MMIO: also 8). */
typedef enum hvm_result (*pio_handler_t)(struct vcpu *v, bool write, uint16_t port, unsigned bytes, uint32_t *value);
int hvm_register_pio(struct domain *d, uint16_t port, unsigned len, pio_handler_t fn) __must_check;
/* Its ports move; with the domain paused, or before it runs. */
void hvm_unregister_pio(struct domain *d, uint16_t port, pio_handler_t fn);
struct mmio_ops {
    bool (*claims)(struct vcpu *v, gpa_t gpa);
    enum hvm_result (*read)(struct vcpu *v, gpa_t gpa, unsigned bytes, uint64_t *value);
    enum hvm_result (*write)(struct vcpu *v, gpa_t gpa, unsigned bytes, uint64_t value);
};
int hvm_register_mmio(struct domain *d, const struct mmio_ops *ops) __must_check;
/* One access of at most 8 bytes; HVM_RETRY: sent to a device model, v waits. */
enum hvm_result hvm_do_pio(struct vcpu *v, bool write, uint16_t port, unsigned bytes, uint32_t *value);
enum hvm_result hvm_do_mmio(struct vcpu *v, bool write, gpa_t gpa, unsigned bytes, uint64_t *value);
/* With an ioreq pending: true when its answer has come (or there was none) and v may go on. */
bool hvm_io_ready(struct vcpu *v);
void ioreq_send_buffered(struct domain *d, const ioreq_t *req);
void ioreq_broadcast_invalidate(struct domain *d); /* IOREQ_TYPE_INVALIDATE */

/* -- interrupts inside the guest's platform (owner: devices) ------------------------------------------------------- */
/* The highest that could be delivered now if the guest allows it (TPR and PPR respected; IF not looked at). */
struct hvm_intack hvm_pending_irq(struct vcpu *v);
/* It was taken by the guest: acknowledge at its source. For the PIC this gives the vector. false: it went away. */
bool hvm_ack_irq(struct vcpu *v, struct hvm_intack *intack);
void hvm_gsi_assert(struct domain *d, unsigned gsi);
void hvm_gsi_deassert(struct domain *d, unsigned gsi);
void hvm_isa_irq_assert(struct domain *d, unsigned isa_irq);
void hvm_isa_irq_deassert(struct domain *d, unsigned isa_irq);
int hvm_pci_intx_set(struct domain *d, unsigned device, unsigned intx, bool level);
int hvm_pci_link_route(struct domain *d, unsigned link, uint8_t isa_irq);
int hvm_inject_msi(struct domain *d, uint64_t addr, uint32_t data);
/* How event channels reach the guest: HVM_PARAM_CALLBACK_IRQ. */
int hvm_set_callback_via(struct domain *d, uint64_t via);
void hvm_update_callback(struct vcpu *v); /* upcall pending changed: raise or lower the line */
bool hvm_callback_is_vector(const struct domain *d);

/* -- save and restore (save.c): one record for each kind, as the public header hvm/save.h defines ----------------- */
struct hvm_save_buf {
    uint8_t *data;
    uint32_t cur, size;
};
/* A saver appends records for all instances; a loader takes the body of one. 0 or -errno; loaders check every field. */
struct hvm_save_type {
    uint16_t code; /* HVM_SAVE_CODE(x) */
    bool per_vcpu;
    uint32_t length; /* of the body; 0: variable */
    int (*save)(struct vcpu *v /* vCPU 0 unless per_vcpu */, struct hvm_save_buf *b);
    int (*load)(struct domain *d, unsigned instance, const void *body, uint32_t len);
};
#define HVM_SAVE_RECORD(var) const struct hvm_save_type __section(".hvm_save") __used __aligned(8) var
int hvm_save_put(struct hvm_save_buf *b, uint16_t code, uint16_t instance, const void *body, uint32_t len) __must_check;

/* -- devices: creation, end and reset of each (called by hvm.c in this order) -------------------------------------- */
int hvm_devices_init(struct domain *d) __must_check; /* by emulation_flags */
void hvm_devices_free(struct domain *d);
void hvm_devices_reset(struct domain *d);
int vlapic_init(struct vcpu *v) __must_check;
void vlapic_free(struct vcpu *v);
void vlapic_reset(struct vcpu *v);
void vlapic_domain_free(struct domain *d);
void vlapic_mode_changed(struct vlapic *l); /* off, xAPIC or x2APIC: the backend is told */
uint64_t vlapic_tdt_msr(struct vcpu *v);    /* MSR_IA32_TSC_DEADLINE */
void vlapic_set_tdt_msr(struct vcpu *v, uint64_t value);
uint64_t vlapic_apicbase(struct vcpu *v);
bool vlapic_set_apicbase(struct vcpu *v, uint64_t value); /* false: #GP */
enum hvm_result vlapic_x2apic_read(struct vcpu *v, uint32_t msr, uint64_t *value);
enum hvm_result vlapic_x2apic_write(struct vcpu *v, uint32_t msr, uint64_t value);
uint8_t vlapic_get_tpr(struct vcpu *v); /* CR8 is its upper four bits */
void vlapic_set_tpr(struct vcpu *v, uint8_t tpr);
uint8_t vlapic_ppr(struct vcpu *v);
void vlapic_set_irq(struct vcpu *v, uint8_t vector, bool level); /* sets IRR, kicks */
bool vlapic_accepts_pic(struct vcpu *v);                         /* LINT0 in ExtINT mode */
/* Hardware did it: the EOI of a level-triggered vector; a write of the register at this offset. */
void vlapic_eoi_exit(struct vcpu *v, uint8_t vector);
void vlapic_written(struct vcpu *v, unsigned reg);
uint32_t vlapic_id(const struct vcpu *v);
/* What INIT and SIPI do to the vCPU itself (hvm.c). */
void hvm_vcpu_init_ipi(struct vcpu *v);
void hvm_vcpu_startup_ipi(struct vcpu *v, uint8_t vector);
/* Time that a guest's platform devices run on; it goes on while the domain is paused. */
time_ns_t hvm_guest_time(struct vcpu *v);
uint64_t hvm_guest_tsc(struct vcpu *v);
void hvm_set_guest_tsc(struct vcpu *v, uint64_t tsc);

#endif
