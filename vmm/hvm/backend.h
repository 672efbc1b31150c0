/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interface between the HVM core and a backend (svm/, vmx/).  A backend
 * decodes an exit into one neutral record; the core (exit.c) handles it once
 * for both vendors.
 *
 * Registers: while the core runs, v->regs holds the guest's general registers,
 * RIP, RSP and RFLAGS; run() loads and stores them.  Control registers and EFER
 * as the guest sees them are in v->hvm; after changing one the core calls
 * update_cr / update_efer.  Segments, and the MSRs listed below, live with the
 * backend and are reached through get_/set_.
 */
#ifndef POLDER_HVM_BACKEND_H
#define POLDER_HVM_BACKEND_H

#include "../domain/domain.h"

enum hvm_segment { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEG_GDTR, SEG_IDTR, NR_SEGMENTS };

/* attr: the access-rights form of VT-x and of save records: type 3:0, S 4, DPL 6:5, P 7, AVL 12, L 13, D/B 14, G 15,
 * unusable 16 (Intel SDM 3C, 25.4.1). limit in bytes. GDTR and IDTR: base and limit only. */
struct segment_reg {
    uint16_t sel;
    uint32_t attr;
    uint32_t limit;
    uint64_t base;
};
#define SEG_ATTR_TYPE 0xfU
#define SEG_ATTR_S 0x10U
#define SEG_ATTR_DPL(a) (((a) >> 5) & 3)
#define SEG_ATTR_P 0x80U
#define SEG_ATTR_L 0x2000U
#define SEG_ATTR_DB 0x4000U
#define SEG_ATTR_G 0x8000U
#define SEG_ATTR_UNUSABLE 0x10000U

/* An event to inject, or one whose delivery an exit interrupted. */
enum event_type { /* the numbers of both vendors' event fields (APM 2, 15.20; SDM 3C, 25.8.3) */
                  EVENT_EXT_INTR = 0,
                  EVENT_NMI = 2,
                  EVENT_EXCEPTION = 3,
                  EVENT_SW_INTR = 4,     /* INT n */
                  EVENT_PRIV_SW_EXC = 5, /* ICEBP */
                  EVENT_SW_EXC = 6,      /* INT3, INTO */
};
struct hvm_event {
    bool valid;
    uint8_t type; /* enum event_type */
    uint8_t vector;
    bool has_error;
    uint32_t error_code;
    uint8_t insn_len; /* software events: RIP advances by it */
    uint64_t cr2;     /* #PF: loaded into the guest's CR2 */
};

/* By an instruction, at RIP, whose length is added to the return address. */
static inline bool hvm_event_is_software(const struct hvm_event *e) { return e->type >= EVENT_SW_INTR; }

enum vm_exit_reason {
    VMEXIT_NONE, /* nothing to do (a host interrupt or NMI that was handled) */
    VMEXIT_CPUID,
    VMEXIT_HLT,
    VMEXIT_PIO,   /* u.pio */
    VMEXIT_NPF,   /* u.npf */
    VMEXIT_CR,    /* u.cr */
    VMEXIT_DR,    /* a debug register is accessed: let the guest have them and go on */
    VMEXIT_MSR,   /* u.msr */
    VMEXIT_RDTSC, /* u.rdtsc */
    VMEXIT_RDPMC,
    VMEXIT_EXCEPTION,   /* u.exc: one that the core intercepts */
    VMEXIT_HYPERCALL,   /* VMCALL / VMMCALL */
    VMEXIT_TASK_SWITCH, /* u.task */
    VMEXIT_INVLPG,      /* u.gva */
    VMEXIT_WBINVD,
    VMEXIT_XSETBV,
    VMEXIT_PAUSE,
    VMEXIT_INTR_WINDOW, /* the guest can take an interrupt now */
    VMEXIT_NMI_WINDOW,  /* the guest can take an NMI now (IRET done) */
    VMEXIT_TRIPLE_FAULT,
    VMEXIT_INVALID_OP,  /* an instruction that guests do not have (VMX, SVM, MONITOR, ...): #UD */
    VMEXIT_EMULATE,     /* the backend cannot decode it: emulate the instruction at RIP */
    VMEXIT_APIC_ACCESS, /* an access to the local APIC's page that the hardware does not do: emulate it */
    VMEXIT_APIC_WRITE,  /* the guest has written the register at u.apic.offset: its value is in the page */
    VMEXIT_APIC_EOI,    /* EOI of u.apic.vector, which the core wanted to know of */
    VMEXIT_TPR,         /* TPR fell below the threshold */
    VMEXIT_SINGLE_STEP, /* monitor trap */
    VMEXIT_BAD_STATE,   /* entry refused: the backend has printed why; crash the domain */
    NR_VMEXITS,
};

