/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Domctls that HVM domains alone know (public header domctl.h): saved contexts, memory, triggers. */
#include "../cpu/percpu.h"
#include "../domain/hypercall.h"
#include "../domain/pirq.h"
#include "../lib/string.h"
#include "../mm/alloc.h"
#include "devices.h"
#include "hvm_state.h"
#include "p2m.h"
#include "save.h"

#define CONTEXT_MAX MB(4) /* an image of MAX_VCPUS vCPUs with all of AVX-512 is smaller */
#define PFINFO_MAX 1024
#define PFINFO_BATCH 64
#define MAPPING_MAX 64 /* frames of one call; the tools split larger ones */

/* -- contexts ------------------------------------------------------------------------------------------------------ */
static void *buf_alloc(uint64_t size, unsigned *order)
{
    for (*order = 0; PAGE_SIZE << *order < size; (*order)++)
        ;
    return alloc_xenheap_pages(*order);
}

/* The size that an image has now, and a buffer for it. */
static int save_buf(struct domain *d, struct hvm_save_buf *b, unsigned *order)
{
    int rc;

    *b = (struct hvm_save_buf){0};
    rc = hvm_save_all(d, b);
    if (rc)
        return rc;
    b->size = b->cur;
    b->cur = 0;
    b->data = buf_alloc(b->size, order);
    return b->data ? 0 : -ENOMEM;
}

static long get_context(struct domain *d, struct xen_domctl_hvmcontext *op, bool *copyback)
{
    struct hvm_save_buf b;
    unsigned order = 0;
    long rc;

    domain_pause(d);
    if (handle_is_null(op->buffer)) {
        b = (struct hvm_save_buf){0};
        rc = hvm_save_all(d, &b);
        op->size = b.cur;
        *copyback = true;
        domain_unpause(d);
        return rc;
    }
    rc = save_buf(d, &b, &order);
    if (!rc && op->size < b.size)
        rc = -ENOSPC;
    if (!rc)
        rc = hvm_save_all(d, &b);
    domain_unpause(d);
    if (!rc) {
        op->size = b.cur;
        *copyback = true;
        rc = copy_to_guest_bytes(handle_gva(op->buffer), b.data, b.cur);
    }
    if (b.data)
        free_xenheap_pages(b.data, order);
    return rc;
}

/* What a load that failed has put into vCPUs never runs. */
static void unload(struct domain *d)
{
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpu[i];

        if (!v)
            continue;
        set_bit(VPF_down, &v->pause_flags);
        hvm_vcpu_reset_state(v);
        v->is_initialised = false;
    }
}

static long set_context(struct domain *d, const struct xen_domctl_hvmcontext *op)
{
    unsigned order;
    uint8_t *data;
    long rc;

    if (d->dying)
        return -EINVAL; /* nothing is to start in it any more */
    if (op->size > CONTEXT_MAX)
        return -E2BIG;
    data = buf_alloc(op->size, &order);
    if (!data)
        return -ENOMEM;
    rc = copy_from_guest_bytes(data, handle_gva(op->buffer), op->size);
    if (!rc) {
        domain_pause(d);
        rc = hvm_load_all(d, data, op->size);
        if (rc)
            unload(d);
        domain_unpause(d);
    }
    free_xenheap_pages(data, order);
    return rc;
}

static long get_context_partial(struct domain *d, struct xen_domctl_hvmcontext_partial *op, bool *copyback)
{
    struct hvm_save_buf b;
    uint32_t off = 0, len = 0;
    unsigned order = 0;
    long rc;

    if (op->type > HVM_SAVE_CODE_MAX || op->instance > 0xffff)
        return -EINVAL;
    domain_pause(d);
    rc = save_buf(d, &b, &order);
    if (!rc)
        rc = hvm_save_one(d, (uint16_t)op->type, (uint16_t)op->instance, &b, &off, &len);
    domain_unpause(d);
    if (!rc && !handle_is_null(op->buffer)) {
        if (op->bufsz < len)
            rc = -ENOSPC;
        else
            rc = copy_to_guest_bytes(handle_gva(op->buffer), b.data + off, len);
    }
    if (!rc) {
        op->bufsz = len;
        *copyback = true;
    }
    if (b.data)
        free_xenheap_pages(b.data, order);
    return rc;
}

