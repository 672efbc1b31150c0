/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer: any bytes as instructions, in any mode, with any registers, and
 * callbacks that answer, fault or ask for a retry as the input says.  What must
 * hold: no access outside the machine, an end, and no register changed by an
 * instruction that did not complete (REP's own registers apart).
 */
#include <stddef.h>
#include <stdint.h>

#include "vmm/cpu/regs.h"
#include "vmm/emul/emul.h"
#include "vmm/lib/string.h"

static const uint8_t *input;
static size_t left;
static unsigned steps;
static struct emul_fxsave fx;
static unsigned fpu_held;

static uint8_t take(void)
{
    if (!left)
        return 0;
    left--;
    return *input++;
}
static void take_bytes(void *p, unsigned n)
{
    unsigned i;

    for (i = 0; i < n; i++)
        ((uint8_t *)p)[i] = take();
}

/* Mostly succeeds; else what a callback may return. */
static int outcome(struct emul_ctxt *c)
{
    uint8_t b = take();

    if (++steps > 100000)
        __builtin_trap();
    switch (b & 0x3f) {
    case 1: return emul_raise_page_fault(c, b, 2);
    case 2: return EMUL_RETRY;
    case 3: return EMUL_UNHANDLEABLE;
    case 4: return emul_raise(c, X86_TRAP_GP, 0);
    default: return EMUL_OKAY;
    }
}
static void check_size(unsigned bytes)
{
    if (!bytes || bytes > 16)
        __builtin_trap();
}
static int op_read(enum emul_seg seg, uint64_t off, void *buf, unsigned bytes, struct emul_ctxt *c)
{
    uint64_t linear;
    int rc = emul_linear(c, seg, off, bytes, EMUL_READ, &linear);

    check_size(bytes);
    take_bytes(buf, bytes);
    return rc == EMUL_OKAY ? outcome(c) : rc;
}
static int op_write(enum emul_seg seg, uint64_t off, const void *buf, unsigned bytes, struct emul_ctxt *c)
{
    static volatile uint8_t sink;
    unsigned n;
    uint64_t linear;
    int rc = emul_linear(c, seg, off, bytes, EMUL_WRITE, &linear);

    check_size(bytes);
    for (n = 0; n < bytes; n++)
        sink = ((const uint8_t *)buf)[n]; /* the sanitizer looks at the reads */
    (void)sink;
    return rc == EMUL_OKAY ? outcome(c) : rc;
}
static int op_fetch(uint64_t off, void *buf, unsigned bytes, struct emul_ctxt *c)
{
    check_size(bytes);
    if (c->addr_size == 64 && (off & 0xfff) + bytes > 0x1000)
        __builtin_trap();
    take_bytes(buf, bytes);
    return left ? EMUL_OKAY : emul_raise_page_fault(c, off, PFEC_I);
}
static int op_cmpxchg(enum emul_seg seg, uint64_t off, void *old, const void *new, unsigned bytes, struct emul_ctxt *c)
{
    int rc = op_write(seg, off, new, bytes, c);

    return rc == EMUL_OKAY && (take() & 7) == 7 ? EMUL_CMPXCHG_FAILED : rc;
}
static int op_rep_io(uint16_t port, enum emul_seg seg, uint64_t off, unsigned bytes, uint64_t *reps, struct emul_ctxt *c)
{
    if (!*reps)
        __builtin_trap();
    *reps = *reps > 3 ? take() & 3 : 1;
    return outcome(c);
}
static int op_rep_outs(enum emul_seg seg, uint64_t off, uint16_t port, unsigned bytes, uint64_t *reps, struct emul_ctxt *c)
{
    return op_rep_io(port, seg, off, bytes, reps, c);
}
static int op_rep_movs(enum emul_seg s, uint64_t so, enum emul_seg d, uint64_t dof, unsigned bytes, uint64_t *reps,
                       struct emul_ctxt *c)
{
    return op_rep_io(0, s, so, bytes, reps, c);
}
static int op_rep_stos(const void *v, enum emul_seg seg, uint64_t off, unsigned bytes, uint64_t *reps, struct emul_ctxt *c)
{
    return op_rep_io(0, seg, off, bytes, reps, c);
}
static int op_read_segment(enum emul_seg seg, struct emul_segment *reg, struct emul_ctxt *c)
{
    if (seg >= EMUL_SEG_NONE)
        __builtin_trap();
    take_bytes(&reg->sel, 2);
    take_bytes(&reg->base, 8);
    reg->limit = take() & 1 ? 0xffffffff : 0xffff;
    reg->attr = take() & 1 ? 0x1f093 | take() : 0xc09b;
    return outcome(c);
}
static int op_write_segment(enum emul_seg seg, const struct emul_segment *reg, struct emul_ctxt *c) { return outcome(c); }
static int op_read_io(uint16_t port, unsigned bytes, uint32_t *value, struct emul_ctxt *c)
{
    take_bytes(value, 4);
    return outcome(c);
}
static int op_write_io(uint16_t port, unsigned bytes, uint32_t value, struct emul_ctxt *c) { return outcome(c); }
static int op_read_reg(unsigned n, uint64_t *value, struct emul_ctxt *c)
{
    take_bytes(value, 8);
    return outcome(c);
}
static int op_write_reg(unsigned n, uint64_t value, struct emul_ctxt *c) { return outcome(c); }
static int op_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4], struct emul_ctxt *c)
{
    take_bytes(out, 16);
    return outcome(c);
}
static int op_plain(struct emul_ctxt *c) { return outcome(c); }
static int op_invlpg(enum emul_seg seg, uint64_t off, struct emul_ctxt *c) { return outcome(c); }
static int op_get_fpu(struct emul_fxsave **state, struct emul_ctxt *c)
{
    int rc = outcome(c);

    *state = &fx;
    fpu_held += rc == EMUL_OKAY;
    return rc;
}
static void op_put_fpu(bool changed, struct emul_ctxt *c)
{
    if (!fpu_held--)
        __builtin_trap();
}

