/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The emulator against the host CPU: random instructions in 64, 32 and 16-bit
 * code (the last two in segments of the LDT) run natively and emulated, from
 * the same registers, flags and memory, must agree.  POLDER_SEED repeats a run, POLDER_ROUNDS lengthens it.
 */
// sources: vmm/emul/*.c
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <asm/ldt.h>
#include <cmocka.h>

#include "vmm/cpu/regs.h"
#include "vmm/emul/emul.h"
#include "vmm/lib/string.h"

#define SCRATCH 1024
#define CODE_OFF 8192 /* in the mapping, which has all that a 64 KiB segment reaches */

struct native {
    uint64_t gpr[16], flags;
} native __attribute__((used));
uint64_t native_entry __attribute__((used)), native_host_rsp __attribute__((used));
struct emul_fxsave native_fx __attribute__((used, aligned(16)));
static struct emul_fxsave host_fx __attribute__((used, aligned(16)));

struct {
    uint32_t offset;
    uint16_t selector;
} __attribute__((packed)) native_far __attribute__((used));
uint32_t native_data __attribute__((used)); /* selector for DS, ES and SS in 32 and 16-bit code */

void native_run64(void);
void native_run_compat(void);
void native_exit(void);
#define N(n) "native+8*" #n "(%rip)"
#define ENTER                                                                                                          \
    "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"                                               \
    "fxsave64 host_fx(%rip); fxrstor64 native_fx(%rip)\n"                                                              \
    "mov %rsp, native_host_rsp(%rip)\n"                                                                                \
    "mov " N(0) ",%rax; mov " N(1) ",%rcx; mov " N(2) ",%rdx; mov " N(3) ",%rbx; mov " N(5) ",%rbp\n"                  \
    "mov " N(6) ",%rsi; mov " N(7) ",%rdi; mov " N(8) ",%r8; mov " N(9) ",%r9; mov " N(10) ",%r10\n"                   \
    "mov " N(11) ",%r11; mov " N(12) ",%r12; mov " N(13) ",%r13; mov " N(14) ",%r14; mov " N(15) ",%r15\n"             \
    "push " N(16) "; popfq; mov " N(4) ",%rsp\n"
__asm__(".text\n"
        "native_run64:\n" ENTER "jmp *native_entry(%rip)\n"
        "native_run_compat:\n"
        "mov native_data(%rip),%eax; mov %eax,%ds; mov %eax,%es; mov %eax,%ss\n" ENTER "ljmp *native_far(%rip)\n"
        "native_exit:\n"
        "mov %rax," N(0) "; mov %rcx," N(1) "; mov %rdx," N(2) "; mov %rbx," N(3) "; mov %rsp," N(4) "\n"
        "mov %rbp," N(5) "; mov %rsi," N(6) "; mov %rdi," N(7) "; mov %r8," N(8) "; mov %r9," N(9) "\n"
        "mov %r10," N(10) "; mov %r11," N(11) "; mov %r12," N(12) "; mov %r13," N(13) "; mov %r14," N(14) "\n"
        "mov %r15," N(15) "; mov native_host_rsp(%rip),%rsp; pushfq; pop " N(16) "\n"
        "xor %eax,%eax; mov %eax,%ds; mov %eax,%es; mov $0x2b,%eax; mov %eax,%ss\n"
        "cld; fxsave64 native_fx(%rip); fxrstor64 host_fx(%rip)\n"
        "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n");

static uint8_t *map, *code;          /* the native scratch memory is at map */
static uint8_t *exit_fall, *exit_taken, *taken; /* where the instruction's code goes next or branches to */
static unsigned mode;                /* of the instruction under test: 64, 32, 16 */
static bool have_ldt;
#define SEL_CODE32 0x0f
#define SEL_CODE16 0x17
#define SEL_DATA32 0x1f
#define SEL_DATA16 0x27
static uint8_t emul_mem[SCRATCH];    /* the emulator's copy of it */
static struct emul_fxsave emul_fx;
static sigjmp_buf trap_return;
static int trapped;

static void on_signal(int sig)
{
    trapped = sig;
    siglongjmp(trap_return, 1);
}

static uint64_t rng_state;
static uint64_t rng(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state * 0x2545f4914f6cdd1dULL;
}
static unsigned below(unsigned n) { return (rng() >> 33) % n; }

static uint64_t random_value(void)
{
    static const uint64_t interesting[] = {0,          1,          ~0ULL,       0x80,       0x7f,       0xff,
                                           0x8000,     0x7fff,     0xffff,      0x80000000, 0x7fffffff, 0xffffffff,
                                           1ULL << 63, ~0ULL >> 1, 0x100000000, 10};
    switch (below(4)) {
    case 0: return interesting[below(ARRAY_SIZE(interesting))];
    case 1: return rng() >> below(64);
    default: return rng();
    }
}

/* -- the emulator's side ----------------------------------------------------------------------------------------- */
static int op_read_segment(enum emul_seg seg, struct emul_segment *reg, struct emul_ctxt *c)
{
    reg->attr = (seg == EMUL_SEG_CS ? 0xfb : 0xf3) | (mode == 32 ? EMUL_ATTR_DB : 0);
    reg->base = (uintptr_t)map;
    reg->limit = 0xffff;
    reg->sel = mode == 32 ? SEL_DATA32 : SEL_DATA16;
    return EMUL_OKAY;
}

