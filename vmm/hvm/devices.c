/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The platform devices of a domain as a whole: which it has, and their life. */
#include "devices.h"

static const struct {
    uint32_t flag;
    int (*init)(struct domain *d);
    void (*reset)(struct domain *d);
} platform[] = {
    {XEN_X86_EMU_IOAPIC, vioapic_init, vioapic_reset}, {XEN_X86_EMU_PIC, vpic_init, vpic_reset},
    {XEN_X86_EMU_HPET, vhpet_init, vhpet_reset},       {XEN_X86_EMU_PIT, vpit_init, vpit_reset},
    {XEN_X86_EMU_RTC, vrtc_init, vrtc_reset},          {XEN_X86_EMU_PM, vpmtimer_init, vpmtimer_reset},
};

int hvm_devices_init(struct domain *d)
{
    int rc = 0;

    d->hvm->irq = xzalloc(struct hvm_irq);
    if (!d->hvm->irq)
        return -ENOMEM;
    spin_lock_init(&d->hvm->irq->lock, LOCK_VLAPIC);
    for (unsigned i = 0; i < ARRAY_SIZE(platform) && !rc; i++)
        if (d->hvm->emulation_flags & platform[i].flag)
            rc = platform[i].init(d);
    if (rc)
        hvm_devices_free(d);
    return rc;
}

void hvm_devices_free(struct domain *d)
{
    vpit_free(d);
    vrtc_free(d);
    vhpet_free(d);
    vpmtimer_free(d);
    xfree(d->hvm->vioapic);
    xfree(d->hvm->vpic);
    xfree(d->hvm->irq);
    d->hvm->vioapic = NULL;
    d->hvm->vpic = NULL;
    d->hvm->irq = NULL;
}

void hvm_devices_reset(struct domain *d)
{
    struct vcpu *v;

    for (unsigned i = 0; i < ARRAY_SIZE(platform); i++)
        if (d->hvm->emulation_flags & platform[i].flag)
            platform[i].reset(d);
    for_each_vcpu(d, v)
        vlapic_reset(v);
}
