/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ring of the hypervisor's messages that `xl dmesg` reads (XEN_SYSCTL_readconsole).  Positions count characters
 * since boot and wrap with 32 bits.  The producer holds the console's lock; readers take ring_lock, as does resizing.
 */
#include "boot.h"
#include "console.h"
#include "../lib/errno.h"
#include "../lib/printk.h"
#include "../lib/spinlock.h"
#include "../lib/string.h"
#include "../mm/alloc.h"

#define FIRST_SIZE 65536U

static char first_ring[FIRST_SIZE];
static char *ring = first_ring;
static uint32_t ring_size = FIRST_SIZE;
static uint32_t produced, cleared; /* readers begin at 'cleared' or where the ring begins */
static uint64_t wanted_size;
static DEFINE_SPINLOCK(ring_lock);

static int conring_size_parse(const char *value) { return parse_size(&value, &wanted_size) ?: *value ? -EINVAL : 0; }
BOOT_PARAM("conring_size", conring_size_parse);

void conring_put(const char *s, size_t n)
{
    uint32_t at = produced;

    while (n--)
        ring[at++ & (ring_size - 1)] = *s++;
    WRITE_ONCE(produced, at);
}

static uint32_t oldest(void) { return produced > ring_size ? produced - ring_size : 0; }

void conring_replay(void (*write)(const char *s, size_t n))
{
    for (uint32_t at = oldest(); at != produced;) {
        uint32_t run = MIN(produced - at, ring_size - (at & (ring_size - 1)));

        write(ring + (at & (ring_size - 1)), run);
        at += run;
    }
}

/* Called on the boot CPU with the console's lock. */
void conring_resize(void)
{
    unsigned order = 0;
    char *new;

    if (wanted_size <= ring_size)
        return;
    while ((PAGE_SIZE << order) < wanted_size && order < 12)
        order++;
    new = alloc_xenheap_pages(order);
    if (!new)
        return;
    for (uint32_t at = oldest(); at != produced; at++)
        new[at & ((PAGE_SIZE << order) - 1)] = ring[at & (ring_size - 1)];
    ring = new;
    ring_size = PAGE_SIZE << order;
}

size_t conring_read(char *dst, size_t n, uint32_t *index, bool incremental, bool clear)
{
    unsigned long flags = spin_lock_irqsave(&ring_lock);
    uint32_t end = READ_ONCE(produced), at = cleared;
    size_t copied = 0;

    if (end - at > ring_size)
        at = end - ring_size;
    if (incremental && (int32_t)(*index - at) > 0)
        at = *index;
    for (; copied < n && (int32_t)(end - at) > 0; at++)
        dst[copied++] = ring[at & (ring_size - 1)];
    *index = at;
    if (clear)
        cleared = end;
    spin_unlock_irqrestore(&ring_lock, flags);
    return copied;
}