static int emul_address(enum emul_seg seg, uint64_t off, unsigned bytes, enum emul_access access, struct emul_ctxt *c,
                        uint8_t **p)
{
    uint64_t linear;
    int rc = emul_linear(c, seg, off, bytes, access, &linear);

    if (rc != EMUL_OKAY)
        return rc;
    if (linear - (uintptr_t)map > SCRATCH - bytes)
        return emul_raise_page_fault(c, linear, 0);
    *p = emul_mem + (linear - (uintptr_t)map);
    return EMUL_OKAY;
}
static int op_read(enum emul_seg seg, uint64_t off, void *buf, unsigned bytes, struct emul_ctxt *c)
{
    uint8_t *p;
    int rc = emul_address(seg, off, bytes, EMUL_READ, c, &p);

    if (rc == EMUL_OKAY)
        memcpy(buf, p, bytes);
    return rc;
}
static int op_write(enum emul_seg seg, uint64_t off, const void *buf, unsigned bytes, struct emul_ctxt *c)
{
    uint8_t *p;
    int rc = emul_address(seg, off, bytes, EMUL_WRITE, c, &p);

    if (rc == EMUL_OKAY)
        memcpy(p, buf, bytes);
    return rc;
}
static int op_cmpxchg(enum emul_seg seg, uint64_t off, void *old, const void *new, unsigned bytes, struct emul_ctxt *c)
{
    uint8_t *p;
    int rc = emul_address(seg, off, bytes, EMUL_WRITE, c, &p);

    if (rc == EMUL_OKAY && memcmp(p, old, bytes)) {
        memcpy(old, p, bytes);
        rc = EMUL_CMPXCHG_FAILED;
    }
    if (rc == EMUL_OKAY)
        memcpy(p, new, bytes);
    return rc;
}
static int op_fetch(uint64_t off, void *buf, unsigned bytes, struct emul_ctxt *c)
{
    memcpy(buf, (const uint8_t *)(mode == 64 ? 0 : (uintptr_t)map) + off, bytes);
    return EMUL_OKAY;
}
static int op_read_cr(unsigned cr, uint64_t *value, struct emul_ctxt *c)
{
    *value = cr == 0 ? CR0_PE | CR0_PG | CR0_NE : CR4_OSFXSR;
    return EMUL_OKAY;
}
static int op_get_fpu(struct emul_fxsave **state, struct emul_ctxt *c)
{
    *state = &emul_fx;
    return EMUL_OKAY;
}
static void op_put_fpu(bool changed, struct emul_ctxt *c) {}

static const struct emul_ops ops = {
    .read = op_read, .write = op_write, .cmpxchg = op_cmpxchg, .insn_fetch = op_fetch, .read_cr = op_read_cr,
    .read_segment = op_read_segment,
    .get_fpu = op_get_fpu, .put_fpu = op_put_fpu,
};

/* -- instructions ------------------------------------------------------------------------------------------------ */
#define CF EFLAGS_CF
#define PF EFLAGS_PF
#define AF EFLAGS_AF
#define ZF EFLAGS_ZF
#define SF EFLAGS_SF
#define OF EFLAGS_OF
#define ALL (CF | PF | AF | ZF | SF | OF)

enum { NO_IMM, I8, IZ, IV, I16_8, I16 };
enum { /* what is special */
    BYTE = 1, LOCKABLE = 2, SHIFT = 4, BITOFF = 8, STRING = 16, NO_MODRM = 32, STACK = 64, MEM_ONLY = 128, ROTATE = 256,
    DIVIDE = 512, FPU = 1024, ALIGNED = 2048, REG_ONLY = 4096, SHIFTD = 8192, NO_66 = 0x4000, MOFFS = 0x8000,
    ONLY64 = 0x10000, LEAVE = 0x20000, NO64 = 0x40000, BRANCH = 0x80000, NEAR = 0x100000, TARGET = 0x200000,
};
struct form {
    const char *name;
    uint8_t prefix, map, opcode;
    int8_t group; /* ModRM.reg, or -1 */
    uint8_t imm;
    uint32_t kind;
    uint64_t undefined; /* flags */
    uint8_t span;       /* opcode + 0..span */
};

#define ALU(n, op, fl, und)                                                                                            \
    {n, 0, 0, op, -1, 0, BYTE | fl, und}, {n, 0, 0, op + 1, -1, 0, fl, und}, {n, 0, 0, op + 2, -1, 0, BYTE, und},      \
        {n, 0, 0, op + 3, -1, 0, 0, und}, {n, 0, 0, op + 4, -1, I8, BYTE | NO_MODRM, und},                             \
        {n, 0, 0, op + 5, -1, IZ, NO_MODRM, und}, {n, 0, 0, 0x80, op >> 3, I8, BYTE | fl, und},                        \
        {n, 0, 0, 0x81, op >> 3, IZ, fl, und}, {n, 0, 0, 0x83, op >> 3, I8, fl, und}
#define SHIFTS(n, g, k)                                                                                                \
    {n, 0, 0, 0xc0, g, I8, BYTE | k, 0}, {n, 0, 0, 0xc1, g, I8, k, 0}, {n, 0, 0, 0xd0, g, 0, BYTE | k, 0},             \
        {n, 0, 0, 0xd1, g, 0, k, 0}, {n, 0, 0, 0xd2, g, 0, BYTE | k, 0}, {n, 0, 0, 0xd3, g, 0, k, 0}

