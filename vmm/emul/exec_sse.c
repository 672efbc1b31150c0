/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MMX and SSE moves (what touches device memory), MXCSR, fences. AMD APM 4, APM 5. */
#include "exec.h"

/* What CR0.EM, CR4.OSFXSR and CR0.TS forbid (APM 4 and 5, the exceptions of each instruction). */
static int check_vector(struct exec *x, bool sse)
{
    uint64_t cr0, cr4 = 0;
    int rc = read_cr(x, 0, &cr0);

    if (rc == EMUL_OKAY && sse)
        rc = read_cr(x, 4, &cr4);
    if (rc != EMUL_OKAY)
        return rc;
    if ((cr0 & CR0_EM) || (sse && !(cr4 & CR4_OSFXSR)))
        return raise_ud(x);
    if (cr0 & CR0_TS)
        return emul_raise(x->c, X86_TRAP_NM, EMUL_NO_ERROR_CODE);
    return x->c->ops->get_fpu && x->c->ops->put_fpu ? EMUL_OKAY : EMUL_UNHANDLEABLE;
}

static int check_alignment(struct exec *x) { return x->i->mem && (x->mem_off & 15) ? raise_gp(x, 0) : EMUL_OKAY; }

/* Reads the memory operand, n bytes of op->bytes. */
static int read_vector(struct exec *x, uint8_t buf[16])
{
    memset(buf, 0, 16);
    return x->c->ops->read(x->i->mem_seg, x->mem_off, buf, x->op->bytes, x->c);
}

static int write_vector(struct exec *x, const uint8_t *from)
{
    return x->c->ops->write(x->i->mem_seg, x->mem_off, from, x->op->bytes, x->c);
}

/* Scalar moves between registers leave the rest of the destination; MOVQ clears it. */
static bool is_movq(const struct exec *x) { return x->i->opcode == 0x7e || x->i->opcode == 0xd6; }

static void move_register(struct exec *x, uint8_t *to, const uint8_t *from)
{
    unsigned n = x->op->bytes;

    memmove(to, from, n);
    if (is_movq(x))
        memset(to + n, 0, 16 - n);
}

int exec_sse_load(struct exec *x)
{
    struct emul_fxsave *state;
    uint8_t buf[16];
    int rc = check_vector(x, true);

    if (rc == EMUL_OKAY && x->i->mem)
        rc = read_vector(x, buf);
    if (rc == EMUL_OKAY)
        rc = x->c->ops->get_fpu(&state, x->c);
    if (rc != EMUL_OKAY)
        return rc;
    if (x->i->mem)
        memcpy(state->xmm[x->i->reg], buf, 16);
    else
        move_register(x, state->xmm[x->i->reg], state->xmm[x->i->rm]);
    x->c->ops->put_fpu(true, x->c);
    return EMUL_OKAY;
}

int exec_sse_load_aligned(struct exec *x)
{
    int rc = check_alignment(x);

    return rc == EMUL_OKAY ? exec_sse_load(x) : rc;
}

int exec_sse_store(struct exec *x)
{
    struct emul_fxsave *state;
    uint8_t buf[16];
    int rc = check_vector(x, true);

    x->no_write = true;
    if (rc == EMUL_OKAY)
        rc = x->c->ops->get_fpu(&state, x->c);
    if (rc != EMUL_OKAY)
        return rc;
    memcpy(buf, state->xmm[x->i->reg], 16);
    if (!x->i->mem)
        move_register(x, state->xmm[x->i->rm], buf);
    x->c->ops->put_fpu(!x->i->mem, x->c);
    return x->i->mem ? write_vector(x, buf) : EMUL_OKAY;
}

int exec_sse_store_aligned(struct exec *x)
{
    int rc = check_alignment(x);

    return rc == EMUL_OKAY ? exec_sse_store(x) : rc;
}

