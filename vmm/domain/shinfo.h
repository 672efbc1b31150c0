/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shared_info and vcpu_info in both layouts.  In 32-bit guests' the event bitmaps are arrays of 32 words of 32 bits, and
 * the selector is a 32-bit word at offset 4 of vcpu_info; the size of vcpu_info and its time member are the same.
 */
#ifndef POLDER_DOMAIN_SHINFO_H
#define POLDER_DOMAIN_SHINFO_H

#include "domain.h"
#include "hypercall.h"

struct shared_info_32 {
    uint8_t vcpu_info[XEN_LEGACY_MAX_VCPUS][64];
    uint32_t evtchn_pending[32], evtchn_mask[32];
    uint32_t wc_version, wc_sec, wc_nsec;
    uint32_t max_pfn, pfn_to_mfn_frame_list_list, nmi_reason, p2m_cr3, p2m_vaddr, p2m_generation;
    uint32_t wc_sec_hi;
};
_Static_assert(sizeof(struct vcpu_info) == 64, "both layouts have this size");
_Static_assert(offsetof(struct vcpu_info, time) == 32, "both layouts have this offset");
_Static_assert(offsetof(struct shared_info_32, wc_version) == 2304, "32-bit ABI");

static inline bool shinfo_caller_is_32bit(void) { return hypercall_is_compat(); }

static inline void *shinfo_pending(const struct domain *d)
{
    return d->shinfo_32bit ? (void *)((struct shared_info_32 *)d->shared_info)->evtchn_pending
                           : (void *)d->shared_info->evtchn_pending;
}
static inline void *shinfo_mask(const struct domain *d)
{
    return d->shinfo_32bit ? (void *)((struct shared_info_32 *)d->shared_info)->evtchn_mask
                           : (void *)d->shared_info->evtchn_mask;
}
static inline unsigned shinfo_word_bits(const struct domain *d) { return d->shinfo_32bit ? 32 : 64; }
static inline void *vcpu_info_selector(const struct vcpu *v)
{
    return (char *)READ_ONCE(v->info) + (v->domain->shinfo_32bit ? 4 : offsetof(struct vcpu_info, evtchn_pending_sel));
}
/* Marks every word of the bitmaps as worth a look. */
static inline void shinfo_select_all(struct vcpu *v)
{
    for (unsigned i = 0; i < shinfo_word_bits(v->domain); i++)
        set_bit(i, vcpu_info_selector(v));
}

#endif
