/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Single instructions as functions. */
#ifndef POLDER_CPU_ASM_H
#define POLDER_CPU_ASM_H

#include "../lib/types.h"

#define INSN(...) __asm__ volatile(__VA_ARGS__)

static inline uint64_t read_cr0(void)
{
    uint64_t v;
    INSN("mov %%cr0, %0" : "=r"(v));
    return v;
}
static inline uint64_t read_cr2(void)
{
    uint64_t v;
    INSN("mov %%cr2, %0" : "=r"(v));
    return v;
}
static inline uint64_t read_cr3(void)
{
    uint64_t v;
    INSN("mov %%cr3, %0" : "=r"(v));
    return v;
}
static inline uint64_t read_cr4(void)
{
    uint64_t v;
    INSN("mov %%cr4, %0" : "=r"(v));
    return v;
}
static inline void write_cr0(uint64_t v) { INSN("mov %0, %%cr0" ::"r"(v) : "memory"); }
static inline void write_cr2(uint64_t v) { INSN("mov %0, %%cr2" ::"r"(v)); }
static inline void write_cr3(uint64_t v) { INSN("mov %0, %%cr3" ::"r"(v) : "memory"); }
static inline void write_cr4(uint64_t v) { INSN("mov %0, %%cr4" ::"r"(v) : "memory"); }
static inline void invlpg(uint64_t va) { INSN("invlpg (%0)" ::"r"(va) : "memory"); }
static inline void wbinvd(void) { INSN("wbinvd" ::: "memory"); }
static inline void clts(void) { INSN("clts"); }

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;
    INSN("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}
static inline void wrmsr(uint32_t msr, uint64_t v)
{
    INSN("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}
/* 0, or -EFAULT where the CPU raised #GP. In cpu/safe.S. */
int rdmsr_safe(uint32_t msr, uint64_t *value);
int wrmsr_safe(uint32_t msr, uint64_t value);

static inline void cpuid_count(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
    INSN("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(sub));
}
static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;
    INSN("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}
static inline uint64_t rdtsc_ordered(void)
{
    INSN("lfence" ::: "memory");
    return rdtsc();
}

static inline uint8_t inb(uint16_t p)
{
    uint8_t v;
    INSN("inb %1, %0" : "=a"(v) : "Nd"(p));
    return v;
}
static inline uint16_t inw(uint16_t p)
{
    uint16_t v;
    INSN("inw %1, %0" : "=a"(v) : "Nd"(p));
    return v;
}
static inline uint32_t inl(uint16_t p)
{
    uint32_t v;
    INSN("inl %1, %0" : "=a"(v) : "Nd"(p));
    return v;
}
static inline void outb(uint16_t p, uint8_t v) { INSN("outb %0, %1" ::"a"(v), "Nd"(p)); }
static inline void outw(uint16_t p, uint16_t v) { INSN("outw %0, %1" ::"a"(v), "Nd"(p)); }
static inline void outl(uint16_t p, uint32_t v) { INSN("outl %0, %1" ::"a"(v), "Nd"(p)); }

static inline void local_irq_disable(void) { INSN("cli" ::: "memory"); }
static inline void local_irq_enable(void) { INSN("sti" ::: "memory"); }
static inline bool local_irq_is_enabled(void)
{
    uint64_t f;
    INSN("pushfq; popq %0" : "=r"(f));
    return f & 0x200;
}
/* Enables interrupts and halts with nothing between. */
static inline void safe_halt(void) { INSN("sti; hlt" ::: "memory"); }
static inline void cpu_relax(void) { INSN("pause" ::: "memory"); }
static inline void smp_mb(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

#endif
