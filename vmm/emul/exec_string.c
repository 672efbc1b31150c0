/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * String instructions.  A REP form commits its registers after each
 * iteration, so that a fault, a retry or an interrupt resumes it there
 * (AMD APM 3, 1.2.6 "Repeat Prefixes").
 */
#include "exec.h"

#define REP_BATCH 4096 /* iterations before the vCPU sees its interrupts */

enum { CONTINUE = -1 }; /* beside enum emul_rc: another iteration follows */

static uint64_t ad_mask(const struct exec *x) { return mask_of(x->i->ad_bytes); }
static uint64_t source_off(const struct exec *x) { return x->r.rsi & ad_mask(x); }
static uint64_t dest_off(const struct exec *x) { return x->r.rdi & ad_mask(x); }
static enum emul_seg source_seg(const struct exec *x) { return x->i->seg == EMUL_SEG_NONE ? EMUL_SEG_DS : x->i->seg; }

/* I/O moves 4 bytes at most. */
static unsigned io_bytes(const struct exec *x) { return MIN(x->bytes, 4U); }

static void advance(struct exec *x, unsigned reg, uint64_t units, unsigned bytes)
{
    uint64_t step = units * bytes;

    reg_set(x, reg, *emul_gpr(&x->r, reg) + (x->r.rflags & EFLAGS_DF ? -step : step), x->i->ad_bytes);
}

static uint64_t rep_count(const struct exec *x) { return x->i->rep ? x->r.rcx & ad_mask(x) : 1; }

/* Takes n iterations off rCX and commits. CONTINUE, or EMUL_OKAY where the instruction ends or pauses here. */
static int iterated(struct exec *x, uint64_t n)
{
    if (!x->i->rep)
        return EMUL_OKAY;
    reg_set(x, 1, x->r.rcx - n, x->i->ad_bytes);
    commit_progress(x);
    return rep_count(x) ? CONTINUE : EMUL_OKAY;
}

/* After an iteration with more to come: a single step, or enough of them, ends this round. */
static bool must_pause(struct exec *x, uint64_t done)
{
    struct emul_ctxt *c = x->c;

    if (!(c->regs->rflags & EFLAGS_TF) && done < REP_BATCH && !(c->ops->preempt && c->ops->preempt(c)))
        return false;
    x->stay = true;
    return true;
}

typedef int (*iteration_fn)(struct exec *x);

static int repeat(struct exec *x, iteration_fn once)
{
    uint64_t done = 0;
    int rc;

    if (!rep_count(x)) {
        /* 32-bit address size clears the upper half of RCX all the same. */
        reg_set(x, 1, x->r.rcx, x->i->ad_bytes);
        return EMUL_OKAY;
    }
    do {
        rc = once(x);
        done++;
    } while (rc == CONTINUE && !must_pause(x, done));
    return rc == CONTINUE ? EMUL_OKAY : rc;
}

/* How many iterations a fast form may do before an offset wraps, or single-stepping stops it. */
static uint64_t fast_limit(const struct exec *x, uint64_t reps, uint64_t off, unsigned bytes)
{
    uint64_t room = (x->r.rflags & EFLAGS_DF ? off : ad_mask(x) - off) / bytes;

    if (x->c->regs->rflags & EFLAGS_TF)
        return 1;
    return MIN(reps, MAX(room, (uint64_t)1));
}

/* The outcome of a fast form that did reps iterations, whose offsets are in the registers named. */
static int fast_done(struct exec *x, int rc, uint64_t reps, unsigned bytes, bool source, bool dest)
{
    int next = EMUL_OKAY;

    if (reps) {
        if (source)
            advance(x, 6, reps, bytes);
        if (dest)
            advance(x, 7, reps, bytes);
        next = iterated(x, reps);
    }
    if (rc != EMUL_OKAY)
        return rc;
    return reps ? next : EMUL_RETRY;
}

static bool wants_fast(const struct exec *x) { return x->i->rep && rep_count(x) > 1; }

static int movs_once(struct exec *x)
{
    const struct emul_ops *ops = x->c->ops;
    uint64_t value, src = source_off(x), dst = dest_off(x), reps;
    int rc;

    if (ops->rep_movs && wants_fast(x)) {
        reps = fast_limit(x, fast_limit(x, rep_count(x), src, x->bytes), dst, x->bytes);
        rc = ops->rep_movs(source_seg(x), src, EMUL_SEG_ES, dst, x->bytes, &reps, x->c);
        if (rc != EMUL_UNHANDLEABLE)
            return fast_done(x, rc, reps, x->bytes, true, true);
    }
    rc = mem_read(x, source_seg(x), src, &value, x->bytes);
    if (rc == EMUL_OKAY)
        rc = mem_write(x, EMUL_SEG_ES, dst, value, x->bytes);
    if (rc != EMUL_OKAY)
        return rc;
    advance(x, 6, 1, x->bytes);
    advance(x, 7, 1, x->bytes);
    return iterated(x, 1);
}

