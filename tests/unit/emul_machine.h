/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine for tests of the emulator: memory, registers and devices of its own, and counters of what was done to them. */
#ifndef POLDER_TESTS_EMUL_MACHINE_H
#define POLDER_TESTS_EMUL_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmm/cpu/regs.h"
#include "vmm/emul/emul.h"
#include "vmm/lib/string.h"

#define MEM 0x20000
#define GDT 0x1000
#define TSS 0x2000
#define CODE 0x4000
#define STACK 0x8000

struct machine {
    uint8_t mem[MEM];
    struct cpu_user_regs regs;
    struct emul_ctxt c;
    struct emul_segment seg[EMUL_SEG_NONE];
    uint64_t cr[16], dr[8], xcr0;
    uint64_t msr_star, tsc, gs_shadow, tsc_aux, efer;
    uint32_t port[4];
    unsigned fetch_limit;              /* code beyond it faults */
    uint64_t fault_at;                 /* a data access there page-faults */
    unsigned retry_after;              /* accesses until EMUL_RETRY; 0: never */
    unsigned cmpxchg_disturbed;        /* how many times another CPU wins */
    unsigned preempt_after, fast_calls, writes, invlpgs, wbinvds;
    struct emul_fxsave fx;
};
extern struct machine m;
extern struct emul_ops ops; /* what the emulator calls; a test may change them after start() */

enum { /* selectors */
    S_CODE = 0x08, S_DATA = 0x10, S_CODE3 = 0x18, S_DATA3 = 0x20, S_ABSENT = 0x28, S_LDT = 0x30, S_TSS = 0x40, S_GATE = 0x50,
    S_CONFORM = 0x58, S_CODE16 = 0x60, S_RODATA = 0x68, S_DOWN = 0x70, S_CODE64 = 0x78,
};
#define A_CODE 0xc09b /* present, readable, accessed, 32-bit, granular */
#define A_DATA 0xc093

void put_descriptor(unsigned sel, uint32_t base, uint32_t limit, unsigned attr);
void start(unsigned mode);                          /* powers it on: 16, 32 or 64 bits */
int run_bytes(const char *bytes, unsigned n);       /* runs the instruction whose bytes are given at CS:rip */
void set_cpl(unsigned cpl);
void poke(uint64_t at, uint64_t v, unsigned n);
uint64_t peek(uint64_t at, unsigned n);

#define RUN(bytes) run_bytes(bytes, sizeof(bytes) - 1)
#define assert_ok(bytes) assert_int_equal(RUN(bytes), EMUL_OKAY)
/* The fault, and that it changed no register. */
#define assert_fault(bytes, vec, code)                                                                                 \
    do {                                                                                                               \
        struct cpu_user_regs before_ = m.regs;                                                                         \
        assert_int_equal(RUN(bytes), EMUL_EXCEPTION);                                                                  \
        assert_int_equal(m.c.event.vector, vec);                                                                       \
        assert_int_equal(m.c.event.error_code, code);                                                                  \
        assert_memory_equal(&before_, &m.regs, sizeof(before_));                                                       \
    } while (0)
#define assert_ud(bytes) assert_fault(bytes, X86_TRAP_UD, -1)
#define assert_gp(bytes, code) assert_fault(bytes, X86_TRAP_GP, code)

#endif
