/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest operations on memory: what struct guest_ops asks of an HVM domain's physical map and address space. */
#include "../cpu/percpu.h"
#include "../cpu/regs.h"
#include "../domain/grant.h"
#include "guest_mem.h"
#include "hvm_guest.h"
#include "p2m.h"

/* Hypercall arguments, at the privilege of the caller: the kernel (others are refused before). */
int hvm_copy_from_guest(void *dst, uint64_t gva, size_t n)
{
    uint32_t pfec = 0;
    uint64_t at;

    return hvm_copy_from_gva(current, dst, gva, n, &pfec, &at);
}

int hvm_copy_to_guest(uint64_t gva, const void *src, size_t n)
{
    uint32_t pfec = 0;
    uint64_t at;

    return hvm_copy_to_gva(current, gva, src, n, &pfec, &at);
}

struct page_info *hvm_get_page(struct domain *d, gfn_t gfn, bool write, int *err)
{
    enum p2m_type t;
    struct page_info *pg = p2m_get_page(d, gfn, &t);

    *err = -EINVAL;
    if (!pg)
        return NULL;
    /* What belongs to others is not d's to lend; ROM and the like are not to be written. */
    if (t == P2M_foreign || t == P2M_grant_rw || t == P2M_grant_ro ||
        (write && t != P2M_ram_rw && t != P2M_ram_logdirty))
        goto put;
    if (!write)
        return pg;
    if (page_get_type(pg, PGT_writable_page))
        goto put;
    if (t == P2M_ram_logdirty)
        p2m_note_write(d, gfn);
    return pg;

put:
    page_put(pg);
    return NULL;
}

mfn_t hvm_gfn_to_mfn(struct domain *d, gfn_t gfn) { return p2m_lookup(d, gfn, NULL, NULL); }

int hvm_physmap_add(struct domain *d, gfn_t gfn, mfn_t mfn, unsigned order)
{
    int rc = p2m_set(d, gfn, mfn, order, P2M_ram_rw);

    for (uint64_t i = 0; i < 1UL << order && !rc; i++)
        m2p_set(mfn_add(mfn, i), gfn.v + i);
    return rc;
}

int hvm_physmap_remove(struct domain *d, gfn_t gfn, mfn_t mfn, unsigned order)
{
    enum p2m_type t;
    int rc;

    for (uint64_t i = 0; i < 1UL << order; i++) {
        mfn_t now = p2m_lookup(d, gfn_add(gfn, i), &t, NULL);

        if (!mfn_eq(now, mfn_add(mfn, i)) || t == P2M_mmio_direct || t == P2M_apic_access)
            return -EINVAL;
    }
    rc = p2m_set(d, gfn, INVALID_MFN, order, P2M_invalid);
    for (uint64_t i = 0; i < 1UL << order && !rc; i++)
        if (m2p_get(mfn_add(mfn, i)) == gfn.v + i)
            m2p_set(mfn_add(mfn, i), M2P_INVALID);
    if (!rc && current->domain == d)
        hvm_dom(d)->mapcache_invalidate = true;
    return rc;
}

int hvm_physmap_add_foreign(struct domain *d, gfn_t gfn, mfn_t mfn) { return p2m_set(d, gfn, mfn, 0, P2M_foreign); }

int hvm_map_mmio(struct domain *d, gfn_t gfn, mfn_t mfn, uint64_t n, bool add)
{
    enum p2m_type t;

    for (uint64_t i = 0; i < n; i++) {
        mfn_t now = p2m_lookup(d, gfn_add(gfn, i), &t, NULL);
        int rc;

        if (add && t != P2M_invalid && t != P2M_mmio_dm && !(t == P2M_mmio_direct && mfn_eq(now, mfn_add(mfn, i))))
            return -EBUSY;
        if (!add && (t != P2M_mmio_direct || !mfn_eq(now, mfn_add(mfn, i))))
            continue;
        rc = p2m_set(d, gfn_add(gfn, i), add ? mfn_add(mfn, i) : INVALID_MFN, 0, add ? P2M_mmio_direct : P2M_invalid);
        if (rc)
            return rc;
    }
    return 0;
}

int hvm_grant_map(struct domain *d, uint64_t host_addr, mfn_t mfn, unsigned gnttab_flags, unsigned cache_flags)
{
    if ((host_addr & ~PAGE_MASK) || (gnttab_flags & GNTMAP_contains_pte) || cache_flags)
        return -EINVAL;
    return p2m_set(d, gpa_to_gfn(GPA(host_addr)), mfn, 0, gnttab_flags & GNTMAP_readonly ? P2M_grant_ro : P2M_grant_rw);
}

int hvm_grant_unmap(struct domain *d, uint64_t host_addr, mfn_t mfn, unsigned gnttab_flags, uint64_t new_addr)
{
    if ((host_addr & ~PAGE_MASK) || new_addr)
        return -EINVAL;
    return p2m_clear_grant(d, gpa_to_gfn(GPA(host_addr)), mfn);
}

void hvm_mark_dirty(struct domain *d, mfn_t mfn)
{
    uint64_t gfn = m2p_get(mfn);
    enum p2m_type t;

    if (gfn == M2P_INVALID || !mfn_eq(p2m_lookup(d, GFN(gfn), &t, NULL), mfn))
        return;
    if (t == P2M_ram_logdirty)
        p2m_note_write(d, GFN(gfn));
    else
        p2m_mark_dirty(d, GFN(gfn));
}
