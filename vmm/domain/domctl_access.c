/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of the machine a domain may touch: frames, ports, IRQs. Nobody gives what he has not. */
#include "../cpu/cpu.h"
#include "domctl.h"
#include "pirq.h"

static long grant_range(struct rangeset *to, const struct rangeset *mine, uint64_t first, uint64_t last, bool allow)
{
    if (!rangeset_contains(mine, first, last))
        return -EPERM;
    return allow ? rangeset_add(to, first, last) : rangeset_remove(to, first, last);
}

long domctl_irq_permission(struct domain *d, struct xen_domctl *op, bool *back)
{
    uint32_t pirq = op->u.irq_permission.pirq;

    return grant_range(d->irq_caps, current->domain->irq_caps, pirq, pirq, op->u.irq_permission.allow_access);
}

long domctl_iomem_permission(struct domain *d, struct xen_domctl *op, bool *back)
{
    uint64_t first = op->u.iomem_permission.first_mfn, n = op->u.iomem_permission.nr_mfns;

    if (!n || first + n - 1 < first || (first + n - 1) >> (cpu_features.paddr_bits - PAGE_SHIFT))
        return -EINVAL;
    return grant_range(d->iomem_caps, current->domain->iomem_caps, first, first + n - 1,
                       op->u.iomem_permission.allow_access);
}

long domctl_ioport_permission(struct domain *d, struct xen_domctl *op, bool *back)
{
    uint64_t first = op->u.ioport_permission.first_port, n = op->u.ioport_permission.nr_ports;

    if (!n)
        return 0;
    if (first + n > 65536)
        return -EINVAL;
    return grant_range(d->ioport_caps, current->domain->ioport_caps, first, first + n - 1,
                       op->u.ioport_permission.allow_access);
}
