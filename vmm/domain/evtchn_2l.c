/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 2-level ABI: pending and mask bitmaps in shared_info, and a selector word for each vCPU (public header xen.h,
 * struct shared_info).  Guests change these without a lock, so all is done by atomic operations.
 */
#include "evtchn_port.h"
#include "shinfo.h"

static void l2_notify(struct vcpu *v, uint32_t port)
{
    if (!test_and_set_bit(port / shinfo_word_bits(v->domain), vcpu_info_selector(v)))
        vcpu_mark_events_pending(v);
}

static void l2_set_pending(struct vcpu *v, struct evtchn *chn)
{
    struct domain *d = v->domain;

    if (!test_and_set_bit(chn->port, shinfo_pending(d)) && !test_bit(chn->port, shinfo_mask(d)))
        l2_notify(v, chn->port);
}

static void l2_clear_pending(struct domain *d, struct evtchn *chn) { clear_bit(chn->port, shinfo_pending(d)); }

static void l2_unmask(struct domain *d, struct evtchn *chn)
{
    if (test_and_clear_bit(chn->port, shinfo_mask(d)) && test_bit(chn->port, shinfo_pending(d)))
        l2_notify(d->vcpu[chn->notify_vcpu], chn->port);
}

static bool l2_is_pending(const struct domain *d, const struct evtchn *chn)
{
    return test_bit(chn->port, shinfo_pending(d));
}

static bool l2_is_masked(const struct domain *d, const struct evtchn *chn)
{
    return test_bit(chn->port, shinfo_mask(d));
}

const struct evtchn_port_ops evtchn_2l_ops = {
    .set_pending = l2_set_pending,
    .clear_pending = l2_clear_pending,
    .unmask = l2_unmask,
    .is_pending = l2_is_pending,
    .is_masked = l2_is_masked,
};
