/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hypercall hvm_op: HVM parameters, and a few services for guests (public headers hvm/hvm_op.h, hvm/params.h). */
#include "../cpu/percpu.h"
#include "../cpu/time.h"
#include "../domain/hypercall.h"
#include "../sched/sched.h"
#include "devices.h"
#include "ioreq.h"
#include "p2m.h"

#define IOREQ_PAGES_MAX 64
#define VM86_TSS_MIN (0x68 + 0x20 + 1) /* the TSS, its interrupt redirection map, one byte of I/O map */

/* -- who may do what ----------------------------------------------------------------------------------------------- */
enum param_use { PARAM_NONE, PARAM_TOOLS, PARAM_GUEST };

static enum param_use param_readable(uint32_t index)
{
    switch (index) {
    case HVM_PARAM_CALLBACK_IRQ:
    case HVM_PARAM_VM86_TSS:
    case HVM_PARAM_VM86_TSS_SIZED:
    case HVM_PARAM_ACPI_S_STATE:
    case HVM_PARAM_VM_GENERATION_ID_ADDR:
    case HVM_PARAM_STORE_PFN:
    case HVM_PARAM_STORE_EVTCHN:
    case HVM_PARAM_CONSOLE_PFN:
    case HVM_PARAM_CONSOLE_EVTCHN:
    case HVM_PARAM_X87_FIP_WIDTH:
    case HVM_PARAM_ALTP2M: return PARAM_GUEST;
    case HVM_PARAM_PAE_ENABLED:
    case HVM_PARAM_DM_DOMAIN:
    case HVM_PARAM_MEMORY_EVENT_CR0:
    case HVM_PARAM_MEMORY_EVENT_CR3:
    case HVM_PARAM_MEMORY_EVENT_CR4:
    case HVM_PARAM_MEMORY_EVENT_INT3:
    case HVM_PARAM_NESTEDHVM:
    case HVM_PARAM_MEMORY_EVENT_SINGLE_STEP:
    case HVM_PARAM_BUFIOREQ_EVTCHN:
    case HVM_PARAM_MEMORY_EVENT_MSR: return PARAM_NONE; /* withdrawn from the ABI */
    default: return index < HVM_NR_PARAMS && index != 3 && index != 7 && index != 8 ? PARAM_TOOLS : PARAM_NONE;
    }
}

static enum param_use param_writable(uint32_t index)
{
    switch (index) {
    case HVM_PARAM_STORE_PFN:
    case HVM_PARAM_CONSOLE_PFN:
    case HVM_PARAM_ALTP2M: return PARAM_TOOLS;
    case HVM_PARAM_ACPI_IOPORTS_LOCATION: return PARAM_GUEST; /* by firmware, once it has written the ACPI tables */
    case HVM_PARAM_PAGING_RING_PFN:
    case HVM_PARAM_MONITOR_RING_PFN:
    case HVM_PARAM_SHARING_RING_PFN: return PARAM_NONE;
    default: return param_readable(index);
    }
}

static int param_check(const struct domain *d, uint32_t index, enum param_use use)
{
    if (index >= HVM_NR_PARAMS || use == PARAM_NONE)
        return -EINVAL;
    return use == PARAM_TOOLS && d == current->domain && !d->is_privileged ? -EPERM : 0;
}

/* Said once, these hold for the domain's life. */
static bool param_is_final(uint32_t index)
{
    return index == HVM_PARAM_VIRIDIAN || index == HVM_PARAM_IOREQ_SERVER_PFN ||
           index == HVM_PARAM_NR_IOREQ_SERVER_PAGES || index == HVM_PARAM_ALTP2M || index == HVM_PARAM_MCA_CAP;
}

/* -- effects ------------------------------------------------------------------------------------------------------- */
/* S3: every vCPU and device as after a reset; the first vCPU begins at the reset vector when it is woken. */
static void suspend_s3(struct domain *d)
{
    struct vcpu *v;

    for_each_vcpu(d, v) {
        vlapic_reset(v);
        (void)d->ops->vcpu_reset(v);
        set_bit(VPF_down, &v->pause_flags);
    }
    hvm_devices_reset(d);
    d->vcpu[0]->is_initialised = true;
    clear_bit(VPF_down, &d->vcpu[0]->pause_flags);
}

