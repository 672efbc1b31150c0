/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The time that guests see: vcpu_time_info with its version protocol, the wall clock in shared_info, run states in
 * guest memory, and the TSC of a domain (public headers xen.h, vcpu.h, arch-x86/cpuid.h).
 */
#include "../cpu/asm.h"
#include "../cpu/percpu.h"
#include "../cpu/time.h"
#include "../lib/string.h"
#include "../sched/sched.h"
#include "hypercall.h"
#include "shinfo.h"
#include "vcpu.h"

#define TSC_MODE_DEFAULT 0
#define TSC_MODE_ALWAYS_EMULATE 1
#define TSC_MODE_NEVER_EMULATE 2

/* Raised when guests must be told anew; a vCPU whose epoch differs is told when it is entered next. */
__read_mostly uint32_t guest_time_epoch = 1;

/* -- vcpu_time_info ----------------------------------------------------------------------------------------------- */

static void time_sample(struct vcpu *v, struct vcpu_time_info *t)
{
    uint64_t tsc;

    memset(t, 0, sizeof(*t));
    tsc = rdtsc_ordered();
    t->system_time = (uint64_t)tsc_to_system_time(tsc);
    t->tsc_timestamp = v->ops->guest_tsc ? v->ops->guest_tsc(v, tsc) : tsc;
    if (v->domain->tsc.ratio)
        tsc_scale_of(v->domain->tsc.khz, &t->tsc_to_system_mul, &t->tsc_shift);
    else
        tsc_scale(&t->tsc_to_system_mul, &t->tsc_shift);
}

/* Odd version, contents, even version. */
static void time_info_write(struct vcpu_time_info *to, const struct vcpu_time_info *from)
{
    uint32_t version = READ_ONCE(to->version) | 1;

    WRITE_ONCE(to->version, version);
    smp_mb();
    to->tsc_timestamp = from->tsc_timestamp;
    to->system_time = from->system_time;
    to->tsc_to_system_mul = from->tsc_to_system_mul;
    to->tsc_shift = from->tsc_shift;
    to->flags = from->flags;
    smp_mb();
    WRITE_ONCE(to->version, version + 1);
}

static void time_area_write(struct vcpu *v, struct vcpu_time_info *t)
{
    uint64_t gva = v->time_info_gva;
    uint32_t version;

    if (!gva || copy_from_guest(&version, gva))
        return;
    version |= 1;
    if (copy_to_guest(gva, &version))
        return;
    smp_mb();
    t->version = version;
    if (copy_to_guest(gva, t))
        return;
    smp_mb();
    version++;
    (void)!copy_to_guest(gva, &version);
}

void vcpu_time_write(struct vcpu *v)
{
    struct vcpu_time_info t;

    v->time_epoch = READ_ONCE(guest_time_epoch);
    time_sample(v, &t);
    time_info_write(&v->info->time, &t);
    time_area_write(v, &t);
}

/* -- the wall clock ----------------------------------------------------------------------------------------------- */

static void wallclock_write(uint32_t *version, uint32_t *sec, uint32_t *nsec, uint32_t *sec_hi, uint64_t s, uint32_t ns)
{
    uint32_t ver = READ_ONCE(*version) | 1;

    WRITE_ONCE(*version, ver);
    smp_mb();
    *sec = (uint32_t)s;
    *sec_hi = (uint32_t)(s >> 32);
    *nsec = ns;
    smp_mb();
    WRITE_ONCE(*version, ver + 1);
}

void domain_wallclock_update(struct domain *d)
{
    struct shared_info *si = d->shared_info;
    struct shared_info_32 *si32 = (struct shared_info_32 *)si;
    uint64_t sec;
    uint32_t nsec;

    if (!si)
        return;
    wallclock_get(&sec, &nsec);
    sec += (uint64_t)d->wc_sec_offset;
    spin_lock(&d->lock);
    if (d->shinfo_32bit)
        wallclock_write(&si32->wc_version, &si32->wc_sec, &si32->wc_nsec, &si32->wc_sec_hi, sec, nsec);
    else
        wallclock_write(&si->wc_version, &si->wc_sec, &si->wc_nsec, &si->wc_sec_hi, sec, nsec);
    spin_unlock(&d->lock);
}

void wallclock_update_all(void)
{
    struct domain *d = domain_get_next(0);

    while (d) {
        domid_t next = d->id + 1;

        domain_wallclock_update(d);
        domain_put(d);
        d = domain_get_next(next);
    }
    __atomic_fetch_add(&guest_time_epoch, 2, __ATOMIC_SEQ_CST); /* stays odd: never 0 */
}

/* -- run states --------------------------------------------------------------------------------------------------- */

/* As 32-bit guests lay it out: 64-bit members aligned to 4. */
struct runstate_32 {
    uint32_t state;
    uint64_t state_entry_time;
    uint64_t time[4];
} __packed;

