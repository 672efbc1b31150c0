/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain's names for physical IRQs.  The table's lock guards all of it and
 * comes after the event-channel lock; interrupt handlers read ports without it.
 * A domain that never maps one has no table of entries.
 */
#include "../cpu/irq.h"
#include "../cpu/percpu.h"
#include "../mm/alloc.h"
#include "evtchn.h"
#include "pirq.h"
#include <xen/physdev.h>

#define NR_PIRQS NR_IRQS
#define IRQ_NONE (-1)
#define IRQ_RESERVED (-2) /* PHYSDEVOP_get_free_pirq gave it out */

struct pirq {
    struct domain *d;
    int irq;
    uint32_t port; /* 0: not bound */
    uint8_t
        group; /* IRQs that one unmapping takes: 1, or more for the first of a multi-message MSI, 0 for its others */
    bool is_msi;
};

struct pirq_table {
    spinlock_t lock;
    struct pirq *entry;         /* NR_PIRQS of them; NULL until the first is mapped */
    struct page_info *eoi_page; /* with a reference and a type */
};

static struct pirq *pirq_get(struct domain *d, unsigned pirq)
{
    struct pirq *entry = __atomic_load_n(&d->pirqs->entry, __ATOMIC_ACQUIRE);

    return entry && pirq < NR_PIRQS ? &entry[pirq] : NULL;
}

static unsigned pirq_nr(const struct pirq *p) { return (unsigned)(p - p->d->pirqs->entry); }

int pirq_init_domain(struct domain *d)
{
    d->pirqs = xzalloc(struct pirq_table);
    if (!d->pirqs)
        return -ENOMEM;
    spin_lock_init(&d->pirqs->lock, LOCK_UNORDERED);
    return 0;
}

