/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two CPUs read their TSCs in turn under a lock: if one ever reads less than
 * the other read before, the TSCs cannot serve as one clock.
 */
#include "../lib/printk.h"
#include "../lib/spinlock.h"
#include "asm.h"
#include "time.h"
#include "tsc_sync.h"

#define ROUNDS 1000

static DEFINE_SPINLOCK(warp_lock);
static uint64_t warp_last, warp_max;
static uint32_t arrived, left;

static void check_warp(void)
{
    uint64_t end = rdtsc() + tsc_khz * 5;

    for (unsigned i = 0; i < ROUNDS && rdtsc() < end; i++) {
        spin_lock(&warp_lock);
        uint64_t t = rdtsc_ordered();
        if (t < warp_last && warp_last - t > warp_max)
            warp_max = warp_last - t;
        warp_last = t;
        spin_unlock(&warp_lock);
    }
}

/* Both come in, both go out; 'left' of one check is 0 before the next begins. */
static void meet(uint32_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(counter, __ATOMIC_SEQ_CST) < 2)
        cpu_relax();
}

void tsc_sync_check_boot(void)
{
    warp_last = 0;
    meet(&arrived);
    check_warp();
    meet(&left);
    arrived = 0;
    __atomic_store_n(&left, 0, __ATOMIC_SEQ_CST);
}

void tsc_sync_check_ap(void)
{
    meet(&arrived);
    check_warp();
    __atomic_fetch_add(&left, 1, __ATOMIC_SEQ_CST);
}

bool tsc_sync_failed(void)
{
    if (warp_max)
        printk(LOG_WARN "Time: a CPU's TSC is behind another's by %lu ticks\n", warp_max);
    return warp_max != 0;
}
