/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding SVM and switching it on. AMD APM 2, 15.4 "Enabling SVM". */
#include "../vmm/cpu/asm.h"
#include "../vmm/cpu/regs.h"
#include "../vmm/mm/alloc.h"
#include "svm.h"

#define VM_CR_SVMDIS BIT(4)

uint32_t svm_features;
bool svm_in_tcg;
uint8_t *svm_iopm;

static DEFINE_PER_CPU(void *, host_save);
static DEFINE_PER_CPU(void *, host_vmcb);

static const struct hvm_backend svm_backend_template = {
    .name = "SVM",
    .npt_format = NPT_FORMAT_AMD64,
    .npt_2m = true,
    .cpu_enable = svm_cpu_enable,
    .cpu_disable = svm_cpu_disable,
    .vcpu_init = svm_vcpu_init,
    .vcpu_free = svm_vcpu_free,
    .vcpu_load = svm_vcpu_load,
    .vcpu_put = svm_vcpu_put,
    .run = svm_run,
    .get_segment = svm_get_segment,
    .set_segment = svm_set_segment,
    .update_cr = svm_update_cr,
    .update_efer = svm_update_efer,
    .get_msr = svm_get_msr,
    .set_msr = svm_set_msr,
    .get_dr = svm_get_dr,
    .set_dr = svm_set_dr,
    .allow_dr = svm_allow_dr,
    .inject_event = svm_inject_event,
    .event_pending = svm_event_pending,
    .interrupt_shadow = svm_interrupt_shadow,
    .set_interrupt_shadow = svm_set_interrupt_shadow,
    .interrupt_window = svm_interrupt_window,
    .nmi_window = svm_nmi_window,
    .nmi_blocked = svm_nmi_blocked,
    .set_nmi_blocked = svm_set_nmi_blocked,
    .offer_interrupt = svm_offer_interrupt,
    .withdraw_interrupt = svm_withdraw_interrupt,
    .interrupt_taken = svm_interrupt_taken,
    .update_tpr_shadow = svm_update_tpr_shadow,
    .tpr_shadow = svm_tpr_shadow,
    .set_tsc_offset = svm_set_tsc_offset,
    .set_exception_intercepts = svm_set_exception_intercepts,
    .intercept_msr = svm_intercept_msr,
    .intercept_rdtsc = svm_intercept_rdtsc,
    .flush_guest_tlb = svm_flush_guest_tlb,
    .flush_nested = svm_flush_nested,
    .invlpg = svm_invlpg,
    .dump = svm_dump,
};
static struct hvm_backend svm_backend;

/* AMD APM 2, 15.4: the feature bit, and the lock that firmware may have set. */
static const char *svm_missing(void)
{
    uint64_t vm_cr;

    if (!(cpu_features.ext1_ecx & BIT(2)))
        return "the CPU has no SVM";
    if (rdmsr_safe(MSR_VM_CR, &vm_cr) == 0 && (vm_cr & VM_CR_SVMDIS))
        return "SVM is disabled by the firmware: enable it in the setup menu";
    if (!(cpu_features.svm_edx & SVM_FEATURE_NP))
        return "the CPU has no nested paging";
    if (cpu_features.svm_nasid < 2)
        return "the CPU has no address space identifiers";
    return NULL;
}

/* The emulator names itself where hypervisors do. */
static bool svm_find_tcg(void)
{
    uint32_t r[4];

    if (!(cpu_features.leaf1_ecx & BIT(31)))
        return false;
    cpuid_count(0x40000000, 0, r);
    return !memcmp(r + 1, "TCGTCGTCGTCG", 12);
}

const struct hvm_backend *svm_probe(void)
{
    const char *missing = svm_missing();

    if (missing) {
        printk(LOG_WARN "svm: no HVM guests: %s\n", missing);
        return NULL;
    }
    svm_iopm = alloc_xenheap_pages(IOPM_ORDER);
    if (!svm_iopm) {
        printk(LOG_WARN "svm: no HVM guests: no memory for the I/O permission map\n");
        return NULL;
    }
    memset(svm_iopm, 0xff, PAGE_SIZE << IOPM_ORDER);
    svm_features = cpu_features.svm_edx;
    svm_in_tcg = svm_find_tcg();
    svm_backend = svm_backend_template;
    svm_backend.offers_all = svm_in_tcg;
    svm_backend.npt_1g = cpu_features.page1gb;
    printk(LOG_INFO "svm: nested paging%s%s%s%s, %u ASIDs\n", svm_features & SVM_FEATURE_NRIPS ? ", NRIP" : "",
           svm_features & SVM_FEATURE_DECODE_ASSISTS ? ", decode assists" : "",
           svm_features & SVM_FEATURE_CLEAN ? ", clean bits" : "",
           svm_features & SVM_FEATURE_FLUSH_BY_ASID ? ", flush by ASID" : "", cpu_features.svm_nasid);
    return &svm_backend;
}

int svm_cpu_enable(void)
{
    if (!this_cpu(host_save))
        this_cpu(host_save) = alloc_zeroed_page();
    if (!this_cpu(host_vmcb))
        this_cpu(host_vmcb) = alloc_zeroed_page();
    if (!this_cpu(host_save) || !this_cpu(host_vmcb))
        return -ENOMEM;

    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
    wrmsr(MSR_VM_HSAVE_PA, virt_to_paddr(this_cpu(host_save)));
    svm_asid_init_cpu();
    return 0;
}

void svm_cpu_disable(void)
{
    __asm__ volatile("stgi");
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~(uint64_t)EFER_SVME);
}

paddr_t svm_host_vmcb(void) { return virt_to_paddr(this_cpu(host_vmcb)); }
