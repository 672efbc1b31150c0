/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ACPI PM timer and the PM1a event block, with the SCI on ISA IRQ 9.  Own
 * lock.  ACPI 6.4, 4.8.3.1 and 4.8.3.3; ports as public header hvm/ioreq.h has them.
 */
#include "devices.h"
#include <xen/hvm/ioreq.h>

#define PMTMR_HZ 3579545U
#define NS_PER_SEC 1000000000U
#define TMR_STS BIT(0)
#define GBL_STS BIT(5)
#define PWRBTN_STS BIT(8)
#define SLPBTN_STS BIT(9)
#define SCI_SOURCES (TMR_STS | GBL_STS | PWRBTN_STS | SLPBTN_STS)
#define TMR_HALF 0x80000000U /* the status bit is set when the top bit of the 32-bit counter changes */

struct vpmtimer {
    spinlock_t lock;
    struct hvm_hw_pmtimer hw;
    time_ns_t base; /* when the counter had the value base_count */
    uint32_t base_count;
    uint64_t location; /* HVM_PARAM_ACPI_IOPORTS_LOCATION */
    struct vtick overflow;
};

static uint64_t pmt_ticks(const struct vpmtimer *p)
{
    return p->base_count + muldiv64((uint64_t)(now() - p->base), PMTMR_HZ, NS_PER_SEC);
}

static void pmt_update_sci(struct domain *d, struct vpmtimer *p)
{
    if (p->hw.pm1a_en & p->hw.pm1a_sts & SCI_SOURCES)
        hvm_isa_irq_assert(d, ISA_IRQ_SCI);
    else
        hvm_isa_irq_deassert(d, ISA_IRQ_SCI);
}

/* The next change of the top bit, of interest only where it interrupts. */
static void pmt_arm(struct vpmtimer *p)
{
    uint64_t left = TMR_HALF - (pmt_ticks(p) & (TMR_HALF - 1));

    if (p->hw.pm1a_en & TMR_STS)
        vtick_start(&p->overflow, now() + (time_ns_t)muldiv64(left, NS_PER_SEC, PMTMR_HZ) + 1, 0);
    else
        vtick_stop(&p->overflow);
}

static void pmt_overflow(struct domain *d, void *data)
{
    struct vpmtimer *p = data;

    spin_lock(&p->lock);
    p->hw.pm1a_sts |= TMR_STS;
    pmt_update_sci(d, p);
    pmt_arm(p);
    spin_unlock(&p->lock);
}

static bool pmt_here(const struct vpmtimer *p, uint16_t port)
{
    bool high = port >= ACPI_PM1A_EVT_BLK_ADDRESS_V1;

    return high == (p->location == 1);
}

static enum hvm_result pmt_timer_pio(struct vcpu *v, bool write, uint16_t port, unsigned bytes, uint32_t *value)
{
    struct vpmtimer *p = v->domain->hvm->pmtimer;

    if (!pmt_here(p, port))
        return HVM_UNHANDLEABLE;
    if (!write)
        *value = (uint32_t)pmt_ticks(p) >> (port & 3) * 8;
    return HVM_OKAY; /* read-only */
}

static enum hvm_result pmt_event_pio(struct vcpu *v, bool write, uint16_t port, unsigned bytes, uint32_t *value)
{
    struct vpmtimer *p = v->domain->hvm->pmtimer;
    unsigned shift = (port & 3) * 8;
    uint32_t old, mask, bits;

    if (!pmt_here(p, port))
        return HVM_UNHANDLEABLE;
    spin_lock(&p->lock);
    old = p->hw.pm1a_sts | (uint32_t)p->hw.pm1a_en << 16;
    if (write) {
        mask = (uint32_t)((bytes == 4 ? 0xffffffffUL : BIT(bytes * 8) - 1) << shift);
        bits = *value << shift & mask;
        p->hw.pm1a_sts &= ~(uint16_t)bits; /* a status bit is cleared by writing 1 */
        p->hw.pm1a_en = (uint16_t)(((old & ~mask) | bits) >> 16);
        pmt_update_sci(v->domain, p);
        pmt_arm(p);
    } else {
        *value = old >> shift;
    }
    spin_unlock(&p->lock);
    return HVM_OKAY;
}

