/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptor tables of PV vCPUs.  The pages are the guest's own, typed so that
 * it cannot write them, and mapped in the per-domain area, where GDTR and LDTR
 * point.  The mapping is writable: the CPU sets accessed bits.  AMD APM 2, 4.7
 * and 4.8; Intel SDM 3A, 3.4.5.
 */
#include "mm.h"
#include "../cpu/cpu.h"
#include "../cpu/percpu.h"
#include "../domain/hypercall.h"
#include "../mm/tlb.h"

#define DESC_PER_PAGE (PAGE_SIZE / 8)
#define GUEST_GDT_PAGES GDT_PAGE_OF_HV
#define LDT_PAGES 16
#define LDT_MAX_ENTRIES 8192
#define MAP_FLAGS (PTE_P | PTE_W | PTE_A | PTE_D | PTE_NX)

#define DESC_TYPE (0xfUL << 40)
#define DESC_S (1UL << 44)
#define DESC_DPL (3UL << 45)
#define DESC_P (1UL << 47)

static pte_t *gdt_entries(const struct vcpu *v)
{
    unsigned first = v->id * PERDOMAIN_VCPU_PAGES;

    return v->domain->pv->perdomain_l1[first / PT_ENTRIES] + first % PT_ENTRIES;
}
static pte_t *ldt_entries(const struct vcpu *v) { return gdt_entries(v) + LDT_PAGES; }

bool pv_check_descriptor(uint64_t *desc)
{
    uint64_t d = *desc;

    /* What is not present faults whenever it is used. */
    if (!(d & DESC_P)) {
        return true;
    }
    /* Guests run in ring 3: a segment of a higher privilege is one of theirs, meant for their kernel. */
    if (d & DESC_S) {
        *desc = d | DESC_DPL;
        return true;
    }
    /* Type 0 is reserved, so of no use. TSS, LDT and gates would lead out of ring 3. AMD APM 2, 4.8.3 */
    return !(d & DESC_TYPE);
}

/* -- GDT ----------------------------------------------------------------------------------------------------------- */
void pv_map_host_gdt(struct vcpu *v, unsigned cpu)
{
    WRITE_ONCE(gdt_entries(v)[GDT_PAGE_OF_HV], make_pte(host_gdt_mfn(cpu), MAP_FLAGS));
}

void pv_destroy_gdt(struct vcpu *v)
{
    pte_t *entry = gdt_entries(v);
    unsigned n = DIV_ROUND_UP(v->pv->gdt_ents, DESC_PER_PAGE);

    for (unsigned i = 0; i < n; i++) {
        WRITE_ONCE(entry[i], 0);
    }
    if (v == current) {
        flush_tlb_local(FLUSH_TLB, 0);
    }
    for (unsigned i = 0; i < n; i++) {
        page_put_and_type(mfn_to_page(MFN(v->pv->gdt_frames[i])));
        v->pv->gdt_frames[i] = 0;
    }
    v->pv->gdt_ents = 0;
}

int pv_set_gdt(struct vcpu *v, const uint64_t *frames, unsigned entries)
{
    unsigned n = DIV_ROUND_UP(entries, DESC_PER_PAGE), i;
    pte_t *entry = gdt_entries(v);
    struct page_info *pg;

    if (n > GUEST_GDT_PAGES) {
        return -EINVAL;
    }
    for (i = 0; i < n; i++) {
        pg = page_get_from_mfn(MFN(frames[i]), v->domain);
        if (!pg) {
            goto fail;
        }
        if (page_get_type(pg, PGT_seg_desc_page)) {
            page_put(pg);
            goto fail;
        }
    }
    pv_destroy_gdt(v);
    for (i = 0; i < n; i++) {
        v->pv->gdt_frames[i] = frames[i];
        WRITE_ONCE(entry[i], make_pte(MFN(frames[i]), MAP_FLAGS));
    }
    v->pv->gdt_ents = entries;
    return 0;

fail:
    while (i-- > 0) {
        page_put_and_type(mfn_to_page(MFN(frames[i])));
    }
    return -EINVAL;
}

long do_set_gdt(uint64_t frame_list, uint64_t entries, uint64_t unused, uint64_t unused2, uint64_t unused3)
{
    unsigned n = DIV_ROUND_UP((uint32_t)entries, DESC_PER_PAGE);
    uint64_t frames[GUEST_GDT_PAGES] = {};
    struct vcpu *v = current;
    int rc;

    if ((uint32_t)entries > GUEST_GDT_PAGES * DESC_PER_PAGE) {
        return -EINVAL;
    }
    if (copy_from_guest_bytes(frames, frame_list, n * sizeof(frames[0]))) {
        return -EFAULT;
    }
    rc = pv_set_gdt(v, frames, (uint32_t)entries);
    if (!rc) {
        flush_tlb_local(FLUSH_TLB, 0);
    }
    return rc;
}

