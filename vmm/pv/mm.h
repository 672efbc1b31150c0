/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of PV domains: page types and page-table updates, address-space
 * switching, descriptor tables, guest copies.
 */
#ifndef POLDER_PV_MM_H
#define POLDER_PV_MM_H

#include "../mm/tlb.h"
#include "pv.h"

/* -- pv_memory.c: a domain's life ------------------------------------------------------------------------------ */
int pv_mm_domain_init(struct domain *d) __must_check;
/* Drops every vCPU's tables, unpins and invalidates all page tables; -ERESTART: call again. */
int pv_mm_relinquish(struct domain *d) __must_check;
void pv_mm_domain_free(struct domain *d);
int pv_mm_vcpu_init(struct vcpu *v) __must_check;
void pv_mm_vcpu_free(struct vcpu *v);

/* Fills the hypervisor's slots of an L4 that is to be used by d: for validated L4s, done by the type code. */
void pv_init_l4_slots(struct domain *d, pte_t *l4);

/* -- address spaces ---------------------------------------------------------------------------------------------- */
/* Of v's present mode (kernel or user); idle_cr3() if it has no tables. */
static inline uint64_t pv_make_cr3(const struct vcpu *v)
{
    mfn_t m = v->pv->kernel_mode ? v->pv->guest_table : v->pv->guest_table_user;

    return m.v ? mfn_to_paddr(m) : idle_cr3();
}
/* Loads CR3 for current in its present mode: after pv->kernel_mode or a base changed, and in switch_to. */
static inline void pv_write_cr3(struct vcpu *v)
{
    v->pv->cr3 = pv_make_cr3(v);
    write_cr3_flush(v->pv->cr3);
}
/* Switches current between kernel and user mode: CR3 (and SWAPGS is the caller's). */
static inline void pv_toggle_mode(struct vcpu *v)
{
    v->pv->kernel_mode = !v->pv->kernel_mode;
    pv_write_cr3(v);
}
/* A new kernel (user) table for v, with the guest's frame number; preemptible. 0 for user: none. */
int pv_set_kernel_base(struct vcpu *v, mfn_t mfn) __must_check;
int pv_set_user_base(struct vcpu *v, mfn_t mfn) __must_check;
/* The two drop what v holds (v is off its CPU, or current about to run on idle tables); preemptible. */
int pv_drop_bases(struct vcpu *v) __must_check;

/* -- descriptor.c ------------------------------------------------------------------------------------------------- */
/* frames: guest's frame numbers. Validates all first. */
int pv_set_gdt(struct vcpu *v, const uint64_t *frames, unsigned entries) __must_check;
void pv_destroy_gdt(struct vcpu *v);
int pv_set_ldt(struct vcpu *v, uint64_t base, unsigned entries) __must_check;
bool pv_invalidate_ldt(struct vcpu *v);                /* unmaps what was mapped lazily; true if anything was */
void pv_load_ldt(struct vcpu *v);                      /* LDTR of this CPU, as v wants it */
bool pv_map_ldt_page(struct vcpu *v, unsigned offset); /* on a fault: maps the guest's page of the LDT */
/* Address of v's GDT, LDT in the per-domain area. */
static inline uint64_t pv_gdt_va(const struct vcpu *v)
{
    return PERDOMAIN_START + (uint64_t)v->id * PERDOMAIN_VCPU_PAGES * PAGE_SIZE;
}
static inline uint64_t pv_ldt_va(const struct vcpu *v) { return pv_gdt_va(v) + 16 * PAGE_SIZE; }
/* Maps this CPU's reserved GDT page into v's area: in switch_to, before load_gdt_for(pv_gdt_va(v)). */
void pv_map_host_gdt(struct vcpu *v, unsigned cpu);
/* Checks a descriptor that a guest wants, mending its privilege; false: refused. */
bool pv_check_descriptor(uint64_t *desc);
/* Reads a descriptor of v's GDT or LDT by its selector. False: beyond the limit or not readable. */
bool pv_read_descriptor(struct vcpu *v, unsigned sel, uint64_t *desc);
/* A selector that may be loaded by the guest as it stands: RPL and table mended to ring 3. */
static inline uint16_t pv_fixup_selector(uint16_t sel) { return (sel & 3) == 3 ? sel : (uint16_t)(sel | 3); }

/* -- faults -------------------------------------------------------------------------------------------------------- */
/*
 * First look at every page fault taken while a PV vCPU is current, from guest or hypervisor code. True: handled, resume.
 * Covers writes to page-table pages (ptwr), faults in the LDT and GDT areas, and stale TLB entries.
 */
bool pv_mm_page_fault(struct cpu_user_regs *regs, uint64_t cr2);

/* -- guest_copy.c: guest_ops --------------------------------------------------------------------------------------- */
int pv_copy_from_guest(void *dst, uint64_t gva, size_t n);
int pv_copy_to_guest(uint64_t gva, const void *src, size_t n);
/* What linear address va maps to in current's tables: the leaf entry (0: not present), and its level. */
pte_t pv_walk(const struct vcpu *v, uint64_t va, unsigned *level);
pte_t pv_walk_kernel(const struct vcpu *v, uint64_t va); /* in its kernel's tables, whatever its mode */

