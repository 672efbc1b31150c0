/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dom0's memory: how much, in which machine frames, and the p2m list that tells it. */
#include "../mm/alloc.h"
#include "../sched/softirq.h"
#include "dom0.h"
#include "dom0_build.h"

static void add_chunk(struct dom0_build *b, uint64_t pfn, uint64_t mfn, uint64_t count)
{
    struct dom0_chunk *last = b->nr_chunks ? &b->chunk[b->nr_chunks - 1] : NULL;

    if (last && last->mfn + last->count == mfn) {
        last->count += count;
        return;
    }
    if (b->nr_chunks == b->chunk_room) {
        unsigned room = b->chunk_room ? b->chunk_room * 2 : 64;

        b->chunk = xrealloc_bytes(b->chunk, b->chunk_room * sizeof(*b->chunk), room * sizeof(*b->chunk));
        if (!b->chunk) {
            panic("No memory to build Dom0; give it less with dom0_mem=");
        }
        b->chunk_room = room;
    }
    b->chunk[b->nr_chunks++] = (struct dom0_chunk){pfn, mfn, count};
}

/* The largest blocks first; what frames held before the machine was started need not be scrubbed for Dom0. */
void dom0_allocate_memory(struct dom0_build *b)
{
    unsigned order = MAX_ORDER;
    uint64_t pfn = 0;

    while (pfn < b->nr_pages) {
        struct page_info *pg;

        while (b->nr_pages - pfn < 1UL << order) {
            order--;
        }
        pg = alloc_domain_pages(b->d, order, 0, ALLOC_NO_SCRUB);
        if (!pg) {
            if (!order) {
                panic("Only %lu MiB for Dom0; give it less with dom0_mem=", pfn >> 8);
            }
            order--;
            continue;
        }
        add_chunk(b, pfn, page_to_mfn(pg).v, 1UL << order);
        pfn += 1UL << order;
        process_pending_softirqs();
    }
    for (pfn = 0; pfn < b->nr_pages; pfn++) {
        m2p_set(MFN(dom0_mfn(b, pfn)), pfn);
    }
}

uint64_t dom0_mfn(const struct dom0_build *b, uint64_t pfn)
{
    unsigned low = 0, high = b->nr_chunks;

    while (high - low > 1) {
        unsigned mid = (low + high) / 2;

        if (b->chunk[mid].pfn <= pfn) {
            low = mid;
        } else {
            high = mid;
        }
    }
    BUG_ON(pfn - b->chunk[low].pfn >= b->chunk[low].count);
    return b->chunk[low].mfn + (pfn - b->chunk[low].pfn);
}

void *dom0_frame(const struct dom0_build *b, uint64_t pfn) { return mfn_to_virt(MFN(dom0_mfn(b, pfn))); }

void dom0_write_p2m(const struct dom0_build *b)
{
    const uint64_t per_frame = PAGE_SIZE / sizeof(uint64_t);
    uint64_t *list = NULL;

    for (uint64_t pfn = 0; pfn < b->nr_p2m_frames * per_frame; pfn++) {
        if (pfn % per_frame == 0) {
            list = dom0_frame(b, b->p2m_pfn + pfn / per_frame);
        }
        list[pfn % per_frame] = pfn < b->nr_pages ? dom0_mfn(b, pfn) : ~0ULL;
    }
}