static const struct form forms[] = {
    ALU("add", 0x00, LOCKABLE, 0), ALU("or", 0x08, LOCKABLE, AF), ALU("adc", 0x10, LOCKABLE, 0),
    ALU("sbb", 0x18, LOCKABLE, 0), ALU("and", 0x20, LOCKABLE, AF), ALU("sub", 0x28, LOCKABLE, 0),
    ALU("xor", 0x30, LOCKABLE, AF), ALU("cmp", 0x38, 0, 0),
    SHIFTS("rol", 0, ROTATE), SHIFTS("ror", 1, ROTATE), SHIFTS("rcl", 2, ROTATE), SHIFTS("rcr", 3, ROTATE),
    SHIFTS("shl", 4, SHIFT), SHIFTS("shr", 5, SHIFT), SHIFTS("sal", 6, SHIFT), SHIFTS("sar", 7, SHIFT),
    {"test", 0, 0, 0x84, -1, 0, BYTE, AF}, {"test", 0, 0, 0x85, -1, 0, 0, AF}, {"test", 0, 0, 0xf6, 0, I8, BYTE, AF},
    {"test", 0, 0, 0xf7, 0, IZ, 0, AF}, {"test", 0, 0, 0xa8, -1, I8, BYTE | NO_MODRM, AF},
    {"test", 0, 0, 0xa9, -1, IZ, NO_MODRM, AF}, {"not", 0, 0, 0xf6, 2, 0, BYTE | LOCKABLE, 0},
    {"not", 0, 0, 0xf7, 2, 0, LOCKABLE, 0}, {"neg", 0, 0, 0xf6, 3, 0, BYTE | LOCKABLE, 0},
    {"neg", 0, 0, 0xf7, 3, 0, LOCKABLE, 0}, {"mul", 0, 0, 0xf6, 4, 0, BYTE, SF | ZF | AF | PF},
    {"mul", 0, 0, 0xf7, 4, 0, 0, SF | ZF | AF | PF}, {"imul", 0, 0, 0xf6, 5, 0, BYTE, SF | ZF | AF | PF},
    {"imul", 0, 0, 0xf7, 5, 0, 0, SF | ZF | AF | PF}, {"div", 0, 0, 0xf6, 6, 0, BYTE | DIVIDE, ALL},
    {"div", 0, 0, 0xf7, 6, 0, DIVIDE, ALL}, {"idiv", 0, 0, 0xf6, 7, 0, BYTE | DIVIDE, ALL},
    {"idiv", 0, 0, 0xf7, 7, 0, DIVIDE, ALL}, {"imul", 0, 1, 0xaf, -1, 0, 0, SF | ZF | AF | PF},
    {"imul", 0, 0, 0x69, -1, IZ, 0, SF | ZF | AF | PF}, {"imul", 0, 0, 0x6b, -1, I8, 0, SF | ZF | AF | PF},
    {"inc", 0, 0, 0xfe, 0, 0, BYTE | LOCKABLE, 0}, {"inc", 0, 0, 0xff, 0, 0, LOCKABLE, 0},
    {"dec", 0, 0, 0xfe, 1, 0, BYTE | LOCKABLE, 0}, {"dec", 0, 0, 0xff, 1, 0, LOCKABLE, 0},
    {"xadd", 0, 1, 0xc0, -1, 0, BYTE | LOCKABLE, 0}, {"xadd", 0, 1, 0xc1, -1, 0, LOCKABLE, 0},
    {"cmpxchg", 0, 1, 0xb0, -1, 0, BYTE | LOCKABLE, 0}, {"cmpxchg", 0, 1, 0xb1, -1, 0, LOCKABLE, 0},
    {"cmpxchg8b", 0, 1, 0xc7, 1, 0, LOCKABLE | MEM_ONLY | ALIGNED, 0},
    {"xchg", 0, 0, 0x86, -1, 0, BYTE | LOCKABLE, 0}, {"xchg", 0, 0, 0x87, -1, 0, LOCKABLE, 0},
    {"xchg_a", 0, 0, 0x90, -1, 0, NO_MODRM, 0, 7}, {"mov", 0, 0, 0x88, -1, 0, BYTE, 0}, {"mov", 0, 0, 0x89, -1, 0, 0, 0},
    {"mov", 0, 0, 0x8a, -1, 0, BYTE, 0}, {"mov", 0, 0, 0x8b, -1, 0, 0, 0}, {"mov", 0, 0, 0xc6, 0, I8, BYTE, 0},
    {"mov", 0, 0, 0xc7, 0, IZ, 0, 0}, {"mov", 0, 0, 0xb0, -1, I8, BYTE | NO_MODRM, 0, 7},
    {"mov", 0, 0, 0xb8, -1, IV, NO_MODRM, 0, 7}, {"mov_moffs", 0, 0, 0xa0, -1, 0, NO_MODRM | MOFFS | BYTE, 0},
    {"mov_moffs", 0, 0, 0xa1, -1, 0, NO_MODRM | MOFFS, 0}, {"mov_moffs", 0, 0, 0xa2, -1, 0, NO_MODRM | MOFFS | BYTE, 0},
    {"mov_moffs", 0, 0, 0xa3, -1, 0, NO_MODRM | MOFFS, 0}, {"movsxd", 0, 0, 0x63, -1, 0, ONLY64, 0},
    {"movzx", 0, 1, 0xb6, -1, 0, 0, 0, 1}, {"movsx", 0, 1, 0xbe, -1, 0, 0, 0, 1}, {"lea", 0, 0, 0x8d, -1, 0, MEM_ONLY, 0},
    {"cbw", 0, 0, 0x98, -1, 0, NO_MODRM, 0, 1}, {"sahf", 0, 0, 0x9e, -1, 0, NO_MODRM, 0, 1},
    {"cmc", 0, 0, 0xf5, -1, 0, NO_MODRM, 0}, {"clc", 0, 0, 0xf8, -1, 0, NO_MODRM, 0, 1},
    {"cld", 0, 0, 0xfc, -1, 0, NO_MODRM, 0, 1}, {"setcc", 0, 1, 0x90, -1, 0, BYTE, 0, 15},
    {"cmov", 0, 1, 0x40, -1, 0, 0, 0, 15}, {"bswap", 0, 1, 0xc8, -1, 0, NO_MODRM | NO_66, 0, 7},
    {"bt", 0, 1, 0xa3, -1, 0, BITOFF, OF | SF | AF | PF}, {"bts", 0, 1, 0xab, -1, 0, BITOFF | LOCKABLE, OF | SF | AF | PF},
    {"btr", 0, 1, 0xb3, -1, 0, BITOFF | LOCKABLE, OF | SF | AF | PF},
    {"btc", 0, 1, 0xbb, -1, 0, BITOFF | LOCKABLE, OF | SF | AF | PF}, {"bt", 0, 1, 0xba, 4, I8, 0, OF | SF | AF | PF},
    {"bts", 0, 1, 0xba, 5, I8, LOCKABLE, OF | SF | AF | PF}, {"btr", 0, 1, 0xba, 6, I8, LOCKABLE, OF | SF | AF | PF},
    {"btc", 0, 1, 0xba, 7, I8, LOCKABLE, OF | SF | AF | PF}, {"bsf", 0, 1, 0xbc, -1, 0, 0, ALL & ~ZF, 1},
    {"tzcnt", 0xf3, 1, 0xbc, -1, 0, 0, OF | SF | AF | PF, 1}, {"popcnt", 0xf3, 1, 0xb8, -1, 0, 0, 0},
    {"shld", 0, 1, 0xa4, -1, I8, SHIFTD, 0}, {"shld", 0, 1, 0xa5, -1, 0, SHIFTD, 0},
    {"shrd", 0, 1, 0xac, -1, I8, SHIFTD, 0}, {"shrd", 0, 1, 0xad, -1, 0, SHIFTD, 0},
    {"movbe", 0, 2, 0xf0, -1, 0, MEM_ONLY, 0, 1}, {"crc32", 0xf2, 2, 0xf0, -1, 0, BYTE, 0}, {"crc32", 0xf2, 2, 0xf1, -1, 0, 0, 0},
    {"push", 0, 0, 0x50, -1, 0, NO_MODRM | STACK, 0, 15}, {"push", 0, 0, 0x68, -1, IZ, NO_MODRM | STACK, 0},
    {"push", 0, 0, 0x6a, -1, I8, NO_MODRM | STACK, 0}, {"push", 0, 0, 0xff, 6, 0, STACK, 0}, {"pop", 0, 0, 0x8f, 0, 0, STACK, 0},
    {"pushf", 0, 0, 0x9c, -1, 0, NO_MODRM | STACK, 0}, {"enter", 0, 0, 0xc8, -1, I16_8, NO_MODRM | STACK | LEAVE, 0},
    {"leave", 0, 0, 0xc9, -1, 0, NO_MODRM | STACK | LEAVE, 0}, {"xlat", 0, 0, 0xd7, -1, 0, NO_MODRM, 0},
    {"movs", 0, 0, 0xa4, -1, 0, NO_MODRM | STRING | BYTE, 0}, {"movs", 0, 0, 0xa5, -1, 0, NO_MODRM | STRING, 0},
    {"cmps", 0, 0, 0xa6, -1, 0, NO_MODRM | STRING | BYTE, 0}, {"cmps", 0, 0, 0xa7, -1, 0, NO_MODRM | STRING, 0},
    {"stos", 0, 0, 0xaa, -1, 0, NO_MODRM | STRING | BYTE, 0}, {"stos", 0, 0, 0xab, -1, 0, NO_MODRM | STRING, 0},
    {"lods", 0, 0, 0xac, -1, 0, NO_MODRM | STRING | BYTE, 0}, {"lods", 0, 0, 0xad, -1, 0, NO_MODRM | STRING, 0},
    {"scas", 0, 0, 0xae, -1, 0, NO_MODRM | STRING | BYTE, 0}, {"scas", 0, 0, 0xaf, -1, 0, NO_MODRM | STRING, 0},
    {"nop", 0, 1, 0x1f, 0, 0, 0, 0}, {"movnti", 0, 1, 0xc3, -1, 0, MEM_ONLY | NO_66, 0},
    {"movups", 0, 1, 0x10, -1, 0, FPU, 0, 1}, {"movupd", 0x66, 1, 0x10, -1, 0, FPU, 0, 1},
    {"movss", 0xf3, 1, 0x10, -1, 0, FPU, 0, 1}, {"movsd", 0xf2, 1, 0x10, -1, 0, FPU, 0, 1},
    {"movlps", 0, 1, 0x12, -1, 0, FPU, 0}, {"movlps", 0, 1, 0x13, -1, 0, FPU | MEM_ONLY, 0},
    {"movlpd", 0x66, 1, 0x12, -1, 0, FPU | MEM_ONLY, 0, 1}, {"movhps", 0, 1, 0x16, -1, 0, FPU, 0},
    {"movhps", 0, 1, 0x17, -1, 0, FPU | MEM_ONLY, 0}, {"movhpd", 0x66, 1, 0x16, -1, 0, FPU | MEM_ONLY, 0, 1},
    {"movaps", 0, 1, 0x28, -1, 0, FPU | ALIGNED, 0, 1}, {"movntps", 0, 1, 0x2b, -1, 0, FPU | ALIGNED | MEM_ONLY, 0},
    {"movd", 0x66, 1, 0x6e, -1, 0, FPU, 0}, {"movd", 0x66, 1, 0x7e, -1, 0, FPU, 0}, {"movd_mmx", 0, 1, 0x6e, -1, 0, FPU, 0},
    {"movd_mmx", 0, 1, 0x7e, -1, 0, FPU, 0}, {"movq_mmx", 0, 1, 0x6f, -1, 0, FPU, 0}, {"movq_mmx", 0, 1, 0x7f, -1, 0, FPU, 0},
    {"movdqa", 0x66, 1, 0x6f, -1, 0, FPU | ALIGNED, 0}, {"movdqa", 0x66, 1, 0x7f, -1, 0, FPU | ALIGNED, 0},
    {"movdqu", 0xf3, 1, 0x6f, -1, 0, FPU, 0}, {"movdqu", 0xf3, 1, 0x7f, -1, 0, FPU, 0}, {"movq", 0xf3, 1, 0x7e, -1, 0, FPU, 0},
    {"movq", 0x66, 1, 0xd6, -1, 0, FPU, 0}, {"movntdq", 0x66, 1, 0xe7, -1, 0, FPU | ALIGNED | MEM_ONLY, 0},
    {"movntq", 0, 1, 0xe7, -1, 0, FPU | MEM_ONLY, 0}, {"lddqu", 0xf2, 1, 0xf0, -1, 0, FPU | MEM_ONLY, 0},
    {"movntdqa", 0x66, 2, 0x2a, -1, 0, FPU | ALIGNED | MEM_ONLY, 0}, {"stmxcsr", 0, 1, 0xae, 3, 0, FPU | MEM_ONLY, 0},
    {"emms", 0, 1, 0x77, -1, 0, FPU | NO_MODRM, 0},
    {"fld32", 0, 0, 0xd9, 0, 0, FPU | MEM_ONLY, 0}, {"fst32", 0, 0, 0xd9, 2, 0, FPU | MEM_ONLY, 0},
    {"fstp32", 0, 0, 0xd9, 3, 0, FPU | MEM_ONLY, 0}, {"fnstcw", 0, 0, 0xd9, 7, 0, FPU | MEM_ONLY, 0},
    {"fild32", 0, 0, 0xdb, 0, 0, FPU | MEM_ONLY, 0}, {"fist32", 0, 0, 0xdb, 2, 0, FPU | MEM_ONLY, 0},
    {"fistp32", 0, 0, 0xdb, 3, 0, FPU | MEM_ONLY, 0}, {"fld80", 0, 0, 0xdb, 5, 0, FPU | MEM_ONLY, 0},
    {"fstp80", 0, 0, 0xdb, 7, 0, FPU | MEM_ONLY, 0}, {"fld64", 0, 0, 0xdd, 0, 0, FPU | MEM_ONLY, 0},
    {"fst64", 0, 0, 0xdd, 2, 0, FPU | MEM_ONLY, 0}, {"fstp64", 0, 0, 0xdd, 3, 0, FPU | MEM_ONLY, 0},
    {"fnstsw", 0, 0, 0xdd, 7, 0, FPU | MEM_ONLY, 0}, {"fild16", 0, 0, 0xdf, 0, 0, FPU | MEM_ONLY, 0},
    {"fist16", 0, 0, 0xdf, 2, 0, FPU | MEM_ONLY, 0}, {"fistp16", 0, 0, 0xdf, 3, 0, FPU | MEM_ONLY, 0},
    {"fild64", 0, 0, 0xdf, 5, 0, FPU | MEM_ONLY, 0}, {"fistp64", 0, 0, 0xdf, 7, 0, FPU | MEM_ONLY, 0},
    {"inc_r", 0, 0, 0x40, -1, 0, NO_MODRM | NO64, 0, 15}, {"daa", 0, 0, 0x27, -1, 0, NO_MODRM | NO64, OF},
    {"das", 0, 0, 0x2f, -1, 0, NO_MODRM | NO64, OF}, {"aaa", 0, 0, 0x37, -1, 0, NO_MODRM | NO64, OF | SF | ZF | PF},
    {"aas", 0, 0, 0x3f, -1, 0, NO_MODRM | NO64, OF | SF | ZF | PF}, {"aam", 0, 0, 0xd4, -1, I8, NO_MODRM | NO64, OF | AF | CF},
    {"aad", 0, 0, 0xd5, -1, I8, NO_MODRM | NO64, OF | AF | CF}, {"salc", 0, 0, 0xd6, -1, 0, NO_MODRM | NO64, 0},
    {"pusha", 0, 0, 0x60, -1, 0, NO_MODRM | NO64, 0}, {"popa", 0, 0, 0x61, -1, 0, NO_MODRM | NO64, 0},
    {"arpl", 0, 0, 0x63, -1, 0, NO64, 0}, {"bound", 0, 0, 0x62, -1, 0, NO64 | MEM_ONLY, 0},
    {"jcc", 0, 0, 0x70, -1, I8, NO_MODRM | BRANCH | NEAR, 0, 15}, {"jcc", 0, 1, 0x80, -1, IZ, NO_MODRM | BRANCH | NEAR, 0, 15},
    {"loop", 0, 0, 0xe0, -1, I8, NO_MODRM | BRANCH | NEAR, 0, 3}, {"call", 0, 0, 0xe8, -1, IZ, NO_MODRM | BRANCH | NEAR, 0},
    {"jmp", 0, 0, 0xe9, -1, IZ, NO_MODRM | BRANCH | NEAR, 0}, {"jmp", 0, 0, 0xeb, -1, I8, NO_MODRM | BRANCH | NEAR, 0},
    {"ret", 0, 0, 0xc3, -1, 0, NO_MODRM | NEAR | TARGET, 0}, {"ret", 0, 0, 0xc2, -1, I16, NO_MODRM | NEAR | TARGET, 0},
    {"call_e", 0, 0, 0xff, 2, 0, NEAR | TARGET, 0}, {"jmp_e", 0, 0, 0xff, 4, 0, NEAR | TARGET, 0},
};

