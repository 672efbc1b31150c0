/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies to and from a guest's memory, by guest physical or linear address. References make frames stay meanwhile. */
#include "../cpu/regs.h"
#include "../lib/string.h"
#include "guest_mem.h"
#include "p2m.h"

struct page_info *hvm_get_ram(struct domain *d, gpa_t gpa, bool write, enum guest_ram *kind)
{
    enum p2m_type t;
    struct page_info *pg = p2m_get_page(d, gpa_to_gfn(gpa), &t);

    *kind = GUEST_NOT_RAM;
    if (!pg)
        return NULL;
    if (write && t == P2M_ram_ro) {
        *kind = GUEST_RAM_DISCARD;
    } else if (write && (t == P2M_grant_ro || t == P2M_ioreq_server)) {
        page_put(pg);
        return NULL;
    } else {
        *kind = GUEST_RAM;
    }
    if (write && t == P2M_ram_logdirty)
        p2m_note_write(d, gpa_to_gfn(gpa));
    return pg;
}

static size_t copy_chunk(uint64_t addr, size_t n) { return MIN(n, (size_t)(PAGE_SIZE - (addr & ~PAGE_MASK))); }

static int copy_page(struct domain *d, void *buf, gpa_t gpa, size_t n, bool write)
{
    enum guest_ram kind;
    struct page_info *pg = hvm_get_ram(d, gpa, write, &kind);
    char *va;

    if (!pg)
        return -EFAULT;
    va = (char *)page_to_virt(pg) + (gpa.v & ~PAGE_MASK);
    if (!write)
        memcpy(buf, va, n);
    else if (kind == GUEST_RAM)
        memcpy(va, buf, n);
    page_put(pg);
    return 0;
}

static int copy_gpa(struct domain *d, char *buf, gpa_t gpa, size_t n, bool write)
{
    while (n) {
        size_t chunk = copy_chunk(gpa.v, n);
        int rc = copy_page(d, buf, gpa, chunk, write);

        if (rc)
            return rc;
        buf += chunk;
        gpa.v += chunk;
        n -= chunk;
    }
    return 0;
}

int hvm_copy_from_gpa(struct domain *d, void *dst, gpa_t gpa, size_t n) { return copy_gpa(d, dst, gpa, n, false); }

int hvm_copy_to_gpa(struct domain *d, gpa_t gpa, const void *src, size_t n)
{
    return copy_gpa(d, (char *)src, gpa, n, true);
}

static int copy_gva(struct vcpu *v, char *buf, uint64_t gva, size_t n, uint32_t *pfec, uint64_t *fault_gva, bool write)
{
    uint32_t want = *pfec | (write ? PFEC_W : 0);

    while (n) {
        size_t chunk = copy_chunk(gva, n);
        uint32_t ec = want;
        gpa_t gpa;
        int rc = hvm_gva_to_gpa(v, gva, &ec, &gpa);

        if (!rc) {
            rc = copy_page(v->domain, buf, gpa, chunk, write);
            ec = rc ? (want & ~PFEC_IMPLICIT) : 0;
        }
        if (rc) {
            *pfec = ec;
            *fault_gva = gva;
            return rc;
        }
        buf += chunk;
        gva += chunk;
        n -= chunk;
    }
    return 0;
}

int hvm_copy_from_gva(struct vcpu *v, void *dst, uint64_t gva, size_t n, uint32_t *pfec, uint64_t *fault_gva)
{
    return copy_gva(v, dst, gva, n, pfec, fault_gva, false);
}

int hvm_copy_to_gva(struct vcpu *v, uint64_t gva, const void *src, size_t n, uint32_t *pfec, uint64_t *fault_gva)
{
    return copy_gva(v, (char *)src, gva, n, pfec, fault_gva, true);
}
