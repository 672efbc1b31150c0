/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making a CPU's per-CPU variables before it starts. */
#ifndef POLDER_MM_PERCPU_H
#define POLDER_MM_PERCPU_H

/* Sets percpu_offset[cpu]; does nothing if that is done. 0 or -ENOMEM. */
int percpu_init_cpu(unsigned cpu);

#endif