struct test {
    const struct form *f;
    uint8_t bytes[32];
    unsigned len;
    uint64_t gpr[16], flags;
    uint64_t ignore;   /* flags */
    unsigned op_bytes, ad_bytes;
    bool memory, rep, lock;
    uint64_t target; /* linear address of the memory operand */
    uint8_t modrm, rex, base, index; /* registers of the address; 0xff: none */
};

static void emit(struct test *t, const void *p, unsigned n)
{
    memcpy(t->bytes + t->len, p, n);
    t->len += n;
}
static void emit8(struct test *t, uint8_t b) { emit(t, &b, 1); }

static uint64_t segment_base(void) { return mode == 64 ? 0 : (uintptr_t)map; }

/* 16-bit addressing; the upper halves of the registers do not count. */
static void emit_memory16(struct test *t, unsigned reg)
{
    static const uint8_t bases[8] = {3, 3, 5, 5, 6, 7, 5, 3}, indexes[8] = {6, 7, 6, 7, 0xff, 0xff, 0xff, 0xff};
    unsigned rm = below(8), mod = below(3);
    int16_t disp = mod == 1 ? (int8_t)rng() : mod == 2 ? (int16_t)rng() : 0;
    uint16_t off = t->target - segment_base();

    emit8(t, mod << 6 | (reg & 7) << 3 | rm);
    if (mod == 0 && rm == 6) {
        emit(t, &off, 2);
        return;
    }
    t->base = bases[rm];
    t->index = indexes[rm];
    off -= disp;
    if (t->index != 0xff) {
        uint16_t index = rng();

        t->gpr[t->index] = (rng() & 0xffff0000) | index;
        off -= index;
    }
    t->gpr[t->base] = (rng() & 0xffff0000) | off;
    if (mod)
        emit(t, &disp, mod);
}

