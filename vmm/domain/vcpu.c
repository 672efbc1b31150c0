/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vCPUs: creation, their vcpu_info, pausing them and their domains.  Pause counts are atomic; the registered
 * vcpu_info changes under the domain's lock.
 */
#include "vcpu.h"

#include "../cpu/asm.h"
#include "../cpu/fpu.h"
#include "../cpu/percpu.h"
#include "../lib/string.h"
#include "../mm/alloc.h"
#include "../sched/sched.h"
#include "evtchn.h"
#include "shinfo.h"

/* Of vCPUs that shared_info has no room for, until they register their own: nobody reads what is written here. */
static struct vcpu_info nowhere;

static void vcpu_init_info(struct vcpu *v)
{
    struct domain *d = v->domain;

    v->info = d->shared_info && v->id < XEN_LEGACY_MAX_VCPUS ? &d->shared_info->vcpu_info[v->id] : &nowhere;
}

void vcpu_destroy(struct vcpu *v)
{
    struct domain *d = v->domain;

    vcpu_timers_kill(v);
    if (v->pv) /* the guest type's part, whichever it is */
        v->ops->vcpu_free(v);
    evtchn_vcpu_destroy(v);
    vcpu_unmap_info(v);
    sched_destroy_vcpu(v);
    fpu_free(v->fpu);
    d->vcpu[v->id] = NULL;
    xfree(v);
}

int vcpu_create(struct domain *d, unsigned id, struct vcpu **out)
{
    struct vcpu *v;
    int ret = -ENOMEM;

    *out = NULL;
    if (id >= d->max_vcpus || d->vcpu[id])
        return -EINVAL;
    v = xzalloc(struct vcpu);
    if (!v)
        return -ENOMEM;
    v->id = id;
    v->domain = d;
    v->ops = d->ops;
    v->is_idle = d == idle_domain;
    v->xcr0 = 1; /* x87 is always on */
    v->xcr0_accum = XCR0_LEGACY;
    list_init(&v->tasklet_list);
    vcpu_init_info(v);
    vcpu_timers_init(v);
    if (v->is_idle) {
        v->processor = id;
        v->is_initialised = true;
    } else {
        set_bit(VPF_down, &v->pause_flags);
        v->fpu = fpu_alloc();
        if (!v->fpu)
            goto fail;
    }
    if ((ret = sched_init_vcpu(v)) || (v->ops->vcpu_init && (ret = v->ops->vcpu_init(v))))
        goto fail;
    __atomic_store_n(&d->vcpu[id], v, __ATOMIC_RELEASE);
    *out = v;
    return 0;

fail:
    vcpu_destroy(v);
    return ret;
}

int vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *ctx)
{
    int ret = v->ops->set_context(v, ctx);

    if (ret)
        return ret;
    v->is_initialised = true;
    if (ctx->flags & VGCF_online)
        clear_bit(VPF_down, &v->pause_flags);
    else
        set_bit(VPF_down, &v->pause_flags);
    return 0;
}

/* -- vcpu_info ---------------------------------------------------------------------------------------------------- */

void vcpu_unmap_info(struct vcpu *v)
{
    struct page_info *page = v->info_page;

    if (!page)
        return;
    v->info_page = NULL;
    vcpu_init_info(v);
    page_put_and_type(page);
}

int vcpu_register_info(struct vcpu *v, gfn_t gfn, unsigned offset)
{
    struct domain *d = v->domain;
    struct page_info *page;
    struct vcpu_info *info;
    int err = -EINVAL;

    /* The ABI asks for no alignment; 4 bytes is what atomic operations on it need. */
    if (offset > PAGE_SIZE - sizeof(struct vcpu_info) || offset % 4)
        return -EINVAL;
    if (v != current && !test_bit(VPF_down, &v->pause_flags))
        return -EINVAL;
    page = d->ops->get_page(d, gfn, true, &err);
    if (!page)
        return err;

    spin_lock(&d->lock);
    if (v->info_page || d->dying) {
        spin_unlock(&d->lock);
        page_put_and_type(page);
        return -EINVAL;
    }
    info = (struct vcpu_info *)((char *)page_to_virt(page) + offset);
    if (v->info == &nowhere) {
        memset(info, 0, sizeof(*info));
        info->evtchn_upcall_mask = is_pv_domain(d);
    } else {
        memcpy(info, v->info, sizeof(*info));
    }
    v->info_page = page;
    smp_mb();
    WRITE_ONCE(v->info, info);
    v->time_epoch = 0;
    spin_unlock(&d->lock);

    /* What came while it moved may be marked in the old place only: let the guest look at everything. */
    smp_mb();
    shinfo_select_all(v);
    vcpu_mark_events_pending(v);
    return 0;
}

void domain_latch_shinfo_size(struct domain *d)
{
    if (d->is_hvm && current->domain == d)
        d->shinfo_32bit = shinfo_caller_is_32bit();
}

/* -- pausing ------------------------------------------------------------------------------------------------------ */

void vcpu_pause_nosync(struct vcpu *v)
{
    __atomic_fetch_add(&v->pause_count, 1, __ATOMIC_SEQ_CST);
    vcpu_sleep_nosync(v);
}

void vcpu_pause(struct vcpu *v)
{
    ASSERT(v != current);
    __atomic_fetch_add(&v->pause_count, 1, __ATOMIC_SEQ_CST);
    vcpu_sleep_sync(v);
}

void vcpu_unpause(struct vcpu *v)
{
    if (__atomic_sub_fetch(&v->pause_count, 1, __ATOMIC_SEQ_CST) == 0)
        vcpu_wake(v);
}

void domain_pause_nosync(struct domain *d)
{
    struct vcpu *v;

    __atomic_fetch_add(&d->pause_count, 1, __ATOMIC_SEQ_CST);
    for_each_vcpu(d, v)
        vcpu_sleep_nosync(v);
}

void domain_pause(struct domain *d)
{
    struct vcpu *v;

    ASSERT(d != current->domain);
    domain_pause_nosync(d);
    for_each_vcpu(d, v)
        vcpu_sleep_sync(v);
}

void domain_unpause(struct domain *d)
{
    struct vcpu *v;

    if (__atomic_sub_fetch(&d->pause_count, 1, __ATOMIC_SEQ_CST) == 0)
        for_each_vcpu(d, v)
            vcpu_wake(v);
}

int domain_pause_by_controller(struct domain *d)
{
    if (d == current->domain)
        return -EINVAL;
    spin_lock(&d->lock);
    if (d->controller_pause_count >= 255) {
        spin_unlock(&d->lock);
        return -EOVERFLOW;
    }
    d->controller_pause_count++;
    spin_unlock(&d->lock);
    domain_pause(d);
    return 0;
}

int domain_unpause_by_controller(struct domain *d)
{
    spin_lock(&d->lock);
    if (d->controller_pause_count <= 0) {
        spin_unlock(&d->lock);
        return -EINVAL;
    }
    d->controller_pause_count--;
    d->creation_finished = true;
    spin_unlock(&d->lock);
    domain_unpause(d);
    return 0;
}
