/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's 8254 interval timer and port 0x61.  Channel 0 raises ISA IRQ 0;
 * the counts of all three follow from the time since they were loaded.  Own
 * lock.  Intel 8254 data sheet.
 */
#include "devices.h"

#define PIT_HZ 1193182U
#define NS_PER_SEC 1000000000U
#define RW_LSB 1
#define RW_MSB 2
#define RW_WORD 3

struct vpit {
    spinlock_t lock;
    struct hvm_hw_pit hw;
    time_ns_t loaded[3];   /* when each channel's count was loaded */
    bool msb_next_read[3]; /* second byte of a 16-bit access */
    bool msb_next_write[3];
    struct vtick tick;
};

static uint64_t pit_ticks(const struct vpit *p, unsigned ch)
{
    return muldiv64((uint64_t)(now() - p->loaded[ch]), PIT_HZ, NS_PER_SEC);
}

static uint32_t pit_reload(const struct vpit *p, unsigned ch) { return p->hw.channels[ch].count ?: 65536; }

static uint16_t pit_count(const struct vpit *p, unsigned ch)
{
    const struct hvm_hw_pit_channel *c = &p->hw.channels[ch];
    uint32_t reload = pit_reload(p, ch);
    uint64_t t = pit_ticks(p, ch);

    switch (c->mode) {
    case 0:
    case 1:
    case 4:
    case 5: return (uint16_t)(reload - t);
    case 3: return (uint16_t)(reload - (2 * t) % reload);
    default: return (uint16_t)(reload - t % reload);
    }
}

/* The output pin. */
static bool pit_out(const struct vpit *p, unsigned ch)
{
    uint32_t reload = pit_reload(p, ch);
    uint64_t t = pit_ticks(p, ch);

    switch (p->hw.channels[ch].mode) {
    case 0: return t >= reload;
    case 1: return t >= reload;
    case 2: return t % reload != reload - 1;
    case 3: return t % reload < (reload + 1) / 2;
    default: return t != reload;
    }
}

static void pit_fired(struct domain *d, void *data)
{
    if (!vhpet_is_legacy(d))
        hvm_isa_irq_pulse(d, 0);
}

static void pit_load(struct vpit *p, unsigned ch, uint32_t count)
{
    struct hvm_hw_pit_channel *c = &p->hw.channels[ch];
    time_ns_t span;

    c->count = count ?: 65536;
    p->loaded[ch] = now();
    if (ch != 0)
        return;
    span = (time_ns_t)muldiv64(c->count, NS_PER_SEC, PIT_HZ);
    switch (c->mode) {
    case 2:
    case 3: vtick_start(&p->tick, p->loaded[ch] + span, span); break;
    case 0:
    case 4: vtick_start(&p->tick, p->loaded[ch] + span, 0); break;
    default: vtick_stop(&p->tick); break; /* triggered by the gate, which channel 0 lacks */
    }
}

static void pit_latch_count(struct vpit *p, unsigned ch)
{
    struct hvm_hw_pit_channel *c = &p->hw.channels[ch];

    if (c->count_latched)
        return;
    c->latched_count = pit_count(p, ch);
    c->count_latched = c->rw_mode;
    p->msb_next_read[ch] = false;
}

static void pit_latch_status(struct vpit *p, unsigned ch)
{
    struct hvm_hw_pit_channel *c = &p->hw.channels[ch];

    if (c->status_latched)
        return;
    c->status = (uint8_t)(pit_out(p, ch) << 7 | c->rw_mode << 4 | c->mode << 1 | c->bcd);
    c->status_latched = 1;
}

static void pit_write_control(struct vpit *p, uint8_t value)
{
    unsigned ch = value >> 6, mode = (value >> 1) & 7;

    if (ch == 3) { /* read-back: complemented count and status bits, a bit for each channel */
        for (unsigned i = 0; i < 3; i++) {
            if (!(value & (2U << i)))
                continue;
            if (!(value & 0x20))
                pit_latch_count(p, i);
            if (!(value & 0x10))
                pit_latch_status(p, i);
        }
        return;
    }
    if (((value >> 4) & 3) == 0) {
        pit_latch_count(p, ch);
        return;
    }
    p->hw.channels[ch].rw_mode = (value >> 4) & 3;
    p->hw.channels[ch].mode = mode > 5 ? mode - 4 : mode;
    p->hw.channels[ch].bcd = value & 1;
    p->hw.channels[ch].count_latched = 0;
    p->msb_next_read[ch] = p->msb_next_write[ch] = false;
    if (ch == 0)
        vtick_stop(&p->tick);
}

static void pit_write_count(struct vpit *p, unsigned ch, uint8_t value)
{
    struct hvm_hw_pit_channel *c = &p->hw.channels[ch];

    switch (c->rw_mode) {
    case RW_LSB: pit_load(p, ch, value); break;
    case RW_MSB: pit_load(p, ch, (uint32_t)value << 8); break;
    default:
        if (!p->msb_next_write[ch])
            c->write_latch = value;
        else
            pit_load(p, ch, (uint32_t)value << 8 | c->write_latch);
        p->msb_next_write[ch] = !p->msb_next_write[ch];
        break;
    }
}