static const struct emul_ops full = {
    .read = op_read, .write = op_write, .insn_fetch = op_fetch, .cmpxchg = op_cmpxchg, .rep_ins = op_rep_io,
    .rep_outs = op_rep_outs, .rep_movs = op_rep_movs, .rep_stos = op_rep_stos, .read_segment = op_read_segment,
    .write_segment = op_write_segment, .read_io = op_read_io, .write_io = op_write_io, .read_cr = op_read_reg,
    .write_cr = op_write_reg, .read_dr = op_read_reg, .write_dr = op_write_reg, .read_xcr = op_read_reg,
    .write_xcr = op_write_reg, .read_msr = op_read_reg, .write_msr = op_write_reg, .read_pmc = op_read_reg,
    .cpuid = op_cpuid, .wbinvd = op_plain, .invlpg = op_invlpg, .vmmcall = op_plain, .get_fpu = op_get_fpu,
    .put_fpu = op_put_fpu,
};
static const struct emul_ops least = {.read = op_read, .write = op_write, .insn_fetch = op_fetch};

static void check_unchanged(const struct emul_ctxt *c, const struct cpu_user_regs *before)
{
    struct cpu_user_regs now = *c->regs;
    uint8_t op = c->insn.opcode;
    bool string = !c->insn.map && ((op >= 0x6c && op <= 0x6f) || (op >= 0xa4 && op <= 0xaf));

    if (string && c->insn.rep) {
        now.rax = before->rax;
        now.rcx = before->rcx;
        now.rsi = before->rsi;
        now.rdi = before->rdi;
        now.rflags = before->rflags;
    }
    if (memcmp(&now, before, sizeof(now)))
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cpu_user_regs regs, before;
    struct emul_ctxt c;
    uint8_t how;
    int rc;

    input = data;
    left = size;
    steps = fpu_held = 0;
    memset(&c, 0, sizeof(c));
    memset(&regs, 0, sizeof(regs));
    how = take();
    c.regs = &regs;
    c.ops = how & 0x80 ? &least : &full;
    c.addr_size = 16 << (how & 3) % 3;
    c.sp_size = c.addr_size == 64 ? 64 : 16 << (how >> 2 & 1);
    c.lma = c.addr_size == 64 || (how & 8);
    c.cpl = how & 0x10 ? 3 : 0;
    c.vendor = how >> 5 & 1;
    if (how & 0x40)
        take_bytes(&regs, 15 * 8);
    take_bytes(&regs.rip, 2);
    take_bytes(&regs.rflags, 3);
    memset(&fx, take(), sizeof(fx));
    before = regs;
    rc = emul_one(&c);
    if (fpu_held)
        __builtin_trap();
    if (rc < EMUL_OKAY || rc > EMUL_RETRY)
        __builtin_trap();
    if (rc != EMUL_OKAY)
        check_unchanged(&c, &before);
    else if (c.insn.len > EMUL_INSN_MAX)
        __builtin_trap();
    return 0;
}
