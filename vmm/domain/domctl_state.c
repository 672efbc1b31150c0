/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Domctls about the state of vCPUs that the tools save and set: extended state, CPU policy, TSC. */
#include "../cpu/fpu.h"
#include "../cpu/percpu.h"
#include "../cpu/policy.h"
#include "../lib/string.h"
#include "../mm/alloc.h"
#include "domctl.h"
#include "vcpu.h"

/* -- extended state ----------------------------------------------------------------------------------------------- */

/* What the buffer holds: the two masks, then the XSAVE area in standard format, as large as xcr0_accum asks. */
struct extstate_head {
    uint64_t xcr0, xcr0_accum;
};
#define XSAVE_MXCSR 24 /* offsets in the area: AMD APM 4, A; Intel SDM 1, 13.4 */
#define XSAVE_HEADER 512
#define XSAVE_MIN (XSAVE_HEADER + 64)
#define MXCSR_VALID 0xffffU

long domctl_getvcpuextstate(struct domain *d, struct xen_domctl *op, bool *back)
{
    struct xen_domctl_vcpuextstate *e = &op->u.vcpuextstate;
    struct vcpu *v = vcpu_by_id(d, e->vcpu);
    struct extstate_head head;
    uint64_t size;
    long ret = 0;

    if (d == current->domain || !v)
        return -EINVAL;
    size = xfeature_mask ? sizeof(head) + xstate_size_of(v->xcr0_accum) : 0;
    if (!e->size && !e->xfeature_mask) {
        e->xfeature_mask = xfeature_mask;
        e->size = size;
        *back = true;
        return 0;
    }
    if (e->size != size || e->xfeature_mask != xfeature_mask)
        return -EINVAL;
    vcpu_pause(v);
    vcpu_sync_state(v);
    head = (struct extstate_head){v->xcr0, v->xcr0_accum};
    if (copy_to_guest(handle_gva(e->buffer), &head) ||
        copy_to_guest_bytes(handle_gva(e->buffer) + sizeof(head), v->fpu, size - sizeof(head)))
        ret = -EFAULT;
    vcpu_unpause(v);
    *back = true;
    return ret;
}

/* An area that XRSTOR would refuse with #GP is refused here. */
static bool xsave_area_valid(const uint8_t *area, uint64_t xcr0_accum)
{
    const uint8_t *header = area + XSAVE_HEADER;
    uint64_t xstate_bv, xcomp_bv;
    uint32_t mxcsr;

    memcpy(&mxcsr, area + XSAVE_MXCSR, sizeof(mxcsr));
    memcpy(&xstate_bv, header, sizeof(xstate_bv));
    memcpy(&xcomp_bv, header + 8, sizeof(xcomp_bv));
    if ((mxcsr & ~MXCSR_VALID) || (xstate_bv & ~xcr0_accum) || xcomp_bv)
        return false;
    for (unsigned i = 16; i < 64; i++)
        if (header[i])
            return false;
    return true;
}

static long extstate_check(const struct extstate_head *head, const uint8_t *area, uint64_t area_size)
{
    if ((head->xcr0_accum & ~xfeature_mask) || (head->xcr0 & ~head->xcr0_accum) ||
        !xcr0_valid(head->xcr0, xfeature_mask))
        return -EINVAL;
    if (area_size < XSAVE_MIN || area_size != xstate_size_of(head->xcr0_accum))
        return -EINVAL;
    return xsave_area_valid(area, head->xcr0_accum) ? 0 : -EINVAL;
}

long domctl_setvcpuextstate(struct domain *d, struct xen_domctl *op, bool *back)
{
    struct xen_domctl_vcpuextstate *e = &op->u.vcpuextstate;
    struct vcpu *v = vcpu_by_id(d, e->vcpu);
    struct extstate_head *head;
    uint64_t area_size;
    long ret;

    if (d == current->domain || !v)
        return -EINVAL;
    if (!xfeature_mask)
        return -EOPNOTSUPP;
    if (e->size < sizeof(*head) || e->size > sizeof(*head) + xsave_size)
        return -EINVAL;
    area_size = e->size - sizeof(*head);
    head = xzalloc_bytes(e->size);
    if (!head)
        return -ENOMEM;
    if (copy_from_guest_bytes(head, handle_gva(e->buffer), e->size)) {
        ret = -EFAULT;
    } else if (!head->xcr0_accum) {
        ret = 0; /* the vCPU never used it */
    } else {
        ret = extstate_check(head, (const uint8_t *)(head + 1), area_size);
        if (!ret) {
            vcpu_pause(v);
            fpu_reset(v->fpu);
            memcpy(v->fpu, head + 1, area_size);
            v->xcr0 = head->xcr0;
            v->xcr0_accum = head->xcr0_accum | XCR0_LEGACY;
            vcpu_unpause(v);
        }
    }
    xfree(head);
    return ret;
}

