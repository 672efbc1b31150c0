/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's high-precision event timers: a 64-bit counter of 62.5 MHz and
 * three comparators.  Own lock.  IA-PC HPET specification 1.0a.
 */
#include "devices.h"

#define HPET_BASE 0xfed00000U
#define HPET_SIZE 0x400
#define TICK_NS 16
#define CAPABILITY                                                                                                     \
    (((uint64_t)TICK_NS * 1000000 << 32) | 0x80860000 | BIT(15) | BIT(13) | (HPET_TIMER_NUM - 1) << 8 | 1)
#define REG_CONFIG 0x10
#define REG_STATUS 0x20
#define REG_COUNTER 0xf0
#define REG_TIMERS 0x100
#define CFG_ENABLE BIT(0)
#define CFG_LEGACY BIT(1)
#define TN_LEVEL BIT(1)
#define TN_ENABLE BIT(2)
#define TN_PERIODIC BIT(3)
#define TN_PERIODIC_CAP BIT(4)
#define TN_SETVAL BIT(6)
#define TN_32BIT BIT(8)
#define TN_ROUTE_SHIFT 9
#define TN_WRITABLE (TN_LEVEL | TN_ENABLE | TN_PERIODIC | TN_SETVAL | TN_32BIT | (31UL << TN_ROUTE_SHIFT))
#define TN_ROUTES (0x00f00000UL << 32) /* GSIs 20 to 23 */
#define MIN_PERIOD_TICKS (100000 / TICK_NS)

struct vhpet;
struct vhpet_timer {
    struct vhpet *h;
    unsigned n;
    struct vtick tick;
};

struct vhpet {
    spinlock_t lock;
    struct domain *d;
    struct hvm_hw_hpet hw;
    time_ns_t started; /* when the counter was (virtually) 0 */
    struct vhpet_timer timer[HPET_TIMER_NUM];
};

static bool hpet_enabled(const struct vhpet *h) { return h->hw.config & CFG_ENABLE; }

static uint64_t hpet_counter(const struct vhpet *h)
{
    return hpet_enabled(h) ? (uint64_t)(now() - h->started) / TICK_NS : h->hw.mc64;
}

bool vhpet_is_legacy(struct domain *d)
{
    const struct vhpet *h = d->hvm->vhpet;

    return h && (READ_ONCE(h->hw.config) & (CFG_ENABLE | CFG_LEGACY)) == (CFG_ENABLE | CFG_LEGACY);
}

static void hpet_interrupt(struct vhpet *h, unsigned n)
{
    uint64_t cfg = h->hw.timers[n].config;
    unsigned gsi = (cfg >> TN_ROUTE_SHIFT) & 31;

    if (!(cfg & TN_ENABLE))
        return;
    if (n < 2 && (h->hw.config & CFG_LEGACY)) {
        hvm_isa_irq_pulse(h->d, n == 0 ? 0 : ISA_IRQ_RTC);
    } else if (cfg & TN_LEVEL) {
        if (!(h->hw.isr & BIT(n))) {
            h->hw.isr |= BIT(n);
            hvm_gsi_assert(h->d, gsi);
        }
    } else {
        hvm_gsi_assert(h->d, gsi);
        hvm_gsi_deassert(h->d, gsi);
    }
}

/* Ticks until the comparator is next met. One that has just passed is met now, as drivers rely on it. */
static uint64_t hpet_distance(const struct vhpet *h, unsigned n)
{
    uint64_t cmp = h->hw.timers[n].cmp, cur = hpet_counter(h);
    int64_t diff;

    if (h->hw.timers[n].config & TN_32BIT) {
        int32_t diff32 = (int32_t)((uint32_t)cmp - (uint32_t)cur);

        return diff32 > 0 ? (uint64_t)diff32 : diff32 > -(int32_t)(1000000 / TICK_NS) ? 0 : (uint32_t)diff32;
    }
    diff = (int64_t)(cmp - cur);
    return diff > 0 ? (uint64_t)diff : diff > -(1000000 / TICK_NS) ? 0 : ~0UL >> 8;
}

static void hpet_arm(struct vhpet *h, unsigned n)
{
    struct vhpet_timer *t = &h->timer[n];
    uint64_t cfg = h->hw.timers[n].config, distance;

    vtick_stop(&t->tick);
    if (!hpet_enabled(h) || !(cfg & TN_ENABLE))
        return;
    if ((cfg & TN_PERIODIC) && h->hw.period[n]) {
        uint64_t period = MAX(h->hw.period[n], (uint64_t)MIN_PERIOD_TICKS);

        distance = MIN(hpet_distance(h, n), period);
        vtick_start(&t->tick, now() + (time_ns_t)(distance * TICK_NS), (time_ns_t)(period * TICK_NS));
        return;
    }
    distance = MIN(hpet_distance(h, n), (uint64_t)INT64_MAX / TICK_NS / 4);
    vtick_start(&t->tick, now() + (time_ns_t)(distance * TICK_NS), 0);
}