struct vm_exit {
    uint8_t reason;
    uint8_t insn_len; /* 0: not known (no NRIP save): the core takes it from the instruction's bytes */
    uint8_t nr_bytes; /* decode assists: instruction bytes at RIP; 0: fetch them */
    uint8_t bytes[15];
    struct hvm_event idt; /* its delivery was interrupted by this exit and must be injected again */
    union {
        struct {
            uint16_t port;
            uint8_t size;
            bool in, string, rep;
            bool seg_known;
            uint8_t seg, addr_size;
        } pio;
        struct {
            gpa_t gpa;
            uint64_t gva;
            bool gva_valid, in_page_walk; /* the access was the walk's own, not to the final address */
            bool read, write, fetch, present;
        } npf;
        struct {
            uint8_t cr, gpr;
            bool write, decoded;
            bool clts, lmsw;
            uint16_t lmsw_src;
        } cr; /* !decoded: emulate */
        struct {
            uint32_t msr;
            bool write;
        } msr;
        struct {
            bool rdtscp;
        } rdtsc;
        struct {
            uint8_t type; /* enum event_type: EVENT_EXCEPTION, or the software kinds; for these insn_len is known */
            uint8_t vector;
            bool has_error;
            uint32_t error_code;
            uint64_t cr2;
            uint64_t dr6; /* #DB: bits that its delivery would set */
        } exc;
        struct {
            uint16_t sel;
            uint8_t source;
            bool has_error;
            uint32_t error_code;
        } task; /* source: enum task_source */
        struct {
            uint64_t gva;
            bool decoded;
        } invlpg;
        struct {
            uint16_t offset;
            uint8_t vector;
        } apic;
    } u;
};
enum task_source { TASK_CALL, TASK_IRET, TASK_JMP, TASK_GATE };

/* MSRs that a backend keeps for the guest, swapped or in its control block. */
enum hvm_saved_msr {
    HVM_MSR_STAR,
    HVM_MSR_LSTAR,
    HVM_MSR_CSTAR,
    HVM_MSR_SFMASK,
    HVM_MSR_KERNEL_GS,
    HVM_MSR_SYSENTER_CS,
    HVM_MSR_SYSENTER_ESP,
    HVM_MSR_SYSENTER_EIP,
    HVM_MSR_DEBUGCTL,
    HVM_MSR_PAT,
    HVM_MSR_TSC_AUX,
    NR_HVM_MSRS,
};

/* How the guest reaches its local APIC: SDM 3A, 11.4.3 and 11.12. */
enum hvm_apic_mode { APIC_MODE_OFF, APIC_MODE_XAPIC, APIC_MODE_X2APIC };

/* Entry formats of nested page tables; hvm/p2m.c has one walker for both. */
enum npt_format { NPT_FORMAT_AMD64, NPT_FORMAT_EPT };

struct hvm_backend {
    const char *name; /* "SVM", "VT-x" */
    enum npt_format npt_format;
    bool npt_2m, npt_1g;

    int (*cpu_enable)(void); /* on each CPU, as it comes up; 0 or -errno (HVM is then off) */
    void (*cpu_disable)(void);

    int (*domain_init)(struct domain *d);
    void (*domain_free)(struct domain *d);
    int (*vcpu_init)(struct vcpu *v);
    void (*vcpu_free)(struct vcpu *v);
    /* Scheduling: v comes to this CPU (which may not be its last), or leaves it: all its state is then in memory. */
    void (*vcpu_load)(struct vcpu *v);
    void (*vcpu_put)(struct vcpu *v);

    /* Enters the guest and returns at the next exit. Called with interrupts off; returns with them on: a host interrupt
     * or NMI that caused the exit has been handled by then (reason VMEXIT_NONE). */
    void (*run)(struct vcpu *v, struct vm_exit *exit);

    void (*get_segment)(struct vcpu *v, enum hvm_segment seg, struct segment_reg *out);
    void (*set_segment)(struct vcpu *v, enum hvm_segment seg, const struct segment_reg *in);
    void (*update_cr)(struct vcpu *v, unsigned cr); /* 0, 2, 3, 4: v->hvm->cr[n] changed */
    void (*update_efer)(struct vcpu *v);
    /* The four top entries of PAE paging, as MOV CRn loaded them. NULL: the CPU reads them at each walk (AMD). */
    void (*set_pdptes)(struct vcpu *v, const uint64_t pdpte[4]);
    uint64_t (*get_msr)(struct vcpu *v, enum hvm_saved_msr msr);
    void (*set_msr)(struct vcpu *v, enum hvm_saved_msr msr, uint64_t value);
    uint64_t (*get_dr)(struct vcpu *v, unsigned dr); /* 6 and 7 */
    void (*set_dr)(struct vcpu *v, unsigned dr, uint64_t value);
    void (*allow_dr)(struct vcpu *v, bool allow); /* the guest reads and writes debug registers directly */

