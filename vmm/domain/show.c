/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Debug key 'q': the domains, and what their vCPUs do or wait for.  Looked at while they run: lines need not fit each other. */
#include "../lib/printk.h"
#include "../sched/sched.h"
#include "domain.h"
#include "show.h"

static void show_vcpu(struct vcpu *v)
{
    static const char *const reasons[] = {" blocked", " down", " waits-for-ioreq", " migrating", " crashed"};
    unsigned long flags = READ_ONCE(v->pause_flags);

    printk("  vCPU %u: CPU %u%s", v->id, READ_ONCE(v->processor), READ_ONCE(v->is_running) ? " running" : "");
    for (unsigned i = 0; i < ARRAY_SIZE(reasons); i++)
        if (flags & BIT(i))
            printk("%s", reasons[i]);
    printk(", paused %d; events %s%s; RIP %#lx\n", READ_ONCE(v->pause_count),
           v->info && v->info->evtchn_upcall_pending ? "pending" : "none",
           v->info && v->info->evtchn_upcall_mask ? ", masked" : "", v->regs.rip);
    if (v->ops->show_vcpu)
        v->ops->show_vcpu(v);
}

static void show_domain(struct domain *d)
{
    struct vcpu *v;

    printk("Domain %u (%s): %lu of %lu pages%s%s, paused %d\n", d->id, d->ops->name, d->tot_pages, d->max_pages,
           d->dying ? ", dying" : "", d->is_shut_down ? ", shut down" : "", READ_ONCE(d->pause_count));
    for_each_vcpu(d, v)
        show_vcpu(v);
}

void show_domains(char key)
{
    struct domain *d;

    for (domid_t id = 0; (d = domain_get_next(id)) != NULL; id = d->id + 1, domain_put(d))
        show_domain(d);
}
