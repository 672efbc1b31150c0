/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Per-CPU data.  Each CPU's stack is STACK_SIZE-aligned and struct cpu_info
 * stands at its top, so the stack pointer finds everything; GS belongs to guests.
 *
 * A variable declared with DEFINE_PER_CPU is one copy for each CPU; this_cpu(x)
 * and per_cpu(x, cpu) are lvalues.
 */
#ifndef POLDER_CPU_PERCPU_H
#define POLDER_CPU_PERCPU_H

#include "../lib/cpumask.h"
#include "../mm/layout.h"

struct vcpu;

struct cpu_info {
    struct vcpu *current_vcpu; /* changed by the scheduler only */
    uint64_t percpu_offset;
    uint32_t cpu;
    uint32_t pad;
    uint64_t scratch[5]; /* system-call entry; keeps the size a multiple of 16 */
};
_Static_assert(sizeof(struct cpu_info) % 16 == 0, "stack alignment");

#ifndef POLDER_HOST
static inline struct cpu_info *get_cpu_info(void)
{
    uint64_t sp;
    __asm__("mov %%rsp, %0" : "=r"(sp));
    return (struct cpu_info *)((sp | (STACK_SIZE - 1)) + 1) - 1;
}
#else
struct cpu_info *get_cpu_info(void); /* unit tests give their own */
#endif

#define current (get_cpu_info()->current_vcpu)
#define smp_processor_id() (get_cpu_info()->cpu)

extern uint64_t percpu_offset[MAX_CPUS]; /* valid for CPUs that were brought up */
#define DEFINE_PER_CPU(type, name) __percpu __typeof__(type) per_cpu__##name
/* Behind the others, which so stay near each other. */
#define DEFINE_PER_CPU_LARGE(type, name) __section(".data.percpu.large") __typeof__(type) per_cpu__##name
#define DECLARE_PER_CPU(type, name) extern __typeof__(type) per_cpu__##name
#define per_cpu(name, cpu) (*(__typeof__(per_cpu__##name) *)((char *)&per_cpu__##name + percpu_offset[cpu]))
#define this_cpu(name) (*(__typeof__(per_cpu__##name) *)((char *)&per_cpu__##name + get_cpu_info()->percpu_offset))

/* Abandons the stack and jumps; for the end of a context switch. */
void reset_stack_and_jump(void (*fn)(void)) __noreturn;

#endif