/* ModRM, SIB and displacement of an operand in the middle of the scratch memory. */
static void emit_memory(struct test *t, unsigned reg, unsigned imm_bytes)
{
    unsigned regs = mode == 64 ? 16 : 8, base = below(regs), index = below(regs), scale = below(4), mod = 1 + below(2);
    bool sib = (base & 7) == 4 || below(3) == 0, direct = below(8) == 0;
    int32_t disp = mod == 1 ? (int8_t)rng() : (int32_t)(rng() & 0xffff);
    uint64_t offset = 0;

    t->target = (uintptr_t)map + 256 + below(t->f->kind & STACK ? 64 : 512);
    if (t->f->kind & ALIGNED)
        t->target &= ~15ULL;
    t->memory = true;
    if (t->ad_bytes == 2) {
        emit_memory16(t, reg);
        return;
    }
    if (direct) { /* relative to the next instruction, or to the segment */
        uint64_t from = mode == 64 ? (uintptr_t)code + t->len + 5 + imm_bytes : segment_base();

        emit8(t, (reg & 7) << 3 | 5);
        disp = t->target - from;
        emit(t, &disp, 4);
        return;
    }
    if (sib && index != 4 && index != base) {
        t->gpr[index] = below(8);
        offset = t->gpr[index] << scale;
        t->index = index;
    } else {
        index = 4;
    }
    t->base = base;
    t->gpr[base] = t->target - segment_base() - disp - offset;
    if (t->ad_bytes == 4)
        t->gpr[base] = (uint32_t)t->gpr[base];
    t->rex |= (base >> 3) | (index >> 3) << 1;
    emit8(t, mod << 6 | (reg & 7) << 3 | (sib ? 4 : base & 7));
    if (sib)
        emit8(t, scale << 6 | (index & 7) << 3 | (base & 7));
    emit(t, &disp, mod == 1 ? 1 : 4);
}

static unsigned imm_size(const struct form *f, unsigned op_bytes)
{
    switch (f->imm) {
    case I8: return 1;
    case IZ: return op_bytes == 2 ? 2 : 4;
    case IV: return op_bytes;
    case I16_8: return 3;
    case I16: return 2;
    default: return 0;
    }
}

