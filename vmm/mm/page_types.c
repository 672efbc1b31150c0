/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Type references.  A frame has one type at a time and a count of uses as that; only at count 0 may it change.  What makes
 * a frame valid as a type is the hook's business; meanwhile PGT_locked keeps others waiting.
 *
 * A preempted validation leaves PGT_partial, count 0 and its progress; so does a preempted undoing, with PGT_undo. Nobody
 * has to remember such a frame: it keeps one general reference for itself, whoever asks for it next goes on with the
 * work, and the owner's end sweeps up the rest.
 *
 * tlb_stamp is the latest time at which a use came to an end that a TLB, or a walk through a table, may still know of. Only at
 * count 0 is it asked for, but the last use to end need not be one of those: so each one that is notes the time.
 *
 * Locks are waited for only by those who want the frame as the type it is locked as. Tables hold tables of a lower level
 * only, so CPUs wait for each other in that order and never in a circle.
 */
#include "../cpu/asm.h"
#include "../domain/domain.h"
#include "../lib/errno.h"
#include "../lib/printk.h"
#include "page.h"
#include "pgtable.h"
#include "tlb.h"

__read_mostly const struct page_type_ops *page_type_ops;

#define WORK_BITS (PGT_locked | PGT_partial | PGT_undo | PGT_failed | PGT_progress_mask)