/* PWRBTN_STS or SLPBTN_STS: ACPI 6.4, 4.8.3.1.1. */
static int press(struct domain *d, uint16_t status)
{
    struct vpmtimer *p = d->hvm->pmtimer;

    if (!p)
        return -ENODEV; /* a PVH guest's ACPI is hardware-reduced */
    spin_lock(&p->lock);
    p->hw.pm1a_sts |= status;
    pmt_update_sci(d, p);
    spin_unlock(&p->lock);
    return 0;
}

int vpmtimer_press_power(struct domain *d) { return press(d, PWRBTN_STS); }
int vpmtimer_press_sleep(struct domain *d) { return press(d, SLPBTN_STS); }

int vpmtimer_set_location(struct domain *d, uint64_t version)
{
    if (version > 1)
        return -EINVAL;
    if (d->hvm->pmtimer)
        d->hvm->pmtimer->location = version;
    return 0;
}

void vpmtimer_reset(struct domain *d)
{
    struct vpmtimer *p = d->hvm->pmtimer;

    spin_lock(&p->lock);
    vtick_stop(&p->overflow);
    memset(&p->hw, 0, sizeof(p->hw));
    p->base = now();
    p->base_count = 0;
    pmt_update_sci(d, p);
    spin_unlock(&p->lock);
}

int vpmtimer_init(struct domain *d)
{
    static const uint16_t event[] = {ACPI_PM1A_EVT_BLK_ADDRESS_V0, ACPI_PM1A_EVT_BLK_ADDRESS_V1};
    static const uint16_t timer[] = {ACPI_PM_TMR_BLK_ADDRESS_V0, ACPI_PM_TMR_BLK_ADDRESS_V1};
    struct vpmtimer *p = xzalloc(struct vpmtimer);
    int rc = 0;

    if (!p)
        return -ENOMEM;
    d->hvm->pmtimer = p;
    spin_lock_init(&p->lock, LOCK_UNORDERED);
    vtick_init(&p->overflow, d, pmt_overflow, p);
    p->base = now();
    for (unsigned i = 0; i < 2 && !rc; i++) {
        rc = hvm_register_pio(d, event[i], 4, pmt_event_pio);
        if (!rc)
            rc = hvm_register_pio(d, timer[i], 4, pmt_timer_pio);
    }
    return rc;
}

void vpmtimer_free(struct domain *d)
{
    if (!d->hvm->pmtimer)
        return;
    vtick_kill(&d->hvm->pmtimer->overflow);
    xfree(d->hvm->pmtimer);
    d->hvm->pmtimer = NULL;
}

static int vpmtimer_save(struct vcpu *v, struct hvm_save_buf *b)
{
    struct vpmtimer *p = v->domain->hvm->pmtimer;

    if (!p)
        return 0;
    p->hw.tmr_val = (uint32_t)pmt_ticks(p);
    return hvm_save_put(b, HVM_SAVE_CODE(PMTIMER), 0, &p->hw, sizeof(p->hw));
}

static int vpmtimer_load(struct domain *d, unsigned instance, const void *body, uint32_t len)
{
    struct vpmtimer *p = d->hvm->pmtimer;

    if (!p)
        return -ENODEV;
    spin_lock(&p->lock);
    memcpy(&p->hw, body, sizeof(p->hw));
    p->base = now();
    p->base_count = p->hw.tmr_val;
    pmt_update_sci(d, p);
    pmt_arm(p);
    spin_unlock(&p->lock);
    return 0;
}

static HVM_SAVE_RECORD(record_pmtimer) = {HVM_SAVE_CODE(PMTIMER), false, sizeof(struct hvm_hw_pmtimer), vpmtimer_save,
                                          vpmtimer_load};