/* -- LDT: mapped page by page, as the CPU touches it --------------------------------------------------------------- */
bool pv_invalidate_ldt(struct vcpu *v)
{
    pte_t *entry = ldt_entries(v), old[LDT_PAGES];
    unsigned n = 0;

    if (!READ_ONCE(v->pv->ldt_mapped)) {
        return false;
    }
    spin_lock(&v->pv->ldt_lock);
    for (unsigned i = 0; i < LDT_PAGES; i++) {
        if (entry[i]) {
            old[n++] = entry[i];
            WRITE_ONCE(entry[i], 0);
        }
    }
    v->pv->ldt_mapped = 0;
    spin_unlock(&v->pv->ldt_lock);
    if (v == current) {
        flush_tlb_local(FLUSH_TLB, 0);
    }
    for (unsigned i = 0; i < n; i++) {
        page_put_and_type(mfn_to_page(pte_mfn(old[i])));
    }
    return n != 0;
}

void pv_load_ldt(struct vcpu *v) { load_ldt_for(v->pv->ldt_ents ? pv_ldt_va(v) : 0, v->pv->ldt_ents); }

int pv_set_ldt(struct vcpu *v, uint64_t base, unsigned entries)
{
    if (entries > LDT_MAX_ENTRIES || (entries && ((base & ~PAGE_MASK) || !is_guest_va(base)))) {
        return -EINVAL;
    }
    pv_invalidate_ldt(v);
    v->pv->ldt_base = base;
    v->pv->ldt_ents = entries;
    if (v == current) {
        pv_load_ldt(v);
    }
    return 0;
}

bool pv_map_ldt_page(struct vcpu *v, unsigned offset)
{
    unsigned page = offset / PAGE_SIZE;
    struct page_info *pg;
    pte_t e, *slot = ldt_entries(v) + page;

    if (page >= LDT_PAGES || offset / 8 >= v->pv->ldt_ents) {
        return false;
    }
    /* The base is an address of the guest's kernel. */
    e = pv_walk_kernel(v, v->pv->ldt_base + (offset & PAGE_MASK));
    if (!(e & PTE_P)) {
        return false;
    }
    pg = page_get_from_mfn(pte_mfn(e), v->domain);
    if (!pg) {
        return false;
    }
    if (page_get_type(pg, PGT_seg_desc_page)) {
        page_put(pg);
        return false;
    }
    spin_lock(&v->pv->ldt_lock);
    if (!*slot) {
        WRITE_ONCE(*slot, make_pte(page_to_mfn(pg), MAP_FLAGS));
        v->pv->ldt_mapped++;
        pg = NULL;
    }
    spin_unlock(&v->pv->ldt_lock);
    if (pg) {
        page_put_and_type(pg);
    }
    return true;
}

/* -- single descriptors -------------------------------------------------------------------------------------------- */
__hot bool pv_read_descriptor(struct vcpu *v, unsigned sel, uint64_t *desc)
{
    unsigned index = (sel & 0xffff) >> 3;

    if (!(sel & 4)) {
        mfn_t frame;

        if (index / DESC_PER_PAGE == GDT_PAGE_OF_HV) {
            frame = host_gdt_mfn(v->processor);
        } else if (index < v->pv->gdt_ents) {
            frame = MFN(v->pv->gdt_frames[index / DESC_PER_PAGE]);
        } else {
            return false;
        }
        *desc = READ_ONCE(((const uint64_t *)mfn_to_virt(frame))[index % DESC_PER_PAGE]);
        return true;
    }
    if (index >= v->pv->ldt_ents) {
        return false;
    }
    return !pv_copy_from_guest(desc, v->pv->ldt_base + index * 8, sizeof(*desc));
}

long do_update_descriptor(uint64_t maddr, uint64_t desc, uint64_t unused, uint64_t unused2, uint64_t unused3)
{
    struct domain *d = current->domain;
    struct page_info *pg;
    uint64_t type;
    long rc = -EINVAL;

    if ((maddr & 7) || !pv_check_descriptor(&desc)) {
        return -EINVAL;
    }
    pg = page_get_from_mfn(paddr_to_mfn(maddr), d);
    if (!pg) {
        return -EINVAL;
    }
    type = READ_ONCE(pg->type_info) & PGT_type_mask;
    if (type != PGT_seg_desc_page) {
        type = PGT_writable_page;
    }
    if (!page_get_type(pg, type)) {
        __atomic_store_n((uint64_t *)((char *)page_to_virt(pg) + (maddr & ~PAGE_MASK)), desc, __ATOMIC_SEQ_CST);
        page_put_type(pg);
        rc = 0;
    }
    page_put(pg);
    return rc;
}
