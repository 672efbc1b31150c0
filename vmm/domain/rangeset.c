/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of numbers as sorted arrays of ranges that neither overlap nor touch.
 * Each set has a lock of its own, a leaf.
 */
#include "../lib/string.h"
#include "../mm/alloc.h"
#include "pirq.h"

struct range {
    uint64_t first, last;
};

struct rangeset {
    spinlock_t lock;
    unsigned nr, size; /* ranges in use, places */
    struct range *r;
};

/* More would only mean that somebody fills memory. */
#define RANGES_MAX 4096

struct rangeset *rangeset_new(void)
{
    struct rangeset *s = xzalloc(struct rangeset);

    if (s)
        spin_lock_init(&s->lock, LOCK_UNORDERED);
    return s;
}

void rangeset_free(struct rangeset *s)
{
    if (!s)
        return;
    xfree(s->r);
    xfree(s);
}

/* Index of the first range that ends at or after n. */
static unsigned find(const struct rangeset *s, uint64_t n)
{
    unsigned low = 0, high = s->nr;

    while (low < high) {
        unsigned mid = (low + high) / 2;

        if (s->r[mid].last < n)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Room for one more range than there are, which is what any one change needs at most. */
static int reserve_one(struct rangeset *s)
{
    struct range *r;
    unsigned size = s->size ? s->size * 2 : 8;

    if (s->nr < s->size)
        return 0;
    if (s->nr >= RANGES_MAX)
        return -ENOSPC;
    r = xrealloc_bytes(s->r, s->size * sizeof(*r), size * sizeof(*r));
    if (!r)
        return -ENOMEM;
    s->r = r;
    s->size = size;
    return 0;
}

/* Ranges [from, to) become 'n' ranges (0 to 2) of repl. */
static void replace(struct rangeset *s, unsigned from, unsigned to, const struct range *repl, unsigned n)
{
    memmove(s->r + from + n, s->r + to, (s->nr - to) * sizeof(*s->r));
    for (unsigned i = 0; i < n; i++)
        s->r[from + i] = repl[i];
    s->nr = s->nr - (to - from) + n;
}

int rangeset_add(struct rangeset *s, uint64_t first, uint64_t last)
{
    struct range merged = {first, last};
    unsigned from, to;
    int rc;

    if (first > last)
        return -EINVAL;
    spin_lock(&s->lock);
    rc = reserve_one(s);
    if (rc)
        goto out;
    from = find(s, first ? first - 1 : 0);
    for (to = from; to < s->nr && (last == ~0UL || s->r[to].first <= last + 1); to++) {
        merged.first = MIN(merged.first, s->r[to].first);
        merged.last = MAX(merged.last, s->r[to].last);
    }
    replace(s, from, to, &merged, 1);
out:
    spin_unlock(&s->lock);
    return rc;
}

int rangeset_remove(struct rangeset *s, uint64_t first, uint64_t last)
{
    struct range rest[2];
    unsigned from, to, n = 0;
    int rc;

    if (first > last)
        return -EINVAL;
    spin_lock(&s->lock);
    rc = reserve_one(s);
    if (rc)
        goto out;
    from = find(s, first);
    for (to = from; to < s->nr && s->r[to].first <= last; to++)
        continue;
    if (from == to)
        goto out;
    if (s->r[from].first < first)
        rest[n++] = (struct range){s->r[from].first, first - 1};
    if (s->r[to - 1].last > last)
        rest[n++] = (struct range){last + 1, s->r[to - 1].last};
    replace(s, from, to, rest, n);
out:
    spin_unlock(&s->lock);
    return rc;
}

bool rangeset_contains(const struct rangeset *cs, uint64_t first, uint64_t last)
{
    struct rangeset *s = (struct rangeset *)cs;
    unsigned i;
    bool ret;

    spin_lock(&s->lock);
    i = find(s, first);
    ret = first <= last && i < s->nr && s->r[i].first <= first && s->r[i].last >= last;
    spin_unlock(&s->lock);
    return ret;
}

bool rangeset_overlaps(const struct rangeset *cs, uint64_t first, uint64_t last)
{
    struct rangeset *s = (struct rangeset *)cs;
    unsigned i;
    bool ret;

    spin_lock(&s->lock);
    i = find(s, first);
    ret = i < s->nr && s->r[i].first <= last;
    spin_unlock(&s->lock);
    return ret;
}
