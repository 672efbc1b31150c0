/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the VT-x backend share: its part of a vCPU, and the functions that make up the backend's table. */
#ifndef POLDER_VMX_VMX_H
#define POLDER_VMX_VMX_H

#include "../vmm/cpu/cpu.h"
#include "../vmm/hvm/hvm.h"
#include "../vmm/lib/string.h"
#include "caps.h"
#include "vmcs.h"

#define NR_SWAPPED 6 /* MSRs that are not in the VMCS: in the CPU while the vCPU is loaded. msr.c */
#define DR6_RESET 0xffff0ff0UL
#define DR7_RESET 0x400UL

struct vmx_domain {
    uint64_t eptp;
    cpumask_t ept_stale; /* [a] CPUs that have to flush before they enter one of its vCPUs */
};

struct vmx_vcpu {
    void *vmcs;
    paddr_t vmcs_pa;
    uint8_t *msr_bitmap;
    spinlock_t lock;   /* its VMCS is loaded for a while by someone else than v */
    bool launched;     /* [v] since VMCLEAR */
    unsigned last_cpu; /* [v] where its translations may be cached under its VPID */
    uint16_t vpid;
    bool flush_wanted;       /* [a] set by anyone; taken at the next entry */
    bool tsc_offset_changed; /* [a] */
    uint64_t tsc_offset;
    uint32_t proc, entry;     /* [v] controls as they stand in the VMCS */
    uint8_t tpr_threshold;    /* [v] as it stands in the VMCS */
    bool injecting;           /* [v] an event is set up for the next entry */
    bool dr_direct;           /* [v] the guest's DR6 is in the CPU */
    uint64_t dr6;             /* [v] otherwise */
    uint64_t msr[NR_SWAPPED]; /* [v] as last seen */
    struct {                  /* [v] of the last exit */
        uint32_t reason;
        uint32_t intr_info; /* of an exception or NMI */
    } exit;
};

static inline struct vmx_vcpu *vmx_of(struct vcpu *v) { return v->hvm->backend; }
DECLARE_PER_CPU(struct vmx_vcpu *, vmx_loaded); /* whose VMCS is current on this CPU, by vmx_vcpu_load() */

/* cpu.c */
int vmx_cpu_enable(void);
void vmx_cpu_disable(void);

/* vcpu.c */
int vmx_domain_init(struct domain *d);
void vmx_domain_free(struct domain *d);
int vmx_vcpu_init(struct vcpu *v);
void vmx_vcpu_free(struct vcpu *v);
void vmx_vcpu_load(struct vcpu *v);
void vmx_vcpu_put(struct vcpu *v);
/* Between them the VMCS of v, which is loaded here or off its CPU, can be accessed. */
unsigned long vmx_vmcs_enter(struct vcpu *v);
void vmx_vmcs_exit(struct vcpu *v, unsigned long flags);
uint64_t vmx_read(struct vcpu *v, enum vmcs_field field);
void vmx_write(struct vcpu *v, enum vmcs_field field, uint64_t value);

/* controls.c */
void vmx_init_controls(struct vcpu *v);
void vmx_set_proc(struct vcpu *v, uint32_t bits, bool on);
void vmx_set_exception_intercepts(struct vcpu *v, uint32_t bitmap);
void vmx_intercept_rdtsc(struct vcpu *v, bool on);
void vmx_allow_dr(struct vcpu *v, bool allow);
void vmx_single_step(struct vcpu *v, bool on);
void vmx_set_tsc_offset(struct vcpu *v, uint64_t offset);
bool vmx_set_tsc_ratio(struct vcpu *v, uint64_t ratio);
void vmx_dump(struct vcpu *v);

/* state.c */
void vmx_get_segment(struct vcpu *v, enum hvm_segment seg, struct segment_reg *out);
void vmx_set_segment(struct vcpu *v, enum hvm_segment seg, const struct segment_reg *in);
void vmx_update_cr(struct vcpu *v, unsigned cr);
void vmx_update_efer(struct vcpu *v);
void vmx_set_pdptes(struct vcpu *v, const uint64_t pdpte[4]);
uint64_t vmx_get_dr(struct vcpu *v, unsigned dr);
void vmx_set_dr(struct vcpu *v, unsigned dr, uint64_t value);
/* Control register bits that the guest changes without an exit. */
#define VMX_CR0_GUEST_OWNED 0x8UL /* TS */

/* msr.c */
void vmx_init_msrs_cpu(void); /* while this CPU's MSRs are the host's */
void vmx_init_msr_bitmap(struct vcpu *v);
void vmx_intercept_msr(struct vcpu *v, uint32_t msr, bool read, bool write);
uint64_t vmx_get_msr(struct vcpu *v, enum hvm_saved_msr msr);
void vmx_set_msr(struct vcpu *v, enum hvm_saved_msr msr, uint64_t value);
void vmx_load_msrs(struct vmx_vcpu *s);
void vmx_put_msrs(struct vmx_vcpu *s);

/* inject.c */
void vmx_inject_event(struct vcpu *v, const struct hvm_event *e);
bool vmx_event_pending(struct vcpu *v);
unsigned vmx_interrupt_shadow(struct vcpu *v);
void vmx_set_interrupt_shadow(struct vcpu *v, unsigned shadow);
void vmx_interrupt_window(struct vcpu *v, bool on);
void vmx_nmi_window(struct vcpu *v, bool on);
bool vmx_nmi_blocked(struct vcpu *v);
void vmx_set_nmi_blocked(struct vcpu *v, bool blocked);
void vmx_update_tpr_shadow(struct vcpu *v, uint8_t tpr, uint8_t threshold);
uint8_t vmx_tpr_shadow(struct vcpu *v);
void vmx_decode_idt_vectoring(struct vcpu *v, struct hvm_event *e);
void vmx_fix_pending_debug(void);

/* apicv.c */
void vmx_init_apicv(struct vcpu *v);
void vmx_set_apic_mode(struct vcpu *v, enum hvm_apic_mode mode);
void vmx_set_virtual_interrupts(struct vcpu *v, uint8_t irr, uint8_t isr);
void vmx_set_eoi_exits(struct vcpu *v, const uint64_t vectors[4]);

/* ept.c */
int vmx_alloc_vpid(uint16_t *vpid);
void vmx_free_vpid(uint16_t vpid);
void vmx_prepare_translations(struct vcpu *v);
void vmx_flush_guest_tlb(struct vcpu *v);
void vmx_flush_nested(struct domain *d);
void vmx_invlpg(struct vcpu *v, uint64_t gva);

/* exit.c, run.c, enter.S */
void vmx_decode_exit(struct vcpu *v, struct vm_exit *exit);
void vmx_run(struct vcpu *v, struct vm_exit *exit);
int vmx_enter(struct cpu_user_regs *regs, bool launched); /* 0: the guest ran (or the entry failed late); else VMfail */
extern const char vmx_exit_point[];

#endif
