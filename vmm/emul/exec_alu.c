/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Integer arithmetic and logic. Flags as in AMD APM 3; those it leaves undefined are made 0 or kept. */
#include "exec.h"

static int add_with(struct exec *x, uint64_t carry)
{
    uint64_t a = x->dst, b = x->src, m = mask_of(x->bytes), r = (a + b + carry) & m;
    uint64_t carries = (a & b) | ((a | b) & ~r); /* out of each bit */

    x->dst = r;
    set_flags(x, ARITH_FLAGS,
              result_flags(r, x->bytes) | (carries & sign_of(x->bytes) ? EFLAGS_CF : 0) | ((a ^ b ^ r) & EFLAGS_AF) |
                  ((a ^ r) & (b ^ r) & sign_of(x->bytes) ? EFLAGS_OF : 0));
    return EMUL_OKAY;
}

static int sub_with(struct exec *x, uint64_t borrow)
{
    uint64_t a = x->dst, b = x->src, m = mask_of(x->bytes), r = (a - b - borrow) & m;
    uint64_t borrows = (~a & b) | ((~a | b) & r);

    x->dst = r;
    set_flags(x, ARITH_FLAGS,
              result_flags(r, x->bytes) | (borrows & sign_of(x->bytes) ? EFLAGS_CF : 0) | ((a ^ b ^ r) & EFLAGS_AF) |
                  ((a ^ b) & (a ^ r) & sign_of(x->bytes) ? EFLAGS_OF : 0));
    return EMUL_OKAY;
}

static int logic(struct exec *x, uint64_t r)
{
    x->dst = r;
    set_flags(x, ARITH_FLAGS, result_flags(r, x->bytes));
    return EMUL_OKAY;
}

int exec_add(struct exec *x) { return add_with(x, 0); }
int exec_adc(struct exec *x) { return add_with(x, x->r.rflags & EFLAGS_CF); }
int exec_sub(struct exec *x) { return sub_with(x, 0); }
int exec_sbb(struct exec *x) { return sub_with(x, x->r.rflags & EFLAGS_CF); }
int exec_cmp(struct exec *x) { return sub_with(x, 0); }
int exec_or(struct exec *x) { return logic(x, x->dst | x->src); }
int exec_and(struct exec *x) { return logic(x, x->dst & x->src); }
int exec_xor(struct exec *x) { return logic(x, x->dst ^ x->src); }
int exec_test(struct exec *x) { return logic(x, x->dst & x->src); }

int exec_not(struct exec *x)
{
    x->dst = ~x->dst & mask_of(x->bytes);
    return EMUL_OKAY;
}

int exec_neg(struct exec *x)
{
    x->src = x->dst;
    x->dst = 0;
    return sub_with(x, 0);
}

/* INC and DEC keep CF. */
int exec_inc(struct exec *x)
{
    uint64_t cf = x->r.rflags & EFLAGS_CF;

    x->src = 1;
    add_with(x, 0);
    set_flags(x, EFLAGS_CF, cf);
    return EMUL_OKAY;
}

int exec_dec(struct exec *x)
{
    uint64_t cf = x->r.rflags & EFLAGS_CF;

    x->src = 1;
    sub_with(x, 0);
    set_flags(x, EFLAGS_CF, cf);
    return EMUL_OKAY;
}

int exec_xadd(struct exec *x)
{
    uint64_t old = x->dst;

    add_with(x, 0);
    reg_set(x, x->i->reg, old, x->bytes);
    /* XADD of a register with itself: the sum wins. It is written after this. */
    return EMUL_OKAY;
}

int exec_cmpxchg(struct exec *x)
{
    uint64_t found = x->dst, new = x->src;

    x->dst = x->r.rax & mask_of(x->bytes);
    x->src = found;
    sub_with(x, 0);
    if (x->r.rflags & EFLAGS_ZF) {
        x->dst = new;
        return EMUL_OKAY;
    }
    /* Memory is written with what it held; a register destination stays as it is, upper half and all. */
    reg_set(x, 0, found, x->bytes);
    x->dst = found;
    x->no_write = !x->i->mem;
    return EMUL_OKAY;
}

/* CMPXCHG8B and, with REX.W, CMPXCHG16B. */
int exec_cmpxchg8b(struct exec *x)
{
    struct emul_ctxt *c = x->c;
    unsigned half = x->i->rex & 8 ? 8 : 4;
    uint64_t m = mask_of(half), found[2] = {0, 0}, new[2];
    uint8_t old[16], next[16];
    bool same;
    int rc;

    if (half == 8 && (x->mem_off & 15))
        return raise_gp(x, 0);
    rc = c->ops->read(x->i->mem_seg, x->mem_off, old, 2 * half, c);
    if (rc != EMUL_OKAY)
        return rc;
    memcpy(&found[0], old, half);
    memcpy(&found[1], old + half, half);
    same = found[0] == (x->r.rax & m) && found[1] == (x->r.rdx & m);
    new[0] = same ? x->r.rbx : found[0];
    new[1] = same ? x->r.rcx : found[1];
    memcpy(next, &new[0], half);
    memcpy(next + half, &new[1], half);
    if (x->i->lock && c->ops->cmpxchg)
        rc = c->ops->cmpxchg(x->i->mem_seg, x->mem_off, old, next, 2 * half, c);
    else
        rc = c->ops->write(x->i->mem_seg, x->mem_off, next, 2 * half, c);
    if (rc != EMUL_OKAY)
        return rc;
    set_flags(x, EFLAGS_ZF, same ? EFLAGS_ZF : 0);
    if (!same) {
        reg_set(x, 0, found[0], half);
        reg_set(x, 2, found[1], half);
    }
    return EMUL_OKAY;
}