/* No MSR is kept for PV vCPUs that has to move with them. */
long domctl_get_vcpu_msrs(struct domain *d, struct xen_domctl *op, bool *back)
{
    if (d == current->domain || d->is_hvm || !vcpu_by_id(d, op->u.vcpu_msrs.vcpu))
        return -EINVAL;
    op->u.vcpu_msrs.msr_count = 0;
    *back = true;
    return 0;
}

long domctl_set_vcpu_msrs(struct domain *d, struct xen_domctl *op, bool *back)
{
    if (d == current->domain || d->is_hvm || !vcpu_by_id(d, op->u.vcpu_msrs.vcpu))
        return -EINVAL;
    return op->u.vcpu_msrs.msr_count ? -EINVAL : 0;
}

/* -- CPU policy --------------------------------------------------------------------------------------------------- */

/* One of the two lists; a null buffer asks for how many entries there may be at most. */
static int policy_list_to_guest(uint64_t gva, uint32_t *nr, const void *list, uint32_t n, size_t size, uint32_t most)
{
    if (!gva) {
        *nr = most;
        return 0;
    }
    if (*nr < n)
        return -ENOBUFS;
    *nr = n;
    return copy_to_guest_bytes(gva, list, n * size);
}

int cpu_policy_to_guest(const struct cpu_policy *p, uint64_t leaves, uint32_t *nr_leaves, uint64_t msrs,
                        uint32_t *nr_msrs)
{
    int rc = policy_list_to_guest(leaves, nr_leaves, p->leaf, p->nr_leaves, sizeof(p->leaf[0]), POLICY_LEAVES_MAX);

    return rc ? rc : policy_list_to_guest(msrs, nr_msrs, p->msr, p->nr_msrs, sizeof(p->msr[0]), POLICY_MSRS_MAX);
}

long domctl_get_cpu_policy(struct domain *d, struct xen_domctl *op, bool *back)
{
    struct xen_domctl_cpu_policy *c = &op->u.cpu_policy;
    int rc = cpu_policy_to_guest(d->policy, handle_gva(c->leaves), &c->nr_leaves, handle_gva(c->msrs), &c->nr_msrs);

    *back = !rc;
    return rc;
}

long domctl_set_cpu_policy(struct domain *d, struct xen_domctl *op, bool *back)
{
    struct xen_domctl_cpu_policy *c = &op->u.cpu_policy;
    size_t leaves_size = c->nr_leaves * sizeof(xen_cpuid_leaf_t), msrs_size = c->nr_msrs * sizeof(xen_msr_entry_t);
    struct cpu_policy *fresh;
    long ret;

    if (d == current->domain)
        return -EINVAL;
    if (d->creation_finished)
        return -EEXIST;
    if (c->nr_leaves > POLICY_LEAVES_MAX || c->nr_msrs > POLICY_MSRS_MAX)
        return -E2BIG;
    fresh = xzalloc(struct cpu_policy);
    if (!fresh)
        return -ENOMEM;
    c->err_leaf = c->err_subleaf = c->err_msr = ~0U;
    if (copy_from_guest_bytes(fresh->leaf, handle_gva(c->leaves), leaves_size) ||
        copy_from_guest_bytes(fresh->msr, handle_gva(c->msrs), msrs_size))
        ret = -EFAULT;
    else
        ret = policy_update(d, fresh->leaf, c->nr_leaves, fresh->msr, c->nr_msrs, &c->err_leaf, &c->err_subleaf,
                            &c->err_msr);
    xfree(fresh);
    *back = true;
    return ret;
}

/* -- TSC ---------------------------------------------------------------------------------------------------------- */

long domctl_gettscinfo(struct domain *d, struct xen_domctl *op, bool *back)
{
    struct xen_domctl_tsc_info *t = &op->u.tsc_info;

    if (d == current->domain)
        return -EINVAL;
    domain_get_tsc_info(d, &t->tsc_mode, &t->elapsed_nsec, &t->gtsc_khz, &t->incarnation);
    *back = true;
    return 0;
}

long domctl_settscinfo(struct domain *d, struct xen_domctl *op, bool *back)
{
    const struct xen_domctl_tsc_info *t = &op->u.tsc_info;
    long ret;

    if (d == current->domain)
        return -EINVAL;
    domain_pause(d);
    ret = domain_set_tsc_info(d, t->tsc_mode, t->elapsed_nsec, t->gtsc_khz, t->incarnation);
    domain_unpause(d);
    return ret;
}
