/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each CPU's copy of the per-CPU variables. The template in the image is never written. */
#include "../cpu/percpu.h"
#include "../lib/errno.h"
#include "../lib/string.h"
#include "alloc.h"
#include "percpu.h"

extern const char __percpu_start[], __percpu_end[];

uint64_t percpu_offset[MAX_CPUS];

int percpu_init_cpu(unsigned cpu)
{
    size_t size = (size_t)(__percpu_end - __percpu_start);
    char *area;

    if (percpu_offset[cpu])
        return 0;
    area = xzalloc_bytes(size);
    if (!area)
        return -ENOMEM;
    memcpy(area, __percpu_start, size);
    percpu_offset[cpu] = (uint64_t)area - (uint64_t)__percpu_start;
    return 0;
}