static int alloc_entries(struct domain *d)
{
    struct pirq *entry, *none = NULL;

    if (d->pirqs->entry)
        return 0;
    entry = xzalloc_array(struct pirq, NR_PIRQS);
    if (!entry)
        return -ENOMEM;
    for (unsigned i = 0; i < NR_PIRQS; i++) {
        entry[i].d = d;
        entry[i].irq = IRQ_NONE;
    }
    if (!__atomic_compare_exchange_n(&d->pirqs->entry, &none, entry, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        xfree(entry);
    return 0;
}

/* -- mapping ------------------------------------------------------------------------------------------------------- */

static bool usable(const struct pirq *p, bool named) { return p->irq == IRQ_NONE || (named && p->irq == IRQ_RESERVED); }

/* n free entries in a row: from 'pirq' on, or anywhere above the GSIs. NULL: none. With the lock. */
static struct pirq *find_free(struct domain *d, int pirq, unsigned n)
{
    unsigned first = pirq >= 0 ? (unsigned)pirq : nr_irqs_gsi, run = 0;

    for (unsigned i = first; i < NR_PIRQS; i++) {
        run = usable(&d->pirqs->entry[i], pirq >= 0) ? run + 1 : 0;
        if (run == n)
            return &d->pirqs->entry[i + 1 - n];
        if (pirq >= 0 && !run)
            break;
    }
    return NULL;
}

/* Names n IRQs from 'irq' on. Gives the first pirq. */
static int map_irqs(struct domain *d, int irq, unsigned n, int pirq, bool is_msi)
{
    unsigned long flags = spin_lock_irqsave(&d->pirqs->lock);
    struct pirq *p = find_free(d, pirq, n);
    int ret = pirq >= 0 ? -EEXIST : -ENOSPC;

    if (p) {
        for (unsigned i = 0; i < n; i++) {
            p[i].irq = irq + (int)i;
            p[i].is_msi = is_msi;
            p[i].group = i == 0 ? (uint8_t)n : 0;
        }
        ret = (int)pirq_nr(p);
    }
    spin_unlock_irqrestore(&d->pirqs->lock, flags);
    return ret;
}

/* The pirq that d has for the IRQ already, or -ENOENT. */
static int find_mapping(struct domain *d, int irq)
{
    unsigned long flags = spin_lock_irqsave(&d->pirqs->lock);
    int ret = -ENOENT;

    for (unsigned i = 0; i < NR_PIRQS && ret < 0; i++) {
        if (d->pirqs->entry[i].irq == irq)
            ret = (int)i;
    }
    spin_unlock_irqrestore(&d->pirqs->lock, flags);
    return ret;
}

int pirq_map_gsi(struct domain *d, int gsi, int pirq)
{
    int old, rc;

    if (gsi < 0 || (unsigned)gsi >= nr_irqs_gsi || pirq < -1 || pirq >= NR_PIRQS)
        return -EINVAL;
    if (!rangeset_contains(current->domain->irq_caps, (uint64_t)gsi, (uint64_t)gsi) ||
        !rangeset_contains(d->irq_caps, (uint64_t)gsi, (uint64_t)gsi))
        return -EPERM;
    if (!irq_exists(gsi))
        return -ENODEV;
    rc = alloc_entries(d);
    if (rc)
        return rc;
    old = find_mapping(d, gsi);
    if (old >= 0)
        return pirq < 0 || pirq == old ? old : -EEXIST;
    /* The hardware domain finds a GSI under its own number. */
    if (pirq < 0 && d->is_hardware) {
        rc = map_irqs(d, gsi, 1, gsi, false);
        if (rc >= 0)
            return rc;
    }
    return map_irqs(d, gsi, 1, pirq, false);
}

int pirq_map_msi(struct domain *d, const struct msi_request *req, int pirq)
{
    int irq, ret;

    if (pirq < -1 || pirq >= NR_PIRQS)
        return -EINVAL;
    ret = alloc_entries(d);
    if (ret)
        return ret;
    irq = msi_setup(req);
    if (irq < 0)
        return irq;
    ret = rangeset_add(d->irq_caps, (uint64_t)irq, (uint64_t)irq + req->nr_vectors - 1);
    if (!ret)
        ret = map_irqs(d, irq, req->nr_vectors, pirq, true);
    if (ret < 0) {
        for (unsigned i = 0; i < req->nr_vectors; i++)
            msi_teardown(irq + (int)i);
        if (!d->is_hardware) /* the numbers may be another's next */
            (void)!rangeset_remove(d->irq_caps, (uint64_t)irq, (uint64_t)irq + req->nr_vectors - 1);
    }
    return ret;
}

int pirq_unmap(struct domain *d, int pirq)
{
    struct pirq *p = pirq >= 0 ? pirq_get(d, (unsigned)pirq) : NULL;
    unsigned long flags;
    bool is_msi;
    unsigned n;
    int rc = 0, irq;

    if (!p)
        return -EINVAL;
    flags = spin_lock_irqsave(&d->pirqs->lock);
    irq = p->irq;
    is_msi = p->is_msi;
    n = irq == IRQ_RESERVED ? 1 : p->group;
    if (irq == IRQ_NONE || !n)
        rc = -EINVAL;
    for (unsigned i = 0; i < n && !rc; i++)
        rc = p[i].port ? -EBUSY : 0;
    for (unsigned i = 0; i < n && !rc; i++) {
        p[i].irq = IRQ_NONE;
        p[i].group = 0;
        p[i].is_msi = false;
    }
    spin_unlock_irqrestore(&d->pirqs->lock, flags);
    if (rc || irq < 0)
        return rc;
    for (unsigned i = 0; i < n && is_msi; i++)
        msi_teardown(irq + (int)i);
    if (is_msi && !d->is_hardware)
        return rangeset_remove(d->irq_caps, (uint64_t)irq, (uint64_t)irq + n - 1);
    return 0;
}

int pirq_reserve(struct domain *d)
{
    unsigned long flags;
    struct pirq *p;
    int ret = alloc_entries(d);

    if (ret)
        return ret;
    flags = spin_lock_irqsave(&d->pirqs->lock);
    p = find_free(d, -1, 1);
    if (p)
        p->irq = IRQ_RESERVED;
    ret = p ? (int)pirq_nr(p) : -ENOSPC;
    spin_unlock_irqrestore(&d->pirqs->lock, flags);
    return ret;
}

/* -- interrupts ---------------------------------------------------------------------------------------------------- */

static void pirq_interrupt(int irq, void *data)
{
    struct pirq *p = data;

    send_guest_pirq(p->d, pirq_nr(p));
}

/* With the lock. */
static void show_needs_eoi(struct pirq *p)
{
    struct page_info *pg = p->d->pirqs->eoi_page;

    if (!pg)
        return;
    if (p->port && irq_needs_eoi(p->irq))
        set_bit(pirq_nr(p), page_to_virt(pg));
    else
        clear_bit(pirq_nr(p), page_to_virt(pg));
}

int pirq_bind(struct domain *d, unsigned pirq, uint32_t port, bool share)
{
    struct pirq *p = pirq_get(d, pirq);
    unsigned long flags;
    int rc;

    if (!p)
        return -EINVAL;
    flags = spin_lock_irqsave(&d->pirqs->lock);
    rc = p->irq < 0 ? -EINVAL : p->port ? -EEXIST : 0;
    if (!rc) {
        p->port = port; /* before the first interrupt */
        rc = irq_bind_guest(p->irq, pirq_interrupt, p, share);
        if (rc)
            p->port = 0;
        else
            show_needs_eoi(p);
    }
    spin_unlock_irqrestore(&d->pirqs->lock, flags);
    return rc;
}

void pirq_unbind(struct domain *d, unsigned pirq)
{
    struct pirq *p = pirq_get(d, pirq);
    unsigned long flags;

    if (!p)
        return;
    flags = spin_lock_irqsave(&d->pirqs->lock);
    if (p->port) {
        irq_unbind_guest(p->irq, p);
        p->port = 0;
        show_needs_eoi(p);
    }
    spin_unlock_irqrestore(&d->pirqs->lock, flags);
}

uint32_t pirq_to_port(struct domain *d, unsigned pirq)
{
    struct pirq *p = pirq_get(d, pirq);

    return p ? READ_ONCE(p->port) : 0;
}

int pirq_guest_eoi(struct domain *d, unsigned pirq)
{
    struct pirq *p = pirq_get(d, pirq);
    unsigned long flags;
    int rc = 0;

    if (!p)
        return -EINVAL;
    flags = spin_lock_irqsave(&d->pirqs->lock);
    if (p->irq < 0)
        rc = -EINVAL;
    else if (p->port)
        irq_guest_eoi(p->irq, p);
    spin_unlock_irqrestore(&d->pirqs->lock, flags);
    return rc;
}

unsigned pirq_status(struct domain *d, unsigned pirq)
{
    struct pirq *p = pirq_get(d, pirq);
    int irq = p ? READ_ONCE(p->irq) : IRQ_NONE;

    return (irq_needs_eoi(irq) ? XENIRQSTAT_needs_eoi : 0) | (irq_is_shared(irq) ? XENIRQSTAT_shared : 0);
}

void pirq_set_affinity(struct domain *d, unsigned pirq, unsigned cpu)
{
    struct pirq *p = pirq_get(d, pirq);
    int irq = p ? READ_ONCE(p->irq) : IRQ_NONE;

    if (irq >= 0)
        irq_set_affinity(irq, cpu);
}

/* -- the guest's view and the domain's end ------------------------------------------------------------------------- */

int pirq_set_eoi_page(struct domain *d, gfn_t gfn)
{
    struct page_info *pg;
    unsigned long flags;
    int rc = 0;

    pg = d->ops->get_page(d, gfn, true, &rc);
    if (!pg)
        return rc ? rc : -EINVAL;
    flags = spin_lock_irqsave(&d->pirqs->lock);
    if (d->pirqs->eoi_page || d->dying != DOMDYING_alive) {
        rc = -EBUSY;
    } else {
        d->pirqs->eoi_page = pg;
        for (unsigned i = 0; i < NR_PIRQS && d->pirqs->entry; i++)
            show_needs_eoi(&d->pirqs->entry[i]);
    }
    spin_unlock_irqrestore(&d->pirqs->lock, flags);
    if (rc)
        page_put_and_type(pg);
    return rc;
}

void pirq_relinquish(struct domain *d)
{
    struct page_info *pg;
    unsigned long flags;

    for (unsigned i = 0; i < NR_PIRQS && d->pirqs->entry; i++) {
        int irq = d->pirqs->entry[i].irq;

        pirq_unbind(d, i);
        if (irq >= 0 && pirq_unmap(d, (int)i) == 0)
            irq_synchronize(irq);
    }
    flags = spin_lock_irqsave(&d->pirqs->lock);
    pg = d->pirqs->eoi_page;
    d->pirqs->eoi_page = NULL;
    spin_unlock_irqrestore(&d->pirqs->lock, flags);
    if (pg)
        page_put_and_type(pg);
}

void pirq_destroy_domain(struct domain *d)
{
    if (!d->pirqs)
        return;
    pirq_relinquish(d);
    xfree(d->pirqs->entry);
    xfree(d->pirqs);
    d->pirqs = NULL;
}