/* -- memory -------------------------------------------------------------------------------------------------------- */
static long set_mempool(struct domain *d, const struct xen_domctl_paging_mempool *op)
{
    if (op->size & ~PAGE_MASK)
        return -EINVAL;
    return p2m_set_pool_pages(d, op->size >> PAGE_SHIFT);
}

static long page_frame_info(struct domain *d, const struct xen_domctl_getpageframeinfo3 *op)
{
    uint64_t pfn[PFINFO_BATCH];

    if (op->num > PFINFO_MAX)
        return -E2BIG;
    for (uint64_t done = 0; done < op->num; done += PFINFO_BATCH) {
        uint64_t n = MIN(op->num - done, (uint64_t)PFINFO_BATCH),
                 at = guest_elem(handle_gva(op->array), uint64_t, done);

        if (copy_from_guest_bytes(pfn, at, n * sizeof(pfn[0])))
            return -EFAULT;
        for (uint64_t i = 0; i < n; i++) {
            struct page_info *pg = p2m_get_page(d, GFN(pfn[i]), NULL);

            pfn[i] = pg ? XEN_DOMCTL_PFINFO_NOTAB : XEN_DOMCTL_PFINFO_XTAB;
            if (pg)
                page_put(pg);
        }
        if (copy_to_guest_bytes(at, pfn, n * sizeof(pfn[0])))
            return -EFAULT;
    }
    return 0;
}

static long memory_mapping(struct domain *d, const struct xen_domctl_memory_mapping *op)
{
    uint64_t last = op->first_mfn + op->nr_mfns - 1;

    if (!op->nr_mfns || op->padding || last < op->first_mfn || op->first_gfn + op->nr_mfns - 1 < op->first_gfn)
        return -EINVAL;
    if (op->nr_mfns > MAPPING_MAX)
        return -E2BIG;
    if (!rangeset_contains(current->domain->iomem_caps, op->first_mfn, last) ||
        !rangeset_contains(d->iomem_caps, op->first_mfn, last))
        return -EPERM;
    return d->ops->map_mmio(d, GFN(op->first_gfn), MFN(op->first_mfn), op->nr_mfns, op->add_mapping);
}

static long send_trigger(struct domain *d, const struct xen_domctl_sendtrigger *op)
{
    switch (op->trigger) {
    case XEN_DOMCTL_SENDTRIGGER_POWER: return vpmtimer_press_power(d);
    case XEN_DOMCTL_SENDTRIGGER_SLEEP: return vpmtimer_press_sleep(d);
    default: return -ENOSYS;
    }
}

long hvm_domctl(struct domain *d, struct xen_domctl *op, bool *copyback, uint64_t u_domctl)
{
    if (d == current->domain && op->cmd != XEN_DOMCTL_getpageframeinfo3)
        return -EINVAL; /* all of these stop the domain, or change what it stands on */
    switch (op->cmd) {
    case XEN_DOMCTL_gethvmcontext: return get_context(d, &op->u.hvmcontext, copyback);
    case XEN_DOMCTL_sethvmcontext: return set_context(d, &op->u.hvmcontext);
    case XEN_DOMCTL_gethvmcontext_partial: return get_context_partial(d, &op->u.hvmcontext_partial, copyback);
    case XEN_DOMCTL_sendtrigger: return send_trigger(d, &op->u.sendtrigger);
    case XEN_DOMCTL_shadow_op: return hvm_shadow_op(d, &op->u.shadow_op, copyback);
    case XEN_DOMCTL_get_paging_mempool_size:
        op->u.paging_mempool.size = p2m_pool_pages(d) << PAGE_SHIFT;
        *copyback = true;
        return 0;
    case XEN_DOMCTL_set_paging_mempool_size: return set_mempool(d, &op->u.paging_mempool);
    case XEN_DOMCTL_getpageframeinfo3: return page_frame_info(d, &op->u.getpageframeinfo3);
    case XEN_DOMCTL_memory_mapping: return memory_mapping(d, &op->u.memory_mapping);
    case XEN_DOMCTL_ioport_mapping:
    case XEN_DOMCTL_bind_pt_irq:
    case XEN_DOMCTL_unbind_pt_irq:
    case XEN_DOMCTL_debug_op: return -EOPNOTSUPP;
    default: return -ENOSYS;
    }
}