/* One half of a register: MOVLPS, MOVHPS; between registers MOVHLPS, MOVLHPS, which take the other half. */
static int load_half(struct exec *x, unsigned half)
{
    struct emul_fxsave *state;
    uint8_t buf[16];
    int rc = check_vector(x, true);

    if (rc == EMUL_OKAY && x->i->mem)
        rc = read_vector(x, buf);
    if (rc == EMUL_OKAY)
        rc = x->c->ops->get_fpu(&state, x->c);
    if (rc != EMUL_OKAY)
        return rc;
    if (!x->i->mem)
        memcpy(buf, state->xmm[x->i->rm] + 8 - half, 8);
    memcpy(state->xmm[x->i->reg] + half, buf, 8);
    x->c->ops->put_fpu(true, x->c);
    return EMUL_OKAY;
}

int exec_sse_load_low(struct exec *x) { return load_half(x, 0); }
int exec_sse_load_high(struct exec *x) { return load_half(x, 8); }

int exec_sse_store_high(struct exec *x)
{
    struct emul_fxsave *state;
    uint8_t buf[8];
    int rc = check_vector(x, true);

    x->no_write = true;
    if (rc == EMUL_OKAY)
        rc = x->c->ops->get_fpu(&state, x->c);
    if (rc != EMUL_OKAY)
        return rc;
    memcpy(buf, state->xmm[x->i->reg] + 8, 8);
    x->c->ops->put_fpu(false, x->c);
    return write_vector(x, buf);
}

int exec_movd_load(struct exec *x)
{
    struct emul_fxsave *state;
    int rc = check_vector(x, true);

    if (rc == EMUL_OKAY)
        rc = x->c->ops->get_fpu(&state, x->c);
    if (rc != EMUL_OKAY)
        return rc;
    memset(state->xmm[x->i->reg], 0, 16);
    memcpy(state->xmm[x->i->reg], &x->src, x->bytes);
    x->c->ops->put_fpu(true, x->c);
    return EMUL_OKAY;
}

int exec_movd_store(struct exec *x)
{
    struct emul_fxsave *state;
    int rc = check_vector(x, true);

    if (rc == EMUL_OKAY)
        rc = x->c->ops->get_fpu(&state, x->c);
    if (rc != EMUL_OKAY)
        return rc;
    memcpy(&x->dst, state->xmm[x->i->reg], x->bytes);
    x->c->ops->put_fpu(false, x->c);
    return EMUL_OKAY;
}

/*
 * MMX registers are the x87 registers by number; the image has them by stack
 * position.  An MMX instruction sets TOP to 0 and tags all as valid (APM 2, 11.3.1).
 */
static int get_mmx(struct exec *x, struct emul_fxsave **state)
{
    int rc = check_vector(x, false);

    if (rc == EMUL_OKAY)
        rc = x->c->ops->get_fpu(state, x->c);
    if (rc == EMUL_OKAY && ((*state)->fsw & ~(*state)->fcw & 0x3f)) { /* a pending unmasked x87 exception */
        x->c->ops->put_fpu(false, x->c);
        rc = emul_raise(x->c, X86_TRAP_MF, EMUL_NO_ERROR_CODE);
    }
    return rc;
}

static uint8_t *mmx_reg(struct emul_fxsave *s, unsigned n) { return s->st[(n - (s->fsw >> 11)) & 7]; }

static void enter_mmx(struct emul_fxsave *s)
{
    uint8_t by_number[8][16];
    unsigned n;

    for (n = 0; n < 8; n++)
        memcpy(by_number[n], mmx_reg(s, n), 16);
    memcpy(s->st, by_number, sizeof(by_number));
    s->fsw &= ~0x3800;
    s->ftw = 0xff;
}

static void set_mmx(struct emul_fxsave *s, unsigned n, const void *value)
{
    memcpy(s->st[n & 7], value, 8);
    memset(s->st[n & 7] + 8, 0xff, 2); /* exponent and sign are all ones */
}

/* Ends an MMX instruction that wrote memory or a general register, or MMX register reg. */
static int finish_mmx(struct exec *x, struct emul_fxsave *s)
{
    enter_mmx(s);
    x->c->ops->put_fpu(true, x->c);
    return EMUL_OKAY;
}

static int finish_mmx_write(struct exec *x, struct emul_fxsave *s, unsigned reg, const void *value)
{
    enter_mmx(s);
    set_mmx(s, reg, value);
    x->c->ops->put_fpu(true, x->c);
    return EMUL_OKAY;
}

