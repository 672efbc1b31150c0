/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translations that the CPU caches: a vCPU has a VPID for its life, and every
 * CPU that may hold something stale flushes before it enters the guest.
 * Intel SDM 3C, 29.4 "Caching Translation Information".
 */
#include "vmx.h"

#define NR_VPIDS 65536U /* 0 is the host's */

static DECLARE_BITMAP(vpid_used, NR_VPIDS);
static DEFINE_SPINLOCK(vpid_lock);

int vmx_alloc_vpid(uint16_t *vpid)
{
    unsigned found;

    spin_lock(&vpid_lock);
    found = find_next_zero_bit(vpid_used, NR_VPIDS, 1);
    if (found < NR_VPIDS)
        __set_bit(found, vpid_used);
    spin_unlock(&vpid_lock);
    if (found >= NR_VPIDS)
        return -ENOMEM;
    *vpid = (uint16_t)found;
    return 0;
}

/* What is cached under it may stay: a vCPU flushes when it comes to a CPU. */
void vmx_free_vpid(uint16_t vpid)
{
    spin_lock(&vpid_lock);
    __clear_bit(vpid, vpid_used);
    spin_unlock(&vpid_lock);
}

/* Before each entry, interrupts off: who makes something stale sets the mark first and then interrupts the CPU. */
void vmx_prepare_translations(struct vcpu *v)
{
    struct vmx_domain *d = v->domain->hvm->backend;
    struct vmx_vcpu *s = vmx_of(v);
    unsigned cpu = smp_processor_id();

    if (cpumask_test(cpu, &d->ept_stale)) {
        cpumask_clear(cpu, &d->ept_stale);
        invept(vmx_caps.invept_context ? INVEPT_CONTEXT : INVEPT_ALL, d->eptp);
    }
    if (__atomic_exchange_n(&s->flush_wanted, false, __ATOMIC_SEQ_CST))
        invvpid(vmx_caps.invvpid_context ? INVVPID_CONTEXT : INVVPID_ALL, s->vpid);
}

void vmx_flush_guest_tlb(struct vcpu *v) { __atomic_store_n(&vmx_of(v)->flush_wanted, true, __ATOMIC_SEQ_CST); }

static void flush_ipi(void *unused) {}

/* A vCPU that is in the guest now is brought out, so that its CPU flushes on the way back. */
void vmx_flush_nested(struct domain *d)
{
    struct vmx_domain *vd = d->hvm->backend;
    cpumask_t running = {0};
    unsigned cpu;
    struct vcpu *v;

    if (!vd)
        return; /* not yet complete: nothing was ever cached */
    for_each_online_cpu(cpu)
        cpumask_set(cpu, &vd->ept_stale);
    for_each_vcpu(d, v)
        if (v != current && READ_ONCE(v->is_running))
            cpumask_set(READ_ONCE(v->processor), &running);
    cpumask_clear(smp_processor_id(), &running);
    if (!cpumask_empty(&running))
        on_cpus(&running, flush_ipi, NULL, true);
}

/* The guest's own INVLPG does not exit; this is for emulated ones. */
void vmx_invlpg(struct vcpu *v, uint64_t gva) { vmx_flush_guest_tlb(v); }