/* Flags that a shift leaves undefined: AF; OF unless by one; CF when all bits are gone. */
static void shift_undefined(struct test *t, unsigned count)
{
    unsigned bits = t->op_bytes * 8;

    count &= t->op_bytes == 8 ? 63 : 31;
    if (!count)
        return;
    if (!(t->f->kind & ROTATE))
        t->ignore |= AF;
    if (count != 1)
        t->ignore |= OF;
    if (!(t->f->kind & ROTATE) && count >= bits)
        t->ignore |= CF;
    if ((t->f->kind & SHIFTD) && count > bits)
        t->f = NULL; /* the result is undefined: no test */
}

static void random_fpu(void)
{
    unsigned n;

    memset(&native_fx, 0, sizeof(native_fx));
    for (n = 0; n < sizeof(native_fx.xmm); n++)
        ((uint8_t *)native_fx.xmm)[n] = rng();
    native_fx.fcw = 0x7f | below(4) << 10 | 0x300;
    native_fx.fsw = below(8) << 11;
    native_fx.ftw = below(4) ? 0xff >> below(9) : (uint8_t)rng();
    native_fx.mxcsr = 0x1f80;
    for (n = 0; n < 8; n++) {
        uint64_t man = rng() | 1ULL << 63;
        uint16_t se = (rng() & 0x8000) | (16383 - 20 + below(90));

        memcpy(native_fx.st[n], &man, 8);
        memcpy(native_fx.st[n] + 8, &se, 2);
    }
}

static void fill_inputs(struct test *t)
{
    unsigned n;

    for (n = 0; n < 16; n++)
        t->gpr[n] = mode == 64 ? random_value() : (uint32_t)random_value();
    t->gpr[4] = (uintptr_t)map + 512 + below(8) - segment_base();
    t->flags = (rng() & (ALL | EFLAGS_DF)) | EFLAGS_MBS | EFLAGS_IF;
    for (n = 0; n < SCRATCH; n += 8) {
        uint64_t v = random_value();

        memcpy(map + n, &v, 8);
    }
}

/* A register that holds an address of the address size, with rubbish above it. */
static void set_pointer(struct test *t, unsigned reg, unsigned scratch_off)
{
    uint64_t off = (uintptr_t)map + scratch_off - segment_base();

    if (t->ad_bytes < 8)
        off |= rng() << (t->ad_bytes * 8);
    t->gpr[reg] = mode == 64 ? off : (uint32_t)off;
}

/* Registers that special instructions address memory with. */
static void constrain(struct test *t)
{
    const struct form *f = t->f;

    if (f->kind & STRING) {
        set_pointer(t, 6, 400 + below(128));
        set_pointer(t, 7, 400 + below(128));
        if (t->rep) {
            /* with ECX = 0 in 64-bit mode, CPUs differ on the upper halves of RSI and RDI */
            t->gpr[1] = (1 + below(24) - (t->ad_bytes == mode / 8)) | (t->ad_bytes < 8 ? rng() << (t->ad_bytes * 8) : 0);
            t->gpr[1] = mode == 64 ? t->gpr[1] : (uint32_t)t->gpr[1];
        }
    }
    if (f->opcode == 0xd7 && !f->map)
        set_pointer(t, 3, 100);
    if ((f->kind & DIVIDE) && below(2) && t->base != 2 && t->index != 2)
        t->gpr[2] = below(2) ? 0 : -(t->gpr[0] >> 63);
    if (f->kind & LEAVE)
        t->gpr[5] = (uintptr_t)map + 512 - segment_base();
    if ((f->kind & BRANCH) && below(2))
        t->gpr[1] = below(3);
}

/* Indirect branches go to exit_taken: the address is where the instruction takes it from. */
static void aim(struct test *t)
{
    uint64_t target = (uintptr_t)exit_taken - segment_base(), sp = t->gpr[4] + segment_base();

    if (t->f->opcode != 0xff)
        memcpy((void *)(uintptr_t)sp, &target, t->op_bytes);
    else if (t->memory)
        memcpy((void *)(uintptr_t)t->target, &target, t->op_bytes);
    else if ((t->modrm & 7) == 4 && !(t->rex & 1))
        t->f = NULL; /* the stack pointer */
    else
        t->gpr[(t->modrm & 7) | (t->rex & 1) << 3] = target;
}

static unsigned operand_bytes(const struct form *f, bool wide, bool op16)
{
    if (f->kind & BYTE)
        return 1;
    if (mode != 64)
        return (mode == 32) != op16 ? 4 : 2;
    return wide || (f->kind & NEAR) ? 8 : op16 ? 2 : f->kind & STACK ? 8 : 4;
}

static unsigned address_bytes(bool prefix)
{
    return mode == 64 ? prefix ? 4 : 8 : (mode == 32) != prefix ? 4 : 2;
}

/* ModRM and what follows it, generated in the place that it will have. */
static void make_body(struct test *t, unsigned reg, unsigned imm_bytes, uint8_t *body, unsigned *body_len)
{
    const struct form *f = t->f;
    unsigned regs = mode == 64 ? 16 : 8, start = t->len, lead = t->len + (mode == 64) + (f->map ? f->map > 1 ? 3 : 2 : 1);

    t->len = lead;
    if (f->kind & NO_MODRM) {
        t->rex = f->span > 7 || mode != 64 ? 0 : below(2);
    } else if (!(f->kind & MEM_ONLY) && !t->lock && below(2)) {
        unsigned rm = below(regs);

        t->modrm = 0xc0 | (reg & 7) << 3 | (rm & 7);
        emit8(t, t->modrm);
        t->rex = rm >> 3;
    } else {
        emit_memory(t, reg, imm_bytes);
    }
    *body_len = t->len - lead;
    memcpy(body, t->bytes + lead, *body_len);
    t->len = start;
}

static void choose_mode(const struct form *f)
{
    do {
        mode = !have_ldt || below(2) ? 64 : below(2) ? 32 : 16;
    } while ((mode == 64 && (f->kind & NO64) && have_ldt) || (mode != 64 && (f->kind & ONLY64)));
}

