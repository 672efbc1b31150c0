/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether the CPUs' TSCs show one time: checked as each starts. */
#ifndef POLDER_CPU_TSC_SYNC_H
#define POLDER_CPU_TSC_SYNC_H

#include "../lib/types.h"

void tsc_sync_check_boot(void); /* the boot CPU's part, while the new CPU is in tsc_sync_check_ap() */
void tsc_sync_check_ap(void);
bool tsc_sync_failed(void);
void time_init_done(void); /* time.c: chooses the clock by the result */

#endif