/* The domain is paused from one S3 to the 0 that ends it, however often each is said. */
static int set_acpi_state(struct domain *d, uint64_t state)
{
    struct hvm_domain *h = hvm_dom(d);
    bool changes;
    struct vcpu *v;

    if (state != 0 && state != 3)
        return -EINVAL;
    if (d == current->domain)
        return -EPERM;
    domain_pause(d); /* so that none of its vCPUs waits for the lock */
    spin_lock(&d->lock);
    changes = d->vcpu[0] && h->is_s3_suspended == (state == 0);
    if (changes) {
        h->is_s3_suspended = state == 3;
        if (state == 3)
            suspend_s3(d);
        else
            for_each_vcpu(d, v)
                hvm_set_guest_tsc(v, 0);
    }
    spin_unlock(&d->lock);
    if (changes && state == 0)
        domain_unpause(d);
    if (!changes || state == 0)
        domain_unpause(d);
    return 0;
}

static int set_ioreq_pages(struct hvm_domain *h, uint64_t n)
{
    if (n == 0 || n > IOREQ_PAGES_MAX || !h->params[HVM_PARAM_IOREQ_SERVER_PFN])
        return -EINVAL;
    spin_lock(&h->ioreq_lock);
    h->ioreq_gfn_base = h->params[HVM_PARAM_IOREQ_SERVER_PFN];
    h->ioreq_gfn_mask = n == 64 ? ~0UL : BIT(n) - 1;
    spin_unlock(&h->ioreq_lock);
    return 0;
}

static int set_legacy_ioreq(struct hvm_domain *h, uint32_t bit)
{
    spin_lock(&h->ioreq_lock);
    h->ioreq_gfn_legacy |= bit;
    spin_unlock(&h->ioreq_lock);
    return 0;
}

/* The value is checked, and what follows from it done; the caller stores it. */
static int param_effect(struct domain *d, uint32_t index, uint64_t value)
{
    struct hvm_domain *h = hvm_dom(d);

    switch (index) {
    case HVM_PARAM_CALLBACK_IRQ: domain_latch_shinfo_size(d); return hvm_set_callback_via(d, value);
    case HVM_PARAM_TIMER_MODE: return value > HVMPTM_one_missed_tick_pending ? -EINVAL : 0;
    case HVM_PARAM_VIRIDIAN:
    case HVM_PARAM_ALTP2M: return value ? -EOPNOTSUPP : 0;
    case HVM_PARAM_ACPI_S_STATE: return set_acpi_state(d, value);
    case HVM_PARAM_IOREQ_SERVER_PFN: return 0;
    case HVM_PARAM_NR_IOREQ_SERVER_PAGES: return set_ioreq_pages(h, value);
    case HVM_PARAM_IOREQ_PFN: return set_legacy_ioreq(h, 1);
    case HVM_PARAM_BUFIOREQ_PFN: return set_legacy_ioreq(h, 2);
    case HVM_PARAM_TRIPLE_FAULT_REASON: return value > SHUTDOWN_MAX ? -EINVAL : 0;
    case HVM_PARAM_ACPI_IOPORTS_LOCATION:
        return h->emulation_flags & XEN_X86_EMU_PM ? vpmtimer_set_location(d, value) : -EINVAL;
    case HVM_PARAM_VM86_TSS: return value >> 32 ? -EINVAL : 0;
    case HVM_PARAM_VM86_TSS_SIZED: return value >> 32 < VM86_TSS_MIN || value >> 32 > 0x2088 ? -EINVAL : 0;
    case HVM_PARAM_X87_FIP_WIDTH: return value != 0 && value != 4 && value != 8 ? -EINVAL : 0;
    case HVM_PARAM_MCA_CAP: return value & ~XEN_HVM_MCA_CAP_MASK ? -EINVAL : value ? -EOPNOTSUPP : 0;
    default: return 0;
    }
}

