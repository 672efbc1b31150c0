/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting PV support, and building the first domain from the boot modules. */
#ifndef POLDER_PV_DOM0_H
#define POLDER_PV_DOM0_H

#include "../domain/domain.h"

/* Installs the trap and system-call hooks and the PV hypercalls: before the first PV domain. */
void pv_init(void);

/* Builds Dom0 and leaves it paused by nobody: it runs as soon as the scheduler does. Panics where it cannot be built. */
void dom0_construct(void);

/* Gives d what of the machine the hypervisor does not keep: I/O ports, MMIO, interrupts. */
int dom0_grant_hardware(struct domain *d) __must_check;

#endif
