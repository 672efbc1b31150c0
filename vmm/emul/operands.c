/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operands: registers, memory through the caller's callbacks, the stack; and the write-back of a destination. */
#include "exec.h"

uint64_t *emul_gpr(struct cpu_user_regs *regs, unsigned n)
{
    static const uint16_t offset[16] = {
        offsetof(struct cpu_user_regs, rax), offsetof(struct cpu_user_regs, rcx), offsetof(struct cpu_user_regs, rdx),
        offsetof(struct cpu_user_regs, rbx), offsetof(struct cpu_user_regs, rsp), offsetof(struct cpu_user_regs, rbp),
        offsetof(struct cpu_user_regs, rsi), offsetof(struct cpu_user_regs, rdi), offsetof(struct cpu_user_regs, r8),
        offsetof(struct cpu_user_regs, r9),  offsetof(struct cpu_user_regs, r10), offsetof(struct cpu_user_regs, r11),
        offsetof(struct cpu_user_regs, r12), offsetof(struct cpu_user_regs, r13), offsetof(struct cpu_user_regs, r14),
        offsetof(struct cpu_user_regs, r15),
    };

    return (uint64_t *)((char *)regs + offset[n & 15]);
}

/* Without REX, byte registers 4-7 are AH, CH, DH and BH. */
static bool is_high_byte(const struct exec *x, unsigned n, unsigned bytes)
{
    return bytes == 1 && !x->i->rex && n >= 4 && n < 8;
}

__hot uint64_t reg_get(const struct exec *x, unsigned n, unsigned bytes)
{
    struct cpu_user_regs *regs = (struct cpu_user_regs *)&x->r;

    if (is_high_byte(x, n, bytes))
        return *emul_gpr(regs, n - 4) >> 8 & 0xff;
    return *emul_gpr(regs, n) & mask_of(bytes);
}

/* A 32-bit result clears the upper half; 8 and 16-bit ones leave the rest (APM 3, 1.2.1). */
__hot void reg_set(struct exec *x, unsigned n, uint64_t value, unsigned bytes)
{
    uint64_t *reg;

    if (is_high_byte(x, n, bytes)) {
        reg = emul_gpr(&x->r, n - 4);
        *reg = (*reg & ~0xff00ULL) | (value & 0xff) << 8;
        return;
    }
    reg = emul_gpr(&x->r, n);
    if (bytes >= 4)
        *reg = value & mask_of(bytes);
    else
        *reg = (*reg & ~mask_of(bytes)) | (value & mask_of(bytes));
}

__hot int mem_read(struct exec *x, enum emul_seg seg, uint64_t off, uint64_t *value, unsigned bytes)
{
    *value = 0;
    return x->c->ops->read(seg, off, value, bytes, x->c);
}

__hot int mem_write(struct exec *x, enum emul_seg seg, uint64_t off, uint64_t value, unsigned bytes)
{
    return x->c->ops->write(seg, off, &value, bytes, x->c);
}

void stack_adjust(struct exec *x, uint64_t add)
{
    uint64_t mask = mask_of(x->c->sp_size / 8);

    x->r.rsp = (x->r.rsp & ~mask) | ((x->r.rsp + add) & mask);
}

int push(struct exec *x, uint64_t value, unsigned bytes)
{
    int rc;

    stack_adjust(x, -(uint64_t)bytes);
    rc = mem_write(x, EMUL_SEG_SS, x->r.rsp & mask_of(x->c->sp_size / 8), value, bytes);
    if (rc != EMUL_OKAY)
        stack_adjust(x, bytes);
    return rc;
}

int stack_read(struct exec *x, uint64_t disp, uint64_t *value, unsigned bytes)
{
    return mem_read(x, EMUL_SEG_SS, (x->r.rsp + disp) & mask_of(x->c->sp_size / 8), value, bytes);
}

int pop(struct exec *x, uint64_t *value, unsigned bytes)
{
    int rc = stack_read(x, 0, value, bytes);

    if (rc == EMUL_OKAY)
        stack_adjust(x, bytes);
    return rc;
}

unsigned operand_e_bytes(const struct exec *x)
{
    if (x->op->bytes)
        return x->op->bytes;
    return x->op->flags & F_MEM16 && x->i->mem ? 2 : x->bytes;
}

static __hot int load_operand(struct exec *x, enum operand where, uint64_t *value)
{
    const struct emul_insn *i = x->i;

    switch (where) {
    case O_E:
        if (i->mem)
            return mem_read(x, i->mem_seg, x->mem_off, value, operand_e_bytes(x));
        *value = reg_get(x, i->rm, operand_e_bytes(x));
        break;
    case O_G: *value = reg_get(x, i->reg, x->bytes); break;
    case O_R: *value = reg_get(x, (i->opcode & 7) | (i->rex & 1) << 3, x->bytes); break;
    case O_A: *value = x->r.rax & mask_of(x->bytes); break;
    case O_I: *value = i->imm & mask_of(x->bytes); break;
    case O_1: *value = 1; break;
    case O_CL: *value = x->r.rcx & 0xff; break;
    default: *value = 0; break;
    }
    return EMUL_OKAY;
}

/* BT and its kin address memory by a signed bit number (APM 3, "BT"). */
static void move_by_bit_offset(struct exec *x)
{
    int64_t bit = sext(x->src, x->bytes);

    x->mem_off = (x->mem_off + (bit >> 3 & -(int64_t)x->bytes)) & mask_of(x->i->ad_bytes);
}

__hot int load_operands(struct exec *x)
{
    int rc = load_operand(x, x->op->src, &x->src);

    if (rc != EMUL_OKAY)
        return rc;
    if ((x->op->flags & F_BITOFF) && x->i->mem)
        move_by_bit_offset(x);
    if (x->op->flags & F_READ)
        rc = load_operand(x, x->op->dst, &x->dst);
    x->dst_old = x->dst;
    return rc;
}

static int store_memory(struct exec *x)
{
    struct emul_ctxt *c = x->c;
    unsigned bytes = operand_e_bytes(x);
    uint64_t old = x->dst_old;

    /* XCHG locks without the prefix (APM 3, "XCHG"). */
    if ((x->i->lock || x->op->exec == exec_xchg) && c->ops->cmpxchg)
        return c->ops->cmpxchg(x->i->mem_seg, x->mem_off, &old, &x->dst, bytes, c);
    return mem_write(x, x->i->mem_seg, x->mem_off, x->dst, bytes);
}

__hot int store_operand(struct exec *x)
{
    const struct emul_insn *i = x->i;

    switch (x->op->dst) {
    case O_E:
        if (i->mem)
            return store_memory(x);
        reg_set(x, i->rm, x->dst, x->op->bytes ? x->op->bytes : x->bytes);
        break;
    case O_G: reg_set(x, i->reg, x->dst, x->bytes); break;
    case O_R: reg_set(x, (i->opcode & 7) | (i->rex & 1) << 3, x->dst, x->bytes); break;
    case O_A: reg_set(x, 0, x->dst, x->bytes); break;
    default: break;
    }
    return EMUL_OKAY;
}
