/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small objects: pages cut into equal power-of-two pieces, with their state in the page's page_info; larger ones are whole
 * pages.  slab_lock guards the lists of pages with room; it is taken with interrupts off.
 */
#include "../lib/bitops.h"
#include "../lib/printk.h"
#include "../lib/spinlock.h"
#include "../lib/string.h"
#include "internal.h"

#define MIN_SHIFT 4
#define MAX_SHIFT 11
#define NR_CLASSES (MAX_SHIFT - MIN_SHIFT + 1)
#define NO_OBJECT 0xffff

/* In type_info of a page of the heap: hypervisor pages that are not shared have no type. */
union slab {
    uint64_t word;
    struct {
        uint16_t kind, in_use, first_free, magic;
    };
    struct {
        uint16_t large;
        uint32_t pages;
    } __packed;
};
#define KIND_LARGE 0xff
#define SLAB_MAGIC 0x51ab

static struct page_list partial[NR_CLASSES] = {[0 ... NR_CLASSES - 1] = PAGE_LIST_INIT};
static DEFINE_SPINLOCK(slab_lock);

static union slab *slab_of(struct page_info *pg) { return (union slab *)&pg->type_info; }

static uint16_t *object_at(struct page_info *pg, unsigned class, unsigned i)
{
    return (uint16_t *)((char *)page_to_virt(pg) + ((size_t)i << (MIN_SHIFT + class)));
}

/* A page with all its pieces free, chained by number through their first bytes. */
static struct page_info *new_slab(unsigned class)
{
    void *va = alloc_xenheap_pages(0);
    struct page_info *pg;
    unsigned n = PAGE_SIZE >> (MIN_SHIFT + class);

    if (!va)
        return NULL;
    pg = virt_to_page(va);
    for (unsigned i = 0; i < n; i++)
        *object_at(pg, class, i) = (uint16_t)(i + 1 < n ? i + 1 : NO_OBJECT);
    *slab_of(pg) = (union slab){.kind = (uint16_t) class, .magic = SLAB_MAGIC};
    return pg;
}

static void *alloc_small(unsigned class, size_t size)
{
    unsigned long flags = spin_lock_irqsave(&slab_lock);
    struct page_info *pg = page_list_first(&partial[class]);
    union slab *s;
    uint16_t *obj;

    if (!pg) {
        spin_unlock_irqrestore(&slab_lock, flags);
        pg = new_slab(class);
        if (!pg)
            return NULL;
        flags = spin_lock_irqsave(&slab_lock);
        page_list_add_head(&partial[class], pg);
    }
    s = slab_of(pg);
    obj = object_at(pg, class, s->first_free);
    s->first_free = *obj;
    s->in_use++;
    if (s->first_free == NO_OBJECT)
        page_list_del(&partial[class], pg);
    spin_unlock_irqrestore(&slab_lock, flags);
    return memset(obj, 0, 1UL << (MIN_SHIFT + class));
}

static void free_small(struct page_info *pg, void *p)
{
    union slab *s = slab_of(pg);
    unsigned class = s->kind;
    unsigned long flags;
    bool empty;

    BUG_ON(s->magic != SLAB_MAGIC || class >= NR_CLASSES || !s->in_use);
    flags = spin_lock_irqsave(&slab_lock);
    if (s->first_free == NO_OBJECT)
        page_list_add_head(&partial[class], pg);
    *(uint16_t *)p = s->first_free;
    s->first_free = (uint16_t)(((uint64_t)p & ~PAGE_MASK) >> (MIN_SHIFT + class));
    empty = --s->in_use == 0 && partial[class].count > 1;
    if (empty)
        page_list_del(&partial[class], pg);
    spin_unlock_irqrestore(&slab_lock, flags);
    if (empty) {
        s->word = 0;
        free_xenheap_pages(page_to_virt(pg), 0);
    }
}

/* A power of two of pages, of which those that are not needed go back. */
static void *alloc_large(size_t size)
{
    unsigned pages = (unsigned)DIV_ROUND_UP(size, PAGE_SIZE), order = 0;
    char *va;

    while (1U << order < pages)
        order++;
    va = alloc_xenheap_pages(order);
    if (!va)
        return NULL;
    for (unsigned i = pages; i < 1U << order; i++)
        free_xenheap_pages(va + i * PAGE_SIZE, 0);
    *slab_of(virt_to_page(va)) = (union slab){.large = KIND_LARGE, .pages = pages};
    return memset(va, 0, pages * PAGE_SIZE);
}

void *xzalloc_bytes(size_t size)
{
    unsigned shift = MIN_SHIFT;

    if (size > PAGE_SIZE << MAX_ORDER)
        return NULL;
    if (size > 1UL << MAX_SHIFT)
        return alloc_large(size);
    while (1UL << shift < size)
        shift++;
    return alloc_small(shift - MIN_SHIFT, size);
}

void xfree(void *p)
{
    struct page_info *pg;
    unsigned pages;

    if (!p)
        return;
    pg = virt_to_page(p);
    BUG_ON(!(pg->count_info & PGC_heap));
    if (slab_of(pg)->large != KIND_LARGE) {
        free_small(pg, p);
        return;
    }
    BUG_ON((uint64_t)p & ~PAGE_MASK);
    pages = slab_of(pg)->pages;
    slab_of(pg)->word = 0;
    for (unsigned i = 0; i < pages; i++)
        free_xenheap_pages((char *)p + i * PAGE_SIZE, 0);
}

void *xrealloc_bytes(void *p, size_t old_size, size_t new_size)
{
    void *new = xzalloc_bytes(new_size);

    if (!new)
        return NULL;
    if (p)
        memcpy(new, p, MIN(old_size, new_size));
    xfree(p);
    return new;
}
