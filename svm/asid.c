/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address space identifiers: each CPU gives them out in turn; when they run
 * out it flushes everything and starts a new generation.  A vCPU that needs
 * its translations gone takes a new one.  AMD APM 2, 15.16 "TLB Control".
 */
#include "svm.h"

static DEFINE_PER_CPU(uint32_t, next_asid);
static DEFINE_PER_CPU(uint64_t, asid_generation);

void svm_asid_init_cpu(void)
{
    this_cpu(next_asid) = 1;
    this_cpu(asid_generation) = 1;
}

static void svm_new_asid(struct svm_vcpu *s)
{
    if (this_cpu(next_asid) >= cpu_features.svm_nasid) {
        this_cpu(asid_generation)++;
        this_cpu(next_asid) = 1;
        s->vmcb->tlb_control = TLB_FLUSH_ALL;
    }
    s->vmcb->asid = this_cpu(next_asid)++;
    s->asid_generation = this_cpu(asid_generation);
    s->asid_cpu = smp_processor_id();
    svm_dirty(s, CLEAN_ASID);
}

/* Before each entry, interrupts off. */
void svm_prepare_asid(struct svm_vcpu *s)
{
    bool flush = __atomic_exchange_n(&s->flush_wanted, false, __ATOMIC_SEQ_CST);

    if (s->asid_cpu != smp_processor_id() || s->asid_generation != this_cpu(asid_generation)) {
        s->clean = 0; /* another CPU may have cached nothing of this VMCB, or stale parts */
        svm_new_asid(s);
    } else if (flush && (svm_features & SVM_FEATURE_FLUSH_BY_ASID)) {
        s->vmcb->tlb_control = TLB_FLUSH_ASID;
    } else if (flush) {
        svm_new_asid(s);
    }
}

void svm_flush_guest_tlb(struct vcpu *v) { __atomic_store_n(&svm_of(v)->flush_wanted, true, __ATOMIC_SEQ_CST); }

static void svm_flush_ipi(void *unused) {}

/* A vCPU that is in the guest now is brought out, so that it flushes on its way back. */
void svm_flush_nested(struct domain *d)
{
    cpumask_t running = {0};
    struct vcpu *v;

    for_each_vcpu(d, v) {
        if (!v->hvm || !v->hvm->backend)
            continue;
        svm_flush_guest_tlb(v);
        if (v != current && READ_ONCE(v->is_running))
            cpumask_set(READ_ONCE(v->processor), &running);
    }
    cpumask_clear(smp_processor_id(), &running);
    if (!cpumask_empty(&running))
        on_cpus(&running, svm_flush_ipi, NULL, true);
}

/* With nested paging the guest's own INVLPG does not exit; this is for emulated ones. */
void svm_invlpg(struct vcpu *v, uint64_t gva) { svm_flush_guest_tlb(v); }