    /* Events. At most one injection for an entry; the core checks that the guest can take it. */
    void (*inject_event)(struct vcpu *v, const struct hvm_event *e);
    bool (*event_pending)(struct vcpu *v);        /* an injection is set up for the next entry already */
    unsigned (*interrupt_shadow)(struct vcpu *v); /* HVM_SHADOW_* */
    void (*set_interrupt_shadow)(struct vcpu *v, unsigned shadow);
    void (*interrupt_window)(struct vcpu *v, bool on);
    /* The guest can take an NMI: not blocked by another one, no shadow, nothing on its way in. */
    void (*nmi_window)(struct vcpu *v, bool on);
    bool (*nmi_blocked)(struct vcpu *v);
    void (*set_nmi_blocked)(struct vcpu *v, bool blocked);
    /*
     * External interrupts that wait. offer_interrupt: v's most urgent one is offered to the hardware (SVM: V_IRQ), which
     * delivers it once IF is set, no shadow is left and, if it heeds the TPR, that is of a lower class than the vector;
     * interrupt_taken() after the exit says whether the guest took it (so that the vlapic then acknowledges). Backends
     * without it (VT-x) leave both NULL: the core uses inject_event and the window.
     */
    bool offers_all; /* what can be taken now is offered too, not injected */
    void (*offer_interrupt)(struct vcpu *v, uint8_t vector, bool heeds_tpr);
    void (*withdraw_interrupt)(struct vcpu *v);
    bool (*interrupt_taken)(struct vcpu *v, uint8_t *vector); /* true once for each one that was delivered */
    /*
     * The TPR (CR8) that the guest reads and writes without exits. threshold: 0, or the priority class (1 to 15) of an
     * interrupt that only the TPR holds back: lowering the TPR below it then exits, unless the backend has
     * offer_interrupt, which covers that. tpr_shadow: what it is after an exit. Both NULL: every CR8 access exits.
     */
    void (*update_tpr_shadow)(struct vcpu *v, uint8_t tpr, uint8_t threshold);
    uint8_t (*tpr_shadow)(struct vcpu *v);
    /*
     * The local APIC in hardware (VT-x: APIC-register virtualisation and virtual-interrupt delivery). All three are NULL
     * where there is none. While the guest runs, TPR, PPR, IRR and ISR of the vlapic's page are the hardware's; accesses to
     * the page that hvm_apic_access_page() tells are accesses to the vlapic's. v is current, or does not run.
     */
    void (*set_apic_mode)(struct vcpu *v, enum hvm_apic_mode mode);
    void (*set_virtual_interrupts)(struct vcpu *v, uint8_t irr, uint8_t isr); /* the highest vectors; 0: none */
    void (*set_eoi_exits)(struct vcpu *v, const uint64_t vectors[4]);         /* bit n: the EOI of vector n exits */
    /* With these: VECTOR_POSTED_INTR, sent to where a guest runs, brings it what is in its posted-interrupt descriptor. */
    bool posted_interrupts;

    void (*set_tsc_offset)(struct vcpu *v, uint64_t offset);
    /* The guest's ticks for one of the machine's, 32.32, before the offset is added; 0: the same. False: too large. NULL:
     * the CPU does not scale. In both cases the core lets RDTSC exit. */
    bool (*set_tsc_ratio)(struct vcpu *v, uint64_t ratio);
    void (*set_exception_intercepts)(struct vcpu *v, uint32_t bitmap);
    void (*intercept_msr)(struct vcpu *v, uint32_t msr, bool read, bool write);
    void (*intercept_rdtsc)(struct vcpu *v, bool on);
    void (*single_step)(struct vcpu *v, bool on);

    void (*flush_guest_tlb)(struct vcpu *v); /* before the next entry: the guest's linear translations */
    void (*flush_nested)(struct domain *d);  /* after p2m entries were changed or removed: wait for all vCPUs */
    void (*invlpg)(struct vcpu *v, uint64_t gva);
    void (*dump)(struct vcpu *v); /* the control block, to the console */
};
#define HVM_SHADOW_STI 1U
#define HVM_SHADOW_MOV_SS 2U

/* Set at boot to one of these; NULL: no HVM. Each probe returns its table, or NULL after one line that names what lacks. */
extern const struct hvm_backend *hvm_backend;
extern bool hvm_apicv_allowed, hvm_posting_allowed; /* apicv=: the local APIC may be in hardware; interrupts posted */
const struct hvm_backend *svm_probe(void);
const struct hvm_backend *vmx_probe(void);

/* -- what a backend may call of the core ------------------------------------------------------------------------- */
/* The root of d's nested page table: physical address, 4 levels. */
paddr_t hvm_npt_root(struct domain *d);
/* The page with the registers of v's local APIC, 16 bytes apart: SDM 3C, 30.1.1. */
void *hvm_apic_page(struct vcpu *v);
/* v's posted-interrupt descriptor: SDM 3C, 30.6. */
paddr_t hvm_posted_interrupts(struct vcpu *v);
/* What the guest's APIC page is in the nested page table, where set_apic_mode is there. */
paddr_t hvm_apic_access_page(struct domain *d);

#endif