/* The copy in guest memory says that it is being changed by a bit in its entry time, if the guest asked for that. */
static bool runstate_write(uint64_t gva, const void *r, size_t size, size_t entry_offset, uint64_t entry, bool flag)
{
    uint64_t marked = entry | XEN_RUNSTATE_UPDATE;

    if (flag && copy_to_guest(gva + entry_offset, &marked))
        return false;
    smp_mb();
    if (copy_to_guest_bytes(gva, r, size))
        return false;
    smp_mb();
    return !flag || !copy_to_guest(gva + entry_offset, &entry);
}

int vcpu_runstate_copy(struct vcpu *v, uint64_t gva)
{
    struct vcpu_runstate_info r;
    struct runstate_32 c;

    vcpu_runstate_get(v, &r);
    if (!hypercall_is_compat())
        return copy_to_guest(gva, &r);
    c.state = (uint32_t)r.state;
    c.state_entry_time = r.state_entry_time;
    memcpy(c.time, r.time, sizeof(c.time));
    return copy_to_guest(gva, &c);
}

void vcpu_runstate_publish(struct vcpu *v)
{
    bool flag = v->domain->vm_assist & 1U << VMASST_TYPE_runstate_update_flag;
    struct vcpu_runstate_info r;
    struct runstate_32 c;
    uint64_t entry;

    v->runstate_due = false;
    if (!v->runstate_gva)
        return;
    vcpu_runstate_get(v, &r);
    entry = r.state_entry_time;
    r.state_entry_time |= flag ? XEN_RUNSTATE_UPDATE : 0;
    if (v->domain->shinfo_32bit) {
        c.state = (uint32_t)r.state;
        c.state_entry_time = r.state_entry_time;
        memcpy(c.time, r.time, sizeof(c.time));
        v->runstate_due = !runstate_write(v->runstate_gva, &c, sizeof(c),
                                          offsetof(struct runstate_32, state_entry_time), entry, flag);
    } else {
        v->runstate_due = !runstate_write(v->runstate_gva, &r, sizeof(r),
                                          offsetof(struct vcpu_runstate_info, state_entry_time), entry, flag);
    }
}

/* -- the TSC ------------------------------------------------------------------------------------------------------ */

/* Two measurements of one rate differ by less than what guests' time daemons correct: 500 parts in a million. */
static bool same_rate(uint64_t khz, uint64_t other) { return MAX(khz, other) - MIN(khz, other) <= other / 2000; }

uint64_t domain_tsc_ticks(const struct domain *d, uint64_t host_ticks)
{
    uint64_t ratio = d->tsc.ratio;

    return unlikely(ratio) ? (uint64_t)((unsigned __int128)host_ticks * ratio >> 32) : host_ticks;
}

uint64_t domain_tsc_to_ns(const struct domain *d, uint64_t ticks)
{
    return unlikely(d->tsc.ratio) ? ticks_to_ns(ticks, d->tsc.khz) : tsc_to_ns(ticks);
}

void domain_settings_changed(struct domain *d)
{
    struct vcpu *v;

    for_each_vcpu(d, v)
        if (v->ops->settings_changed)
            v->ops->settings_changed(v);
}

/* The TSC of a guest that comes from a machine with another rate: an HVM guest's goes on at that rate. */
static uint64_t tsc_ratio_for(const struct domain *d, uint32_t khz)
{
    if (!khz || same_rate(khz, tsc_khz))
        return 0;
    if (d->is_hvm)
        return ((uint64_t)khz << 32) / tsc_khz;
    printk(LOG_WARN "Domain %u: its TSC ran at %u kHz, and runs at %lu kHz here\n", d->id, khz, tsc_khz);
    return 0;
}

int domain_set_tsc_info(struct domain *d, uint32_t mode, uint64_t elapsed_ns, uint32_t khz, uint32_t incarnation)
{
    if (d->is_hardware && mode != TSC_MODE_NEVER_EMULATE)
        return -EINVAL;
    switch (mode) {
    case TSC_MODE_DEFAULT: d->tsc.ratio = tsc_ratio_for(d, khz); break;
    case TSC_MODE_NEVER_EMULATE: d->tsc.ratio = 0; break;
    case TSC_MODE_ALWAYS_EMULATE: return -EOPNOTSUPP;
    default: return -EINVAL;
    }
    d->tsc.mode = mode;
    d->tsc.khz = d->tsc.ratio ? khz : tsc_khz; /* what it runs at from now on */
    d->tsc.offset_ns = now() - (time_ns_t)elapsed_ns;
    d->tsc.incarnation = incarnation + 1;
    domain_settings_changed(d);
    return 0;
}

void domain_get_tsc_info(struct domain *d, uint32_t *mode, uint64_t *elapsed_ns, uint32_t *khz, uint32_t *incarnation)
{
    bool keep = d->tsc.mode == TSC_MODE_DEFAULT;

    *mode = d->tsc.mode;
    *incarnation = d->tsc.incarnation;
    *elapsed_ns = keep ? (uint64_t)(now() - d->tsc.offset_ns) : 0;
    *khz = keep ? (uint32_t)(d->tsc.khz ? d->tsc.khz : tsc_khz) : 0;
}