static bool cas_type(struct page_info *pg, uint64_t *old, uint64_t new)
{
    return __atomic_compare_exchange_n(&pg->type_info, old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/* Only for the holder of PGT_locked; others may change the count meanwhile. */
static __hot void change_bits(struct page_info *pg, uint64_t clear, uint64_t set)
{
    uint64_t old = READ_ONCE(pg->type_info);

    while (!cas_type(pg, &old, (old & ~clear) | set))
        ;
}

void page_type_set_progress(struct page_info *pg, unsigned done)
{
    change_bits(pg, PGT_progress_mask, (uint64_t)done << PGT_progress_shift);
}

static bool needs_validation(uint64_t type) { return type >= PGT_l1_page_table && type <= PGT_seg_desc_page; }

/* The general reference that a partial frame keeps for itself. The caller has one too, so this does not fail. */
static void partial_hold(struct page_info *pg, bool was_partial)
{
    if (!was_partial)
        __atomic_add_fetch(&pg->count_info, 1, __ATOMIC_SEQ_CST);
}

/*
 * With PGT_locked and count 0: gives up what the entries below the progress hold. 0: the frame is of no type's use
 * and unlocked; -ERESTART: it is partial and unlocked.
 */
static int undo(struct page_info *pg, uint64_t type, bool preemptible, uint64_t failed)
{
    bool was_partial = READ_ONCE(pg->type_info) & PGT_partial;
    int rc = page_type_ops->invalidate(pg, type, preemptible);

    if (rc == -ERESTART) {
        partial_hold(pg, was_partial);
        change_bits(pg, PGT_locked, PGT_partial | PGT_undo | failed);
        return rc;
    }
    change_bits(pg, WORK_BITS, 0);
    if (was_partial)
        page_put(pg);
    return 0;
}

/* With PGT_locked and count 0. */
static int validate(struct page_info *pg, uint64_t type, bool preemptible)
{
    bool was_partial = READ_ONCE(pg->type_info) & PGT_partial;
    int rc = page_type_ops ? page_type_ops->validate(pg, type, preemptible) : -EINVAL;

    if (rc == 0) {
        change_bits(pg, WORK_BITS, PGT_validated | 1);
        if (was_partial)
            page_put(pg);
        return 0;
    }
    if (rc == -ERESTART) {
        partial_hold(pg, was_partial);
        change_bits(pg, PGT_locked, PGT_partial);
        return rc;
    }
    if (page_type_ops && undo(pg, type, preemptible, PGT_failed) == -ERESTART)
        return -ERESTART;
    if (!page_type_ops)
        change_bits(pg, WORK_BITS, 0);
    return rc;
}

/* A partial frame, found as 'x' and now locked: undoes what was done, for a new beginning. 0: look again. */
static int undo_partial(struct page_info *pg, uint64_t x, uint64_t wanted, bool preemptible)
{
    uint64_t type = x & PGT_type_mask;
    uint64_t failed = x & PGT_failed;
    int rc;

    /* Whoever cannot be interrupted does not get to do the work of a whole address space. */
    if (!preemptible && type >= PGT_l3_page_table && type <= PGT_l4_page_table) {
        change_bits(pg, PGT_locked, 0);
        return -EINVAL;
    }
    rc = undo(pg, type, preemptible, failed);
    if (rc)
        return rc;
    /* The answer to the one whose validation failed and who was then preempted. */
    return failed && type == wanted ? -EINVAL : 0;
}

/* Count 0, not partial, now locked as 'type': makes it that. 'before' is what it was used as last. */
static int first_use(struct page_info *pg, uint64_t before, uint64_t type, bool preemptible)
{
    /* A mapping of before, or a table walk's memory of it, may linger in a TLB. AMD APM 2, 5.5 */
    if (before != type)
        tlb_filter_flush(pg->tlb_stamp);
    if (needs_validation(type))
        return validate(pg, type, preemptible);
    change_bits(pg, WORK_BITS, PGT_validated | 1);
    return 0;
}

static __hot int get_type(struct page_info *pg, uint64_t type, bool preemptible)
{
    uint64_t x;
    int rc;

    for (;;) {
        x = READ_ONCE(pg->type_info);
        if ((x & PGT_type_mask) == type && (x & PGT_validated)) {
            if ((x & PGT_count_mask) == PGT_count_mask)
                return -EINVAL;
            if (cas_type(pg, &x, x + 1))
                return 0;
        } else if ((x & PGT_type_mask) != type && (x & (PGT_locked | PGT_count_mask))) {
            return -EINVAL;
        } else if (x & PGT_locked) {
            cpu_relax();
        } else if ((x & PGT_partial) && ((x & PGT_type_mask) != type || (x & PGT_undo))) {
            if (!cas_type(pg, &x, x | PGT_locked))
                continue;
            rc = undo_partial(pg, x, type, preemptible);
            if (rc)
                return rc;
        } else if (x & PGT_partial) {
            if (cas_type(pg, &x, x | PGT_locked))
                return validate(pg, type, preemptible);
        } else if (cas_type(pg, &x, type | PGT_locked)) {
            return first_use(pg, x & PGT_type_mask, type, preemptible);
        }
    }
}

__hot int page_get_type(struct page_info *pg, uint64_t type) { return get_type(pg, type, false); }
int page_get_type_preemptible(struct page_info *pg, uint64_t type) { return get_type(pg, type, true); }

/*
 * A use ends now that a TLB may remember. Never back in time, where several end at once: a stamp a little ahead of the time
 * is another CPU's; one that seems far ahead is old, and the clock has gone round since.
 */
#define STAMP_AHEAD (1U << 29)
static __hot void note_end(struct page_info *pg)
{
    uint32_t time = tlb_clock(), old = READ_ONCE(pg->tlb_stamp);

    while (old - time >= STAMP_AHEAD &&
           !__atomic_compare_exchange_n(&pg->tlb_stamp, &old, time, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
        ;
}

static __hot int put_type(struct page_info *pg, bool preemptible, bool was_mapped)
{
    uint64_t x, type;

    /* Before the count falls: whoever sees 0 reads it. */
    if (was_mapped)
        note_end(pg);
    for (;;) {
        x = READ_ONCE(pg->type_info);
        type = x & PGT_type_mask;
        ASSERT(x & PGT_count_mask);
        if ((x & PGT_count_mask) > 1) {
            if (cas_type(pg, &x, x - 1))
                return 0;
        } else if (x & PGT_locked) {
            cpu_relax();
        } else if (!needs_validation(type)) {
            if (cas_type(pg, &x, (x - 1) & ~PGT_validated))
                return 0;
        } else if (cas_type(pg, &x,
                            ((x - 1) & ~(PGT_validated | PGT_progress_mask)) | PGT_locked |
                                (uint64_t)PT_ENTRIES << PGT_progress_shift)) {
            return undo(pg, type, preemptible, 0);
        }
    }
}

__hot void page_put_type(struct page_info *pg)
{
    if (put_type(pg, false, true))
        BUG(); /* a call that is not preemptible finishes */
}

int page_put_type_preemptible(struct page_info *pg) { return put_type(pg, true, true); }
int page_put_unmapped_type(struct page_info *pg) { return put_type(pg, true, false); }

int page_type_finish(struct page_info *pg, bool preemptible)
{
    uint64_t x = READ_ONCE(pg->type_info);

    while ((x & PGT_partial) && !(x & PGT_count_mask)) {
        if (x & PGT_locked) {
            cpu_relax();
            x = READ_ONCE(pg->type_info);
        } else if (cas_type(pg, &x, x | PGT_locked)) {
            return undo(pg, x & PGT_type_mask, preemptible, x & PGT_failed);
        }
    }
    return 0;
}

__hot bool page_type_lock(struct page_info *pg, uint64_t type)
{
    uint64_t x;

    for (;;) {
        x = READ_ONCE(pg->type_info);
        if ((x & PGT_type_mask) != type || !(x & PGT_count_mask) || !(x & PGT_validated))
            return false;
        if (x & PGT_locked)
            cpu_relax();
        else if (cas_type(pg, &x, x | PGT_locked))
            return true;
    }
}

__hot void page_type_unlock(struct page_info *pg) { change_bits(pg, PGT_locked, 0); }

__hot bool page_get_and_type(struct page_info *pg, const struct domain *d, uint64_t type)
{
    if (!page_get(pg, d))
        return false;
    if (page_get_type(pg, type) == 0)
        return true;
    page_put(pg);
    return false;
}
