/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dom0's memory: how much, in which machine frames, and the p2m list that tells it. */
#include "../boot/boot.h"
#include "../lib/string.h"
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

/* [pfn, end): the largest blocks first. What frames held before the machine was started need not be scrubbed for Dom0. */
static void allocate_range(struct dom0_build *b, uint64_t pfn, uint64_t end)
{
    unsigned order = MAX_ORDER;

    while (pfn < end) {
        struct page_info *pg;

        while (end - pfn < 1UL << order) {
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
}

/* The frames that the boot loader put the initrd in become Dom0's. */
static void adopt_initrd(struct dom0_build *b)
{
    uint64_t mfn = virt_to_paddr(b->initrd) >> PAGE_SHIFT, count = dom0_initrd_frames(b);

    memset((uint8_t *)paddr_to_virt(mfn << PAGE_SHIFT) + b->initrd_len, 0, (count << PAGE_SHIFT) - b->initrd_len);
    for (uint64_t i = 0; i < count; i++) {
        if (assign_pages(b->d, mfn_to_page(MFN(mfn + i)), 0, 0)) {
            panic("The initrd's memory cannot be given to Dom0");
        }
    }
    add_chunk(b, b->initrd_pfn, mfn, count);
    boot_info.modules[1].size = 0;
}

void dom0_allocate_memory(struct dom0_build *b)
{
    if (b->initrd_in_place) {
        allocate_range(b, 0, b->initrd_pfn);
        adopt_initrd(b);
        allocate_range(b, b->initrd_pfn + dom0_initrd_frames(b), b->nr_pages);
    } else {
        allocate_range(b, 0, b->nr_pages);
    }
    for (uint64_t pfn = 0; pfn < b->nr_pages; pfn++) {
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
