/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page faults that are the hypervisor's to resolve: descriptor tables mapped
 * on demand, writes to page tables, TLB entries older than the tables.
 * AMD APM 2, 8.2.15 and 8.4.2; Intel SDM 3A, 4.7.
 */
#include "mm.h"
#include "../cpu/asm.h"
#include "../cpu/cpu.h"
#include "../cpu/percpu.h"
#include "../cpu/regs.h"
#include "../mm/tlb.h"

#define LDT_OFFSET (16 * PAGE_SIZE)

static bool from_guest(const struct cpu_user_regs *regs) { return (regs->cs & 3) == 3; }

/* The CPU, not the guest's code, read a descriptor that is not mapped. 'offset' is in v's part of the per-domain area. */
static bool descriptor_fault(struct vcpu *v, struct cpu_user_regs *regs, unsigned offset)
{
    if (regs->error_code & PFEC_U) {
        return false;
    }
    if (offset < LDT_OFFSET) {
        if (!from_guest(regs)) {
            return false;
        }
        /* Beyond the frames that it gave: as beyond the limit. */
        pv_inject_exception(X86_TRAP_GP, offset & 0xfff8);
        return true;
    }
    offset -= LDT_OFFSET;
    if (pv_map_ldt_page(v, offset)) {
        return true;
    }
    if (!from_guest(regs)) {
        return false;
    }
    pv_inject_page_fault(regs->error_code, v->pv->ldt_base + offset);
    return true;
}

/* Do the tables in CR3 allow the access after all? */
static __hot bool tables_allow(const struct cpu_user_regs *regs, uint64_t va)
{
    uint64_t need = PTE_P | (regs->error_code & PFEC_W ? PTE_W : 0) | (from_guest(regs) ? PTE_U : 0);
    mfn_t table = paddr_to_mfn(read_cr3() & PTE_ADDR);

    /* SMAP and SMEP refuse the hypervisor what the tables allow. */
    if (!from_guest(regs) &&
        ((regs->error_code & PFEC_I) || ((mmu_cr4_features & CR4_SMAP) && !(regs->rflags & EFLAGS_AC)))) {
        return false;
    }
    for (unsigned level = 4; level; level--) {
        pte_t e;

        if (!mfn_valid(table)) {
            return false;
        }
        e = READ_ONCE(((const pte_t *)mfn_to_virt(table))[PT_INDEX(va, level)]);
        if ((e & need) != need || ((regs->error_code & PFEC_I) && (e & PTE_NX))) {
            return false;
        }
        table = pte_mfn(e);
    }
    return true;
}

__hot_entry bool pv_mm_page_fault(struct cpu_user_regs *regs, uint64_t cr2)
{
    struct vcpu *v = current;
    uint64_t area = cr2 - pv_gdt_va(v);

    if (regs->error_code & PFEC_RSVD) {
        return false;
    }
    if (area < PERDOMAIN_VCPU_PAGES * PAGE_SIZE) {
        return descriptor_fault(v, regs, (unsigned)area);
    }
    if (!is_guest_va(cr2)) {
        return false;
    }
    /* First what is frequent: a page table that is mapped read-only cannot be what a TLB has forgotten. */
    if (from_guest(regs) && (regs->error_code & (PFEC_P | PFEC_W | PFEC_I)) == (PFEC_P | PFEC_W) &&
        pv_ptwr(regs, cr2)) {
        return true;
    }
    /* No TLB holds an entry that is not present (APM 2, 5.5.2): a guest's own such fault needs no look at its tables. */
    if ((!from_guest(regs) || (regs->error_code & PFEC_P)) && tables_allow(regs, cr2)) {
        flush_tlb_local(FLUSH_VA, cr2);
        return true;
    }
    return false;
}