static int param_set(struct domain *d, uint32_t index, uint64_t value)
{
    struct hvm_domain *h = hvm_dom(d);
    int rc = param_check(d, index, param_writable(index));

    if (rc)
        return rc;
    if (param_is_final(index) && h->params[index] && h->params[index] != value)
        return -EEXIST;
    rc = param_effect(d, index, value);
    if (!rc)
        h->params[index] = value;
    return rc;
}

static long op_param(uint64_t arg, bool set)
{
    struct xen_hvm_param p;
    struct domain *d;
    int rc;

    if (copy_from_guest(&p, arg))
        return -EFAULT;
    d = domain_get_by_id(p.domid);
    if (!d)
        return -ESRCH;
    rc = !d->is_hvm ? -EINVAL : control_allowed(d);
    if (!rc && set)
        rc = param_set(d, p.index, p.value);
    else if (!rc)
        rc = param_check(d, p.index, param_readable(p.index));
    if (!rc && !set) {
        p.value = hvm_dom(d)->params[p.index];
        rc = copy_to_guest(arg, &p);
    }
    domain_put(d);
    return rc;
}

/* -- services ------------------------------------------------------------------------------------------------------ */
static long op_flush_tlbs(uint64_t arg)
{
    if (!current->domain->is_hvm)
        return -EOPNOTSUPP;
    if (arg)
        return -EINVAL;
    hvm_backend->flush_nested(current->domain); /* their own translations go with it */
    return 0;
}

static long op_set_upcall_vector(uint64_t arg)
{
    struct xen_hvm_evtchn_upcall_vector op;
    struct domain *d = current->domain;
    struct vcpu *v;

    if (copy_from_guest(&op, arg))
        return -EFAULT;
    if (!d->is_hvm)
        return -EINVAL;
    if (op.vcpu >= d->max_vcpus || !(v = d->vcpu[op.vcpu]))
        return -ENOENT;
    if (op.vector < 0x10)
        return -EINVAL;
    v->hvm->upcall_vector = op.vector;
    hvm_update_callback(v);
    return 0;
}

static long op_get_time(uint64_t arg)
{
    struct xen_hvm_get_time t = {.now = (uint64_t)now()};

    return copy_to_guest(arg, &t);
}

static uint16_t mem_type_of(enum p2m_type t)
{
    switch (t) {
    case P2M_ram_rw:
    case P2M_ram_logdirty:
    case P2M_grant_rw:
    case P2M_foreign: return HVMMEM_ram_rw;
    case P2M_ram_ro:
    case P2M_grant_ro: return HVMMEM_ram_ro;
    case P2M_ioreq_server: return HVMMEM_ioreq_server;
    default: return HVMMEM_mmio_dm;
    }
}

static long op_get_mem_type(uint64_t arg)
{
    struct xen_hvm_get_mem_type op;
    enum p2m_type t;
    struct domain *d;
    int rc;

    if (copy_from_guest(&op, arg))
        return -EFAULT;
    d = domain_get_by_id(op.domid);
    if (!d)
        return -ESRCH;
    rc = !d->is_hvm ? -EINVAL : control_allowed(d);
    if (!rc) {
        p2m_lookup(d, GFN(op.pfn), &t, NULL);
        op.mem_type = mem_type_of(t);
        rc = copy_to_guest(arg, &op);
    }
    domain_put(d);
    return rc;
}

long do_hvm_op(uint64_t op, uint64_t arg, uint64_t a3, uint64_t a4, uint64_t a5)
{
    switch (op & 0xff) {
    case HVMOP_set_param: return op_param(arg, true);
    case HVMOP_get_param: return op_param(arg, false);
    case HVMOP_flush_tlbs: return op_flush_tlbs(arg);
    case HVMOP_get_time: return op_get_time(arg);
    case HVMOP_get_mem_type: return op_get_mem_type(arg);
    case HVMOP_set_evtchn_upcall_vector: return op_set_upcall_vector(arg);
    case HVMOP_altp2m:
    case HVMOP_guest_request_vm_event: return -EOPNOTSUPP;
    case HVMOP_pagetable_dying: return -EINVAL; /* of use to shadow page tables alone */
    default: return -ENOSYS;
    }
}