static void hpet_arm_all(struct vhpet *h)
{
    for (unsigned n = 0; n < HPET_TIMER_NUM; n++)
        hpet_arm(h, n);
}

static void hpet_fired(struct domain *d, void *data)
{
    struct vhpet_timer *t = data;
    struct vhpet *h = t->h;

    spin_lock(&h->lock);
    if (hpet_enabled(h)) {
        if (!t->tick.extra && (h->hw.timers[t->n].config & TN_PERIODIC) && h->hw.period[t->n]) {
            uint64_t behind = hpet_counter(h) - h->hw.timers[t->n].cmp;

            h->hw.timers[t->n].cmp += h->hw.period[t->n] * (1 + (int64_t)behind / (int64_t)h->hw.period[t->n]);
        }
        hpet_interrupt(h, t->n);
    }
    spin_unlock(&h->lock);
}

static uint64_t hpet_read_reg(struct vhpet *h, unsigned reg)
{
    unsigned n = (reg - REG_TIMERS) / 0x20;

    switch (reg) {
    case 0: return h->hw.capability;
    case REG_CONFIG: return h->hw.config;
    case REG_STATUS: return h->hw.isr;
    case REG_COUNTER: return hpet_counter(h);
    default: break;
    }
    if (reg < REG_TIMERS || n >= HPET_TIMER_NUM)
        return 0;
    switch (reg & 0x18) {
    case 0: return h->hw.timers[n].config;
    case 8: return h->hw.timers[n].cmp;
    default: return 0;
    }
}

static void hpet_write_config(struct vhpet *h, uint64_t value)
{
    uint64_t old = h->hw.config;

    if ((old & CFG_ENABLE) && !(value & CFG_ENABLE))
        h->hw.mc64 = hpet_counter(h);
    h->hw.config = value & (CFG_ENABLE | CFG_LEGACY);
    if (!(old & CFG_ENABLE) && (value & CFG_ENABLE))
        h->started = now() - (time_ns_t)(h->hw.mc64 * TICK_NS);
    hpet_arm_all(h);
}

static void hpet_write_status(struct vhpet *h, uint64_t value)
{
    for (unsigned n = 0; n < HPET_TIMER_NUM; n++)
        if ((value & BIT(n)) && (h->hw.isr & BIT(n))) {
            h->hw.isr &= ~BIT(n);
            hvm_gsi_deassert(h->d, (h->hw.timers[n].config >> TN_ROUTE_SHIFT) & 31);
        }
}

static void hpet_write_timer(struct vhpet *h, unsigned n, unsigned reg, uint64_t value)
{
    if (reg == 0) {
        if (h->hw.isr & BIT(n))
            hpet_write_status(h, BIT(n)); /* its line is held by the old route */
        h->hw.timers[n].config = (h->hw.timers[n].config & ~TN_WRITABLE) | (value & TN_WRITABLE);
        if (h->hw.timers[n].config & TN_32BIT)
            h->hw.timers[n].cmp = (uint32_t)h->hw.timers[n].cmp;
    } else if (reg == 8) {
        if (h->hw.timers[n].config & TN_32BIT)
            value = (uint32_t)value;
        /* A periodic timer takes its period from here; its comparator only while SETVAL is set. */
        if (!(h->hw.timers[n].config & TN_PERIODIC) || (h->hw.timers[n].config & TN_SETVAL))
            h->hw.timers[n].cmp = value;
        else
            h->hw.period[n] = value & INT64_MAX;
        h->hw.timers[n].config &= ~TN_SETVAL;
    }
    hpet_arm(h, n);
}

static void hpet_write_reg(struct vhpet *h, unsigned reg, uint64_t value)
{
    unsigned n = (reg - REG_TIMERS) / 0x20;

    if (reg == REG_CONFIG) {
        hpet_write_config(h, value);
    } else if (reg == REG_STATUS) {
        hpet_write_status(h, value);
    } else if (reg == REG_COUNTER) {
        h->hw.mc64 = value;
        h->started = now() - (time_ns_t)(value * TICK_NS);
        hpet_arm_all(h);
    } else if (reg >= REG_TIMERS && n < HPET_TIMER_NUM) {
        hpet_write_timer(h, n, reg & 0x18, value);
    }
}

static bool vhpet_claims(struct vcpu *v, gpa_t gpa) { return gpa.v >= HPET_BASE && gpa.v < HPET_BASE + HPET_SIZE; }

/* Narrow accesses are taken too: firmware looks for the vendor's number with a read of 16 bits. */
static bool hpet_access_ok(gpa_t gpa, unsigned bytes) { return bytes <= 8 && !(gpa.v & (bytes - 1)); }