/* -- pv_memory.c and pv_grant.c: guest_ops ------------------------------------------------------------------------- */
struct page_info *pv_get_page(struct domain *d, gfn_t gfn, bool write, int *err);
mfn_t pv_gfn_to_mfn(struct domain *d, gfn_t gfn);
int pv_physmap_add(struct domain *d, gfn_t gfn, mfn_t mfn, unsigned order);
int pv_physmap_remove(struct domain *d, gfn_t gfn, mfn_t mfn, unsigned order);
int pv_map_mmio(struct domain *d, gfn_t gfn, mfn_t mfn, uint64_t n, bool add);
int pv_grant_map(struct domain *d, uint64_t host_addr, mfn_t mfn, unsigned gnttab_flags, unsigned cache_flags);
int pv_grant_unmap(struct domain *d, uint64_t host_addr, mfn_t mfn, unsigned gnttab_flags, uint64_t new_addr);

/* -- hypercalls, registered by pv_mm_register() -------------------------------------------------------------------- */
void pv_mm_register(void);
long do_mmu_update(uint64_t ureqs, uint64_t count, uint64_t pdone, uint64_t foreigndom, uint64_t);
long do_mmuext_op(uint64_t uops, uint64_t count, uint64_t pdone, uint64_t foreigndom, uint64_t);
long do_update_va_mapping(uint64_t va, uint64_t val, uint64_t flags, uint64_t, uint64_t);
long do_update_va_mapping_otherdomain(uint64_t va, uint64_t val, uint64_t flags, uint64_t domid, uint64_t);
long do_set_gdt(uint64_t frames, uint64_t entries, uint64_t, uint64_t, uint64_t);
long do_update_descriptor(uint64_t maddr, uint64_t desc, uint64_t, uint64_t, uint64_t);

/* -- between the files of the memory side -------------------------------------------------------------------------- */
/* pte.c: the rules for one entry. Bits that a guest's entry is given (U) or loses (G). */
pte_t pv_adjust_pte(pte_t e);
/* The frame is no RAM in anyone's hands: iomem_caps decide who maps it, and mappings hold no reference. */
bool pv_frame_is_io(mfn_t m);
/* References of a present level-1 entry, in a table of l1_owner, that names a frame of pg_owner. 0, -EINVAL, -EPERM. */
int pv_get_l1e(pte_t e, const struct domain *l1_owner, const struct domain *pg_owner) __must_check;
void pv_put_l1e(pte_t e);
/* References of a present entry in a table at 'level' (2 to 4) of d. 0, -EINVAL, -ERESTART. */
int pv_get_table_entry(pte_t e, unsigned level, const struct domain *d, bool preemptible) __must_check;
/* -ERESTART: *rest is the table that is still being undone, its reference now the caller's (rest NULL: dropped). */
int pv_put_table_entry(pte_t e, bool preemptible, struct page_info **rest) __must_check;

/* A change of an entry; the table is locked by page_type_lock(). */
struct pv_pte_change {
    const struct domain *pt_owner;
    struct domain *pg_owner;
    bool preserve_ad;    /* keep the accessed and dirty bits that the CPU has set */
    bool translate;      /* a frame number of an HVM pg_owner is a gfn */
    const pte_t *expect; /* change it only if it is this (-EAGAIN otherwise); NULL: whatever it is */
};
int pv_change_l1e(pte_t *p, pte_t new, const struct pv_pte_change *c) __must_check;
/* -ERESTART: either nothing has changed, or the entry has and *rest is to be finished (page_type_finish, page_put). */
int pv_change_table_entry(pte_t *p, pte_t new, unsigned level, const struct pv_pte_change *c,
                          struct page_info **rest) __must_check;

/* ptwr.c: emulates a write of the guest's kernel to a level-1 table that is mapped read-only. False: it was not that. */
bool pv_ptwr(struct cpu_user_regs *regs, uint64_t cr2);

/* pv_memory.c: finishes v's old table, if there is one: 0 or -ERESTART. Every MMU hypercall begins with it. */
int pv_finish_old_table(struct vcpu *v) __must_check;
/* Drops a type (page_put_unmapped_type()) and a general reference; what is left is v's old table: then -ERESTART. */
int pv_put_table(struct vcpu *v, struct page_info *pg) __must_check;

/* va_mapping.c: v's level-1 table for va (of its kernel's address space), with a reference and locked; NULL: none. */
struct page_info *pv_lock_l1_of(struct vcpu *v, uint64_t va);
void pv_unlock_l1(struct page_info *pg);

/* mmuext.c: the domain that foreigndom names, with a reference (pv_put_pg_owner); *err: -ESRCH, -EPERM. */
struct domain *pv_get_pg_owner(domid_t id, int *err);
void pv_put_pg_owner(struct domain *d);
/* Physical CPUs that may cache translations of the vCPUs in a guest's bitmap; of all of d. 0 or -EFAULT. */
int pv_vcpumask_to_cpus(struct domain *d, uint64_t gva, cpumask_t *out) __must_check;
void pv_dirty_cpus(struct domain *d, cpumask_t *out);

extern const struct page_type_ops pv_page_type_ops; /* page_types.c */

#endif