static int stos_once(struct exec *x)
{
    const struct emul_ops *ops = x->c->ops;
    uint64_t dst = dest_off(x), value = x->r.rax & mask_of(x->bytes), reps;
    int rc;

    if (ops->rep_stos && wants_fast(x)) {
        reps = fast_limit(x, rep_count(x), dst, x->bytes);
        rc = ops->rep_stos(&value, EMUL_SEG_ES, dst, x->bytes, &reps, x->c);
        if (rc != EMUL_UNHANDLEABLE)
            return fast_done(x, rc, reps, x->bytes, false, true);
    }
    rc = mem_write(x, EMUL_SEG_ES, dst, value, x->bytes);
    if (rc != EMUL_OKAY)
        return rc;
    advance(x, 7, 1, x->bytes);
    return iterated(x, 1);
}

static int lods_once(struct exec *x)
{
    uint64_t value;
    int rc = mem_read(x, source_seg(x), source_off(x), &value, x->bytes);

    if (rc != EMUL_OKAY)
        return rc;
    reg_set(x, 0, value, x->bytes);
    advance(x, 6, 1, x->bytes);
    return iterated(x, 1);
}

/* CMPS and SCAS end as well when ZF is not what REPE (F3) or REPNE (F2) wants. */
static int compared(struct exec *x)
{
    bool zf;
    int rc;

    exec_cmp(x);
    zf = x->r.rflags & EFLAGS_ZF;
    rc = iterated(x, 1);
    return rc == CONTINUE && zf != (x->i->rep == 0xf3) ? EMUL_OKAY : rc;
}

static int cmps_once(struct exec *x)
{
    int rc = mem_read(x, source_seg(x), source_off(x), &x->dst, x->bytes);

    if (rc == EMUL_OKAY)
        rc = mem_read(x, EMUL_SEG_ES, dest_off(x), &x->src, x->bytes);
    if (rc != EMUL_OKAY)
        return rc;
    advance(x, 6, 1, x->bytes);
    advance(x, 7, 1, x->bytes);
    return compared(x);
}

static int scas_once(struct exec *x)
{
    int rc = mem_read(x, EMUL_SEG_ES, dest_off(x), &x->src, x->bytes);

    if (rc != EMUL_OKAY)
        return rc;
    x->dst = x->r.rax & mask_of(x->bytes);
    advance(x, 7, 1, x->bytes);
    return compared(x);
}

static int ins_once(struct exec *x)
{
    const struct emul_ops *ops = x->c->ops;
    uint64_t dst = dest_off(x), reps;
    unsigned bytes = io_bytes(x);
    uint16_t port = x->r.rdx;
    uint32_t value = 0;
    int rc;

    if (ops->rep_ins && wants_fast(x)) {
        reps = fast_limit(x, rep_count(x), dst, bytes);
        rc = ops->rep_ins(port, EMUL_SEG_ES, dst, bytes, &reps, x->c);
        if (rc != EMUL_UNHANDLEABLE)
            return fast_done(x, rc, reps, bytes, false, true);
    }
    if (!ops->read_io)
        return EMUL_UNHANDLEABLE;
    rc = ops->read_io(port, bytes, &value, x->c);
    if (rc == EMUL_OKAY)
        rc = mem_write(x, EMUL_SEG_ES, dst, value, bytes);
    if (rc != EMUL_OKAY)
        return rc;
    advance(x, 7, 1, bytes);
    return iterated(x, 1);
}

static int outs_once(struct exec *x)
{
    const struct emul_ops *ops = x->c->ops;
    uint64_t src = source_off(x), value, reps;
    unsigned bytes = io_bytes(x);
    uint16_t port = x->r.rdx;
    int rc;

    if (ops->rep_outs && wants_fast(x)) {
        reps = fast_limit(x, rep_count(x), src, bytes);
        rc = ops->rep_outs(source_seg(x), src, port, bytes, &reps, x->c);
        if (rc != EMUL_UNHANDLEABLE)
            return fast_done(x, rc, reps, bytes, true, false);
    }
    if (!ops->write_io)
        return EMUL_UNHANDLEABLE;
    rc = mem_read(x, source_seg(x), src, &value, bytes);
    if (rc == EMUL_OKAY)
        rc = ops->write_io(port, bytes, value, x->c);
    if (rc != EMUL_OKAY)
        return rc;
    advance(x, 6, 1, bytes);
    return iterated(x, 1);
}

int exec_movs(struct exec *x) { return repeat(x, movs_once); }
int exec_stos(struct exec *x) { return repeat(x, stos_once); }
int exec_lods(struct exec *x) { return repeat(x, lods_once); }
int exec_cmps(struct exec *x) { return repeat(x, cmps_once); }
int exec_scas(struct exec *x) { return repeat(x, scas_once); }

int exec_ins(struct exec *x)
{
    int rc = check_io(x, x->r.rdx, io_bytes(x));

    return rc == EMUL_OKAY ? repeat(x, ins_once) : rc;
}

int exec_outs(struct exec *x)
{
    int rc = check_io(x, x->r.rdx, io_bytes(x));

    return rc == EMUL_OKAY ? repeat(x, outs_once) : rc;
}
