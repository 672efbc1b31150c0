/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine below the code under test: RAM, the CPU, locks, TLBs, time. */
#include "fakes.h"

#include <stdio.h>
#include <sys/mman.h>

#include "vmm/cpu/cpu.h"
#include "vmm/cpu/time.h"
#include "vmm/mm/tlb.h"
#include "vmm/sched/softirq.h"

uint64_t max_mfn = FAKE_FRAMES;
uint64_t percpu_offset[MAX_CPUS];
cpumask_t cpu_online_map = {{1}};
struct cpu_features cpu_features;
uint64_t mmu_cr4_features;
static struct cpu_info cpu_info;

struct cpu_info *get_cpu_info(void) { return &cpu_info; }

static void map_at(uint64_t addr, size_t size)
{
    void *p = mmap((void *)addr, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);

    if (p != (void *)addr) {
        perror("mmap");
        abort();
    }
}

void fake_machine_start(void)
{
    static bool started;

    if (started)
        return;
    started = true;
    map_at(DIRECTMAP_START, FAKE_FRAMES * PAGE_SIZE);
    map_at(FRAME_TABLE_START, FAKE_FRAMES * sizeof(struct page_info));
    map_at(RW_M2P_START, FAKE_FRAMES * sizeof(uint64_t));
    memset((void *)RW_M2P_START, 0xff, FAKE_FRAMES * sizeof(uint64_t));
    for (unsigned i = 0; i < FAKE_FIRST_FREE; i++)
        mfn_to_page(MFN(i))->count_info = PGC_reserved;
    mm_release_range(FAKE_FIRST_FREE * PAGE_SIZE, FAKE_FRAMES * PAGE_SIZE);
}

bool mfn_valid(mfn_t m) { return m.v < FAKE_FRAMES; }
bool mfn_is_ram(mfn_t m) { return m.v < FAKE_FRAMES; }
paddr_t virt_to_paddr(const void *va)
{
    uint64_t a = (uint64_t)va;

    if (a < DIRECTMAP_START || a >= DIRECTMAP_START + FAKE_FRAMES * PAGE_SIZE)
        panic("virt_to_paddr(%p)", va);
    return a - DIRECTMAP_START;
}

/* -- messages -------------------------------------------------------------------------------------------------------
 */
char fake_last_message[256];
jmp_buf fake_panic_jump;
bool fake_panic_expected;

void vprintk(const char *fmt, va_list args)
{
    while (*fmt == '\001')
        fmt += 2;
    vsnprintf(fake_last_message, sizeof(fake_last_message), fmt, args);
}

void printk(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vprintk(fmt, args);
    va_end(args);
}

void panic(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vprintk(fmt, args);
    va_end(args);
    if (fake_panic_expected)
        longjmp(fake_panic_jump, 1);
    fprintf(stderr, "panic: %s\n", fake_last_message);
    abort();
}

/* -- locks: one CPU, so a lock that is taken is a deadlock
 * -------------------------------------------------------------- */
unsigned fake_locks_held;
static unsigned held_at_level[LOCK_VLAPIC + 1];

void spin_lock(spinlock_t *l)
{
    if (l->holder)
        panic("lock %p of level %u is taken twice", (void *)l, l->level);
    for (unsigned level = l->level + 1U; l->level && level <= LOCK_VLAPIC; level++)
        if (held_at_level[level])
            panic("a lock of level %u is taken while one of level %u is held", l->level, level);
    l->holder = 1;
    held_at_level[l->level]++;
    fake_locks_held++;
}
void spin_unlock(spinlock_t *l)
{
    if (!l->holder)
        panic("lock %p is not held", (void *)l);
    l->holder = 0;
    held_at_level[l->level]--;
    fake_locks_held--;
}
bool spin_trylock(spinlock_t *l)
{
    if (l->holder)
        return false;
    spin_lock(l);
    return true;
}
bool spin_is_locked(const spinlock_t *l) { return l->holder; }
unsigned long local_irq_save(void) { return 0; }
void local_irq_restore(unsigned long flags) { (void)flags; }
static void lock_rw(rwlock_t *l, int32_t count)
{
    if (l->count)
        panic("rwlock %p is taken twice", (void *)l);
    l->count = count;
    fake_locks_held++;
}
static void unlock_rw(rwlock_t *l)
{
    if (!l->count)
        panic("rwlock %p is not held", (void *)l);
    l->count = 0;
    fake_locks_held--;
}
void read_lock(rwlock_t *l) { lock_rw(l, 1); }
void read_unlock(rwlock_t *l) { unlock_rw(l); }
void write_lock(rwlock_t *l) { lock_rw(l, -1); }
void write_unlock(rwlock_t *l) { unlock_rw(l); }

/* -- TLBs, time, softirqs
 * ------------------------------------------------------------------------------------------------- */
unsigned fake_tlb_flushes;
void flush_tlb_mask(const cpumask_t *mask, unsigned flags, uint64_t va)
{
    (void)mask, (void)flags, (void)va;
    fake_tlb_flushes++;
}
unsigned fake_local_flushes;
void flush_tlb_local(unsigned flags, uint64_t va)
{
    (void)va;
    fake_local_flushes += flags & FLUSH_TLB ? 1 : 0;
}
uint32_t fake_tlb_clock = 1;
uint32_t tlb_clock(void) { return fake_tlb_clock; }
void tlb_filter_flush(uint32_t stamp) { (void)stamp; }

time_ns_t fake_now, fake_hw_timer;
time_ns_t now(void) { return fake_now; }
bool hw_timer_program(time_ns_t deadline)
{
    fake_hw_timer = deadline;
    return deadline == 0 || deadline > fake_now;
}

DEFINE_PER_CPU(uint32_t, softirq_pending);
static void (*softirq_fn[NR_SOFTIRQS])(void);
void softirq_open(enum softirq nr, void (*fn)(void)) { softirq_fn[nr] = fn; }
void softirq_raise(enum softirq nr) { this_cpu(softirq_pending) |= 1U << nr; }
void softirq_raise_on(unsigned cpu, enum softirq nr)
{
    (void)cpu;
    softirq_raise(nr);
}
void softirq_run(void)
{
    for (unsigned nr = 0; nr < NR_SOFTIRQS; nr++)
        if (this_cpu(softirq_pending) >> nr & 1) {
            this_cpu(softirq_pending) &= ~(1U << nr);
            if (softirq_fn[nr])
                softirq_fn[nr]();
        }
}