static void make_test(struct test *t)
{
    const struct form *f = &forms[below(ARRAY_SIZE(forms))];
    unsigned opcode = f->opcode + (f->span ? below(f->span + 1u) : 0), reg, body_len, imm_bytes;
    bool op16 = below(4) == 0 && !(f->kind & (FPU | NO_66 | NEAR)) && f->prefix != 0x66;
    bool addr = below(8) == 0, wide, force_rex = below(3) == 0;
    uint64_t imm = random_value();
    uint8_t body[32];

    memset(t, 0, sizeof(*t));
    choose_mode(f);
    t->base = t->index = 0xff;
    t->f = mode == 64 && (f->kind & NO64) ? NULL : f;
    if (!t->f)
        return;
    fill_inputs(t);
    reg = f->group >= 0 ? (unsigned)f->group : below(mode == 64 ? 16 : 8);
    wide = mode == 64 && below(2);
    t->op_bytes = operand_bytes(f, wide, op16);
    t->ad_bytes = address_bytes(addr);
    t->ignore = f->undefined;
    imm_bytes = imm_size(f, t->op_bytes);

    if (op16)
        emit8(t, 0x66);
    if (addr)
        emit8(t, 0x67);
    if (mode != 64 && below(8) == 0)
        emit8(t, "\x26\x36\x3e"[below(3)]); /* all segments are the same */
    if ((t->rep = (f->kind & STRING) && below(3)))
        emit8(t, 0xf2 | below(2));
    if (f->prefix)
        emit8(t, f->prefix);
    if ((t->lock = (f->kind & LOCKABLE) && below(6) == 0))
        emit8(t, 0xf0);
    make_body(t, reg, imm_bytes, body, &body_len);
    if (mode == 64) {
        t->rex |= 0x40 | (wide ? 8 : 0) | (f->kind & NO_MODRM || reg < 8 ? 0 : 4);
        /* where a RIP-relative operand counts on a REX byte, it stays */
        if (t->rex == 0x40 && !force_rex && !(t->memory && (body[0] & 0xc7) == 5))
            t->rex = 0;
        if (t->rex)
            emit8(t, t->rex);
    }
    if (f->map)
        emit8(t, 0x0f);
    if (f->map == 2)
        emit8(t, 0x38);
    emit8(t, opcode);
    emit(t, body, body_len);
    if (f->kind & MOFFS) {
        uint64_t address = (uintptr_t)map + 200 + below(200) - segment_base();

        emit(t, &address, t->ad_bytes);
    }
    if (f->imm == I16_8)
        imm = below(32) | (rng() & 1) << 16;
    if (f->imm == I16)
        imm = below(64);
    if (f->kind & BRANCH)
        imm = exit_taken - (code + t->len + imm_bytes);
    emit(t, &imm, imm_bytes);
    constrain(t);
    if (f->kind & TARGET)
        aim(t);
    if (mode != 64 && t->base == 4 && (f->kind & (STACK | NEAR)))
        t->f = NULL; /* the displacement takes the stack elsewhere in the segment */
    if (t->f && (f->kind & BITOFF) && t->memory) {
        t->gpr[reg] = (int64_t)(rng() % 1024) - 512;
        if (mode != 64)
            t->gpr[reg] = (uint32_t)t->gpr[reg];
        if (reg == t->base || reg == t->index)
            t->f = NULL; /* the bit number would be part of the address */
    }
    if (f->kind & (SHIFT | ROTATE | SHIFTD))
        shift_undefined(t, f->imm == I8 ? imm : (opcode & 0xfe) == 0xd0 && !f->map ? 1 : t->gpr[1]);
}

/* -- running both ------------------------------------------------------------------------------------------------ */
#define EXIT_BYTES 14
/* A jump to a 64-bit address, from code of the mode. */
static void put_exit(uint8_t *at, unsigned from_mode, const void *to)
{
    uint64_t address = (uintptr_t)to;
    unsigned n = 0;

    if (from_mode == 64) {
        memcpy(at, "\xff\x25\0\0\0\0", 6);
        memcpy(at + 6, &address, 8);
        return;
    }
    if (from_mode == 16)
        at[n++] = 0x66;
    at[n] = 0xea;
    memcpy(at + n + 1, &address, 4);
    memcpy(at + n + 5, "\x33\0", 2);
}

static int run_native(const struct test *t, uint64_t gpr[16], uint64_t *flags)
{
    memcpy(code, t->bytes, t->len);
    put_exit(code + t->len, mode, exit_fall);
    put_exit(exit_taken, mode, exit_fall + 64);
    memcpy(native.gpr, t->gpr, sizeof(native.gpr));
    native.flags = t->flags;
    native_entry = (uintptr_t)code;
    native_far.offset = (uintptr_t)code - segment_base();
    native_far.selector = mode == 32 ? SEL_CODE32 : SEL_CODE16;
    native_data = mode == 32 ? SEL_DATA32 : SEL_DATA16;
    *taken = 0;
    trapped = 0;
    if (!sigsetjmp(trap_return, 1)) {
        if (mode == 64)
            native_run64();
        else
            native_run_compat();
    } else {
        __asm__ volatile("cld; mov %0, %%ds; mov %0, %%es; fxrstor64 host_fx(%%rip)" ::"r"(0));
    }
    memcpy(gpr, native.gpr, sizeof(native.gpr));
    *flags = native.flags;
    return trapped;
}

static int run_emulated(const struct test *t, uint64_t gpr[16], uint64_t *flags, struct emul_ctxt *c)
{
    uint64_t start = (uintptr_t)code - segment_base();
    uint64_t next = *taken ? (uintptr_t)exit_taken - segment_base() : start + t->len;
    struct cpu_user_regs regs;
    unsigned n;
    int rc;

    memset(&regs, 0, sizeof(regs));
    for (n = 0; n < 16; n++)
        *emul_gpr(&regs, n) = t->gpr[n];
    regs.rip = start;
    regs.rflags = t->flags;
    memset(c, 0, sizeof(*c));
    c->regs = &regs;
    c->ops = &ops;
    c->addr_size = c->sp_size = mode;
    c->lma = true;
    c->cpl = 3;
    rc = emul_one(c);
    for (n = 0; n < 16; n++)
        gpr[n] = *emul_gpr(&regs, n);
    *flags = regs.rflags;
    return rc == EMUL_OKAY && regs.rip != next ? -1 : rc;
}

static void show(const struct test *t, const char *what)
{
    unsigned n;

    print_error("%s (%u-bit): %s:", t->f->name, mode, what);
    for (n = 0; n < t->len; n++)
        print_error(" %02x", t->bytes[n]);
    print_error("  flags %#lx\n", (unsigned long)t->flags);
}

/*
 * The upper half of RSP has no meaning outside 64-bit mode, and where a host's interrupt falls into code on a 16-bit
 * stack, its IRET leaves there what it likes.
 */
static uint64_t seen_of_gpr(unsigned n) { return n == 4 && mode != 64 ? 0xffffffff : ~0ULL; }