static enum hvm_result vhpet_read(struct vcpu *v, gpa_t gpa, unsigned bytes, uint64_t *value)
{
    struct vhpet *h = v->domain->hvm->vhpet;

    *value = 0;
    if (!hpet_access_ok(gpa, bytes))
        return HVM_OKAY;
    spin_lock(&h->lock);
    *value = hpet_read_reg(h, gpa.v & 0x3f8) >> (gpa.v & 7) * 8;
    spin_unlock(&h->lock);
    return HVM_OKAY;
}

static enum hvm_result vhpet_write(struct vcpu *v, gpa_t gpa, unsigned bytes, uint64_t value)
{
    struct vhpet *h = v->domain->hvm->vhpet;
    unsigned reg = gpa.v & 0x3f8;
    uint64_t old;

    if (!hpet_access_ok(gpa, bytes))
        return HVM_OKAY;
    spin_lock(&h->lock);
    if (bytes < 8) {
        unsigned shift = (gpa.v & 7) * 8;
        uint64_t mask = (BIT(bytes * 8) - 1) << shift;

        old = reg == REG_STATUS ? 0 : hpet_read_reg(h, reg);
        value = (old & ~mask) | (value << shift & mask);
    }
    hpet_write_reg(h, reg, value);
    spin_unlock(&h->lock);
    return HVM_OKAY;
}

static const struct mmio_ops vhpet_mmio_ops = {vhpet_claims, vhpet_read, vhpet_write};

void vhpet_reset(struct domain *d)
{
    struct vhpet *h = d->hvm->vhpet;

    spin_lock(&h->lock);
    hpet_write_status(h, BIT(HPET_TIMER_NUM) - 1);
    memset(&h->hw, 0, sizeof(h->hw));
    h->hw.capability = CAPABILITY;
    for (unsigned n = 0; n < HPET_TIMER_NUM; n++) {
        h->hw.timers[n].config = TN_ROUTES | TN_PERIODIC_CAP | BIT(5);
        h->hw.timers[n].cmp = ~0UL;
    }
    hpet_arm_all(h);
    spin_unlock(&h->lock);
}

int vhpet_init(struct domain *d)
{
    struct vhpet *h = xzalloc(struct vhpet);

    if (!h)
        return -ENOMEM;
    h->d = d;
    d->hvm->vhpet = h;
    spin_lock_init(&h->lock, LOCK_UNORDERED);
    for (unsigned n = 0; n < HPET_TIMER_NUM; n++) {
        h->timer[n].h = h;
        h->timer[n].n = n;
        vtick_init(&h->timer[n].tick, d, hpet_fired, &h->timer[n]);
    }
    vhpet_reset(d);
    return hvm_register_mmio(d, &vhpet_mmio_ops);
}

void vhpet_free(struct domain *d)
{
    if (!d->hvm->vhpet)
        return;
    for (unsigned n = 0; n < HPET_TIMER_NUM; n++)
        vtick_kill(&d->hvm->vhpet->timer[n].tick);
    xfree(d->hvm->vhpet);
    d->hvm->vhpet = NULL;
}

static int vhpet_save(struct vcpu *v, struct hvm_save_buf *b)
{
    struct vhpet *h = v->domain->hvm->vhpet;

    if (!h)
        return 0;
    h->hw.mc64 = hpet_counter(h);
    return hvm_save_put(b, HVM_SAVE_CODE(HPET), 0, &h->hw, sizeof(h->hw));
}

static int vhpet_load(struct domain *d, unsigned instance, const void *body, uint32_t len)
{
    struct vhpet *h = d->hvm->vhpet;
    const struct hvm_hw_hpet *in = body;

    if (!h)
        return -ENODEV;
    if (in->config & ~(CFG_ENABLE | CFG_LEGACY))
        return -EINVAL;
    spin_lock(&h->lock);
    h->hw = *in;
    h->hw.capability = CAPABILITY;
    h->hw.isr &= BIT(HPET_TIMER_NUM) - 1;
    for (unsigned n = 0; n < HPET_TIMER_NUM; n++) {
        h->hw.timers[n].config = (in->timers[n].config & TN_WRITABLE) | TN_ROUTES | TN_PERIODIC_CAP | BIT(5);
        h->hw.period[n] &= INT64_MAX;
    }
    h->started = now() - (time_ns_t)(h->hw.mc64 * TICK_NS);
    hpet_arm_all(h);
    spin_unlock(&h->lock);
    return 0;
}

static HVM_SAVE_RECORD(record_hpet) = {HVM_SAVE_CODE(HPET), false, sizeof(struct hvm_hw_hpet), vhpet_save, vhpet_load};