static uint8_t pit_read_count(struct vpit *p, unsigned ch)
{
    struct hvm_hw_pit_channel *c = &p->hw.channels[ch];
    uint16_t count;
    bool msb = c->rw_mode == RW_MSB;

    if (c->status_latched) {
        c->status_latched = 0;
        return c->status;
    }
    count = c->count_latched ? c->latched_count : pit_count(p, ch);
    if (c->rw_mode == RW_WORD) {
        msb = p->msb_next_read[ch];
        p->msb_next_read[ch] = !msb;
    }
    if (c->rw_mode != RW_WORD || msb)
        c->count_latched = 0;
    return msb ? count >> 8 : count & 0xff;
}

static enum hvm_result vpit_pio(struct vcpu *v, bool write, uint16_t port, unsigned bytes, uint32_t *value)
{
    struct vpit *p = v->domain->hvm->vpit;
    unsigned ch = port & 3;

    if (bytes != 1)
        return HVM_UNHANDLEABLE;
    spin_lock(&p->lock);
    if (write && ch == 3)
        pit_write_control(p, (uint8_t)*value);
    else if (write)
        pit_write_count(p, ch, (uint8_t)*value);
    else
        *value = ch == 3 ? 0xff : pit_read_count(p, ch);
    spin_unlock(&p->lock);
    return HVM_OKAY;
}

/* NMI status and control: gate and output of channel 2, the speaker, and the refresh clock that toggles. */
static enum hvm_result vpit_port61(struct vcpu *v, bool write, uint16_t port, unsigned bytes, uint32_t *value)
{
    struct vpit *p = v->domain->hvm->vpit;

    if (bytes != 1)
        return HVM_UNHANDLEABLE;
    spin_lock(&p->lock);
    if (write) {
        if ((*value & 1) && !p->hw.channels[2].gate)
            p->loaded[2] = now(); /* a rising gate starts the count anew */
        p->hw.channels[2].gate = *value & 1;
        p->hw.speaker_data_on = (*value >> 1) & 1;
    } else {
        *value = p->hw.channels[2].gate | p->hw.speaker_data_on << 1 | (uint32_t)pit_out(p, 2) << 5 |
                 (uint32_t)((now() / 15085) & 1) << 4;
    }
    spin_unlock(&p->lock);
    return HVM_OKAY;
}

void vpit_reset(struct domain *d)
{
    struct vpit *p = d->hvm->vpit;

    spin_lock(&p->lock);
    vtick_stop(&p->tick);
    memset(&p->hw, 0, sizeof(p->hw));
    for (unsigned ch = 0; ch < 3; ch++) {
        p->hw.channels[ch].mode = 3;
        p->hw.channels[ch].rw_mode = RW_WORD;
        p->hw.channels[ch].gate = ch != 2;
        p->hw.channels[ch].count = 65536;
        p->loaded[ch] = now();
        p->msb_next_read[ch] = p->msb_next_write[ch] = false;
    }
    spin_unlock(&p->lock);
}

int vpit_init(struct domain *d)
{
    struct vpit *p = xzalloc(struct vpit);
    int rc;

    if (!p)
        return -ENOMEM;
    d->hvm->vpit = p;
    spin_lock_init(&p->lock, LOCK_UNORDERED);
    vtick_init(&p->tick, d, pit_fired, NULL);
    vpit_reset(d);
    rc = hvm_register_pio(d, 0x40, 4, vpit_pio);
    return rc ? rc : hvm_register_pio(d, 0x61, 1, vpit_port61);
}

void vpit_free(struct domain *d)
{
    if (!d->hvm->vpit)
        return;
    vtick_kill(&d->hvm->vpit->tick);
    xfree(d->hvm->vpit);
    d->hvm->vpit = NULL;
}

/* What the record does not say, the phase, begins anew at restore. */
static int vpit_save(struct vcpu *v, struct hvm_save_buf *b)
{
    if (!v->domain->hvm->vpit)
        return 0;
    return hvm_save_put(b, HVM_SAVE_CODE(PIT), 0, &v->domain->hvm->vpit->hw, sizeof(struct hvm_hw_pit));
}

static int vpit_load(struct domain *d, unsigned instance, const void *body, uint32_t len)
{
    const struct hvm_hw_pit *in = body;
    struct vpit *p = d->hvm->vpit;

    if (!p)
        return -ENODEV;
    for (unsigned ch = 0; ch < 3; ch++)
        if (in->channels[ch].count > 65536 || in->channels[ch].mode > 5 || in->channels[ch].rw_mode > 3 ||
            in->channels[ch].gate > 1)
            return -EINVAL;
    spin_lock(&p->lock);
    p->hw = *in;
    for (unsigned ch = 0; ch < 3; ch++)
        if (in->channels[ch].count)
            pit_load(p, ch, in->channels[ch].count);
    spin_unlock(&p->lock);
    return 0;
}

static HVM_SAVE_RECORD(record_pit) = {HVM_SAVE_CODE(PIT), false, sizeof(struct hvm_hw_pit), vpit_save, vpit_load};