int exec_mmx_load(struct exec *x)
{
    struct emul_fxsave *state;
    uint8_t buf[16];
    int rc = check_vector(x, false);

    if (rc == EMUL_OKAY && x->i->mem)
        rc = read_vector(x, buf);
    if (rc == EMUL_OKAY)
        rc = get_mmx(x, &state);
    if (rc != EMUL_OKAY)
        return rc;
    if (!x->i->mem)
        memcpy(buf, mmx_reg(state, x->i->rm), 8);
    return finish_mmx_write(x, state, x->i->reg, buf);
}

int exec_mmx_store(struct exec *x)
{
    struct emul_fxsave *state;
    uint8_t buf[16];
    int rc = get_mmx(x, &state);

    x->no_write = true;
    if (rc != EMUL_OKAY)
        return rc;
    memcpy(buf, mmx_reg(state, x->i->reg), 8);
    if (!x->i->mem)
        return finish_mmx_write(x, state, x->i->rm, buf);
    rc = write_vector(x, buf);
    if (rc == EMUL_OKAY)
        return finish_mmx(x, state);
    x->c->ops->put_fpu(false, x->c);
    return rc;
}

int exec_mmx_movd_load(struct exec *x)
{
    struct emul_fxsave *state;
    int rc = get_mmx(x, &state);

    return rc == EMUL_OKAY ? finish_mmx_write(x, state, x->i->reg, &x->src) : rc; /* zero-extended */
}

int exec_mmx_movd_store(struct exec *x)
{
    struct emul_fxsave *state;
    int rc = get_mmx(x, &state);

    if (rc != EMUL_OKAY)
        return rc;
    x->no_write = true;
    memcpy(&x->dst, mmx_reg(state, x->i->reg), x->bytes);
    if (x->i->mem)
        rc = mem_write(x, x->i->mem_seg, x->mem_off, x->dst, x->bytes);
    else
        reg_set(x, x->i->rm, x->dst, x->bytes);
    if (rc == EMUL_OKAY)
        return finish_mmx(x, state);
    x->c->ops->put_fpu(false, x->c);
    return rc;
}

int exec_emms(struct exec *x)
{
    struct emul_fxsave *state;
    int rc = get_mmx(x, &state);

    if (rc != EMUL_OKAY)
        return rc;
    enter_mmx(state);
    state->ftw = 0;
    x->c->ops->put_fpu(true, x->c);
    return EMUL_OKAY;
}

int exec_ldmxcsr(struct exec *x)
{
    struct emul_fxsave *state;
    uint32_t valid;
    int rc = check_vector(x, true);

    if (rc == EMUL_OKAY)
        rc = x->c->ops->get_fpu(&state, x->c);
    if (rc != EMUL_OKAY)
        return rc;
    valid = state->mxcsr_mask ? state->mxcsr_mask : 0xffbf;
    if (x->src & ~(uint64_t)valid)
        rc = raise_gp(x, 0);
    else
        state->mxcsr = x->src;
    x->c->ops->put_fpu(rc == EMUL_OKAY, x->c);
    return rc;
}

int exec_stmxcsr(struct exec *x)
{
    struct emul_fxsave *state;
    int rc = check_vector(x, true);

    if (rc == EMUL_OKAY)
        rc = x->c->ops->get_fpu(&state, x->c);
    if (rc != EMUL_OKAY)
        return rc;
    x->dst = state->mxcsr;
    x->c->ops->put_fpu(false, x->c);
    return EMUL_OKAY;
}

/* LFENCE, MFENCE, SFENCE; with a memory operand CLFLUSH (reg 7), CLWB, CLFLUSHOPT and others of XSAVE. */
int exec_fence(struct exec *x)
{
    uint64_t ignored;
    unsigned reg = x->i->modrm >> 3 & 7;

    if (!x->i->mem)
        return x->i->rep || x->i->opsize ? EMUL_UNHANDLEABLE : EMUL_OKAY;
    if (reg != 7 && !(reg == 6 && x->i->opsize))
        return EMUL_UNHANDLEABLE;
    return mem_read(x, x->i->mem_seg, x->mem_off, &ignored, 1); /* it faults as a read does */
}