static bool compare(const struct test *t, const uint64_t a[16], uint64_t af, const uint64_t b[16], uint64_t bf)
{
    uint64_t mask = (ALL | EFLAGS_DF | EFLAGS_IF) & ~t->ignore;
    unsigned n;
    bool same = true;

    for (n = 0; n < 16; n++)
        if ((a[n] ^ b[n]) & seen_of_gpr(n)) {
            show(t, "register differs");
            print_error("  gpr%u before %#lx native %#lx emulated %#lx\n", n, (long)t->gpr[n], (long)a[n], (long)b[n]);
            same = false;
        }
    if ((af ^ bf) & mask) {
        show(t, "flags differ");
        print_error("  native %#lx emulated %#lx (compared %#lx)\n", (long)af, (long)bf, (long)mask);
        same = false;
    }
    if (memcmp(map, emul_mem, SCRATCH)) {
        for (n = 0; map[n] == emul_mem[n]; n++)
            ;
        show(t, "memory differs");
        print_error("  at %#x: native %02x emulated %02x\n", n, map[n], emul_mem[n]);
        same = false;
    }
    return same;
}

static bool compare_fpu(const struct test *t)
{
    bool same = !memcmp(native_fx.xmm, emul_fx.xmm, sizeof(emul_fx.xmm)) && native_fx.fsw == emul_fx.fsw &&
                native_fx.ftw == emul_fx.ftw && native_fx.fcw == emul_fx.fcw && native_fx.mxcsr == emul_fx.mxcsr;
    unsigned n;

    for (n = 0; n < 8; n++)
        same = same && !memcmp(native_fx.st[n], emul_fx.st[n], 10);
    if (!same) {
        show(t, "FPU state differs");
        print_error("  fsw %#x %#x ftw %#x %#x\n", native_fx.fsw, emul_fx.fsw, native_fx.ftw, emul_fx.ftw);
        for (n = 0; n < 8; n++)
            print_error("  st%u %016lx:%04x %016lx:%04x\n", n, *(long *)native_fx.st[n], *(uint16_t *)(native_fx.st[n] + 8),
                        *(long *)emul_fx.st[n], *(uint16_t *)(emul_fx.st[n] + 8));
    }
    return same;
}

/* Which signal Linux makes of an exception. */
static bool same_trap(int sig, unsigned vector)
{
    switch (vector) {
    case X86_TRAP_DE: return sig == SIGFPE;
    case X86_TRAP_UD: return sig == SIGILL;
    case X86_TRAP_SS: return sig == SIGBUS;
    default: return sig == SIGSEGV;
    }
}

static unsigned agreed[ARRAY_SIZE(forms)]; /* without a trap */

/* True: agreed (or rightly not emulated). */
static bool run_one(unsigned *done)
{
    uint64_t ng[16], eg[16], nf, ef;
    struct emul_ctxt c;
    struct test t;
    int sig, rc;

    make_test(&t);
    if (!t.f)
        return true;
    random_fpu();
    emul_fx = native_fx;
    memcpy(emul_mem, map, SCRATCH);
    sig = run_native(&t, ng, &nf);
    rc = run_emulated(&t, eg, &ef, &c);
    /* x87 forms leave unusual numbers and stack faults to others */
    if (rc == EMUL_UNHANDLEABLE && t.f->name[0] == 'f' && (t.f->kind & FPU))
        return true;
    (*done)++;
    if (sig) {
        if (rc == EMUL_EXCEPTION && same_trap(sig, c.event.vector))
            return true;
        show(&t, "trapped natively");
        print_error("  signal %d, emulator %d vector %u\n", sig, rc, c.event.vector);
        return false;
    }
    if (rc != EMUL_OKAY) {
        show(&t, "not emulated");
        print_error("  rc %d vector %u cr2 %#lx\n", rc, c.event.vector, (long)c.event.cr2);
        return false;
    }
    if (emul_insn_length(t.bytes, t.len, mode) != (int)t.len) {
        show(&t, "wrong length");
        return false;
    }
    agreed[t.f - forms]++;
    return compare(&t, ng, nf, eg, ef) && compare_fpu(&t);
}

static bool add_segment(unsigned selector, unsigned contents, bool wide)
{
    struct user_desc desc = {.entry_number = selector >> 3, .base_addr = (uintptr_t)map, .limit = 0xffff,
                             .seg_32bit = wide, .contents = contents};

    return !syscall(SYS_modify_ldt, 1, &desc, sizeof(desc));
}

/* In the test itself: cmocka installs its own handlers before each. */
static void set_up(void)
{
    static uint8_t alt[65536];
    stack_t ss = {.ss_sp = alt, .ss_size = sizeof(alt)};
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    unsigned n;

    map = mmap(NULL, 0x11000, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    code = map + CODE_OFF;
    exit_taken = code + 100;
    exit_fall = code + 2048; /* 64-bit code from here on */
    taken = exit_fall + 256;
    put_exit(exit_fall, 64, native_exit);
    memcpy(exit_fall + 64, "\xc6\x05\xb9\0\0\0\x01", 7); /* movb $1, 0xb9(%rip): *taken */
    put_exit(exit_fall + 71, 64, native_exit);
    have_ldt = add_segment(SEL_CODE32, 2, true) && add_segment(SEL_CODE16, 2, false) &&
               add_segment(SEL_DATA32, 0, true) && add_segment(SEL_DATA16, 0, false);
    sigaltstack(&ss, NULL);
    for (n = 0; n < 4; n++)
        sigaction((int[]){SIGFPE, SIGILL, SIGSEGV, SIGBUS}[n], &sa, NULL);
}

static void agrees_with_the_cpu(void **state)
{
    const char *seed = getenv("POLDER_SEED"), *rounds = getenv("POLDER_ROUNDS");
    unsigned long n, total = rounds ? strtoul(rounds, NULL, 0) : 400000;
    unsigned done = 0, failures = 0;

    set_up();
    rng_state = seed ? strtoull(seed, NULL, 0) : 0x9e3779b97f4a7c15ULL;
    for (n = 0; n < total && failures < 10; n++)
        failures += !run_one(&done);
    print_message("%u instructions compared\n", done);
    assert_int_equal(failures, 0);
    for (n = 0; n < ARRAY_SIZE(forms) && total >= 400000; n++)
        if (agreed[n] < 100 && (have_ldt || !(forms[n].kind & NO64)))
            fail_msg("%s (%02x) was compared %u times only", forms[n].name, forms[n].opcode, agreed[n]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_the_cpu)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
