/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x87 loads, stores and control: what programs do to device memory.  An
 * operation that would raise an exception other than "inexact" (masked) is
 * EMUL_UNHANDLEABLE.  AMD APM 1 "x87 Floating-Point Programming", APM 5.
 */
#include "exec.h"

#define FSW_C1 0x200
#define FSW_PE 0x20
#define F80_BIAS 16383
#define F80_MAX 0x7fff

struct f80 {
    uint64_t man; /* with its integer bit */
    uint16_t se;  /* sign and exponent */
};

static unsigned top(const struct emul_fxsave *s) { return s->fsw >> 11 & 7; }
static void set_top(struct emul_fxsave *s, unsigned t) { s->fsw = (s->fsw & ~0x3800) | (t & 7) << 11; }

static struct f80 get_st0(const struct emul_fxsave *s)
{
    struct f80 f;

    memcpy(&f.man, s->st[0], 8);
    memcpy(&f.se, s->st[0] + 8, 2);
    return f;
}

/* False: the stack is full. */
static bool push_st(struct emul_fxsave *s, struct f80 f)
{
    unsigned t = (top(s) - 1) & 7;

    if (s->ftw >> t & 1)
        return false;
    memmove(s->st[1], s->st[0], 7 * 16);
    memset(s->st[0], 0, 16);
    memcpy(s->st[0], &f.man, 8);
    memcpy(s->st[0] + 8, &f.se, 2);
    s->ftw |= 1 << t;
    set_top(s, t);
    s->fsw &= ~FSW_C1;
    return true;
}

static void pop_st(struct emul_fxsave *s)
{
    uint8_t old[16];

    memcpy(old, s->st[0], 16);
    memmove(s->st[0], s->st[1], 7 * 16);
    memcpy(s->st[7], old, 16);
    s->ftw &= ~(1 << top(s));
    set_top(s, top(s) + 1);
}

/* man / 2^shift by the rounding control; *inexact, *up: what became of the rest. */
static uint64_t round_off(uint64_t man, unsigned shift, bool negative, unsigned control, bool *inexact, bool *up)
{
    uint64_t quot = shift < 64 ? man >> shift : 0;
    uint64_t rest = shift < 64 ? man & ((1ULL << shift) - 1) : man;
    uint64_t half = shift && shift <= 64 ? 1ULL << (shift - 1) : 0;

    *inexact = rest != 0;
    *up = false;
    if (!rest)
        return quot;
    switch (control) {
    case 0: *up = shift <= 64 && (rest > half || (rest == half && (quot & 1))); break;
    case 1: *up = negative; break;
    case 2: *up = !negative; break;
    default: break;
    }
    return quot + *up;
}

/* Notes "inexact"; false: it is unmasked. */
static bool note_inexact(struct emul_fxsave *s, bool inexact, bool up)
{
    s->fsw &= ~FSW_C1;
    if (!inexact)
        return true;
    if (!(s->fcw & FSW_PE))
        return false;
    s->fsw |= FSW_PE | (up ? FSW_C1 : 0);
    return true;
}

/* A float or double (mb mantissa bits, exponent bias) to f80; false: denormal or signalling. */
static bool widen(uint64_t v, unsigned bits, unsigned mb, unsigned bias, struct f80 *f)
{
    uint64_t man = v & ((1ULL << mb) - 1);
    unsigned exp = v >> mb & (2 * bias + 1);

    f->se = v >> (bits - 1) << 15;
    f->man = 0;
    if (!exp)
        return !man;
    if (exp == 2 * bias + 1) {
        if (man && !(man >> (mb - 1)))
            return false;
        f->se |= F80_MAX;
    } else {
        f->se |= exp - bias + F80_BIAS;
    }
    f->man = 1ULL << 63 | man << (63 - mb);
    return true;
}

static bool narrow(struct emul_fxsave *s, struct f80 f, unsigned bits, unsigned mb, unsigned bias, uint64_t *v)
{
    uint64_t sign = (uint64_t)(f.se >> 15) << (bits - 1), man;
    int exp = (f.se & F80_MAX) - F80_BIAS + (int)bias;
    bool inexact, up;

    if (!f.man && !(f.se & F80_MAX)) {
        *v = sign;
        return note_inexact(s, false, false);
    }
    if (!(f.man >> 63))
        return false;
    if ((f.se & F80_MAX) == F80_MAX) {
        *v = sign | (2ULL * bias + 1) << mb | (f.man << 1 >> (64 - mb));
        return !(f.man << 1) || (f.man >> 62 & 1);
    }
    man = round_off(f.man, 63 - mb, sign, s->fcw >> 10 & 3, &inexact, &up);
    *v = ((uint64_t)exp << mb) + (man - (1ULL << mb));
    if (exp < 1 || *v >= (2ULL * bias + 1) << mb)
        return false;
    *v |= sign;
    return note_inexact(s, inexact, up);
}

static struct f80 from_integer(int64_t v)
{
    struct f80 f = {.man = v < 0 ? -(uint64_t)v : (uint64_t)v, .se = v < 0 ? 0x8000 : 0};
    unsigned zeros;

    if (!v)
        return f;
    zeros = __builtin_clzll(f.man);
    f.man <<= zeros;
    f.se |= F80_BIAS + 63 - zeros;
    return f;
}

static bool to_integer(struct emul_fxsave *s, struct f80 f, unsigned bytes, uint64_t *v)
{
    unsigned exp = f.se & F80_MAX;
    bool negative = f.se >> 15, inexact, up;
    uint64_t man;

    if (exp > F80_BIAS + 63 || (exp && !(f.man >> 63)))
        return false;
    man = round_off(f.man, F80_BIAS + 63 - exp, negative, s->fcw >> 10 & 3, &inexact, &up);
    if (man > sign_of(bytes) - !negative)
        return false;
    *v = negative ? -man : man;
    return note_inexact(s, inexact, up);
}

enum x87_kind { X_NONE, X_FLOAT, X_INT, X_F80 };
struct x87_form {
    uint8_t kind, bytes;
    bool store, pops;
};

/* The memory form of D8 + n with this ModRM.reg, if it is a load or store of a number. */
static struct x87_form x87_form(unsigned n, unsigned reg)
{
    static const struct x87_form forms[4][8] = {
        /* D9 */ {{X_FLOAT, 4, 0, 0}, {0}, {X_FLOAT, 4, 1, 0}, {X_FLOAT, 4, 1, 1}},
        /* DB */
        {{X_INT, 4, 0, 0}, {0}, {X_INT, 4, 1, 0}, {X_INT, 4, 1, 1}, {0}, {X_F80, 10, 0, 0}, {0}, {X_F80, 10, 1, 1}},
        /* DD */ {{X_FLOAT, 8, 0, 0}, {0}, {X_FLOAT, 8, 1, 0}, {X_FLOAT, 8, 1, 1}},
        /* DF */
        {{X_INT, 2, 0, 0}, {0}, {X_INT, 2, 1, 0}, {X_INT, 2, 1, 1}, {0}, {X_INT, 8, 0, 0}, {0}, {X_INT, 8, 1, 1}},
    };
    static const struct x87_form none;

    return n & 1 ? forms[n >> 1 & 3][reg] : none;
}

static bool unpack(struct x87_form form, const uint8_t *buf, struct f80 *f)
{
    uint64_t v = 0;

    if (form.kind == X_F80) {
        memcpy(&f->man, buf, 8);
        memcpy(&f->se, buf + 8, 2);
        return true;
    }
    memcpy(&v, buf, form.bytes);
    if (form.kind == X_INT) {
        *f = from_integer(sext(v, form.bytes));
        return true;
    }
    return form.bytes == 4 ? widen(v, 32, 23, 127, f) : widen(v, 64, 52, 1023, f);
}

static bool pack(struct emul_fxsave *s, struct x87_form form, uint8_t *buf)
{
    struct f80 f = get_st0(s);
    uint64_t v;
    bool ok;

    if (!(s->ftw >> top(s) & 1))
        return false;
    if (form.kind == X_F80) {
        memcpy(buf, s->st[0], 10);
        return true;
    }
    if (form.kind == X_INT)
        ok = to_integer(s, f, form.bytes, &v);
    else
        ok = form.bytes == 4 ? narrow(s, f, 32, 23, 127, &v) : narrow(s, f, 64, 52, 1023, &v);
    if (ok)
        memcpy(buf, &v, form.bytes);
    return ok;
}

/* FLDCW, FNSTCW, FNSTSW to memory. */
static int control_word(struct exec *x, struct emul_fxsave *s, unsigned n, unsigned reg, bool *changed)
{
    uint64_t value;
    int rc;

    if (n == 5 && reg == 7)
        return mem_write(x, x->i->mem_seg, x->mem_off, s->fsw, 2);
    if (n == 1 && reg == 7)
        return mem_write(x, x->i->mem_seg, x->mem_off, s->fcw, 2);
    if (n != 1 || reg != 5)
        return EMUL_UNHANDLEABLE;
    rc = mem_read(x, x->i->mem_seg, x->mem_off, &value, 2);
    if (rc == EMUL_OKAY) {
        s->fcw = (value & 0x1f3f) | 0x40;
        *changed = true;
    }
    return rc;
}

/* FNCLEX, FNINIT and FNSTSW AX are all there is of register forms. */
static int register_form(struct exec *x, struct emul_fxsave *s, bool *changed)
{
    *changed = true;
    switch (x->i->opcode << 8 | x->i->modrm) {
    case 0xdbe2: s->fsw &= 0x7f00; return EMUL_OKAY;
    case 0xdbe3:
        s->fcw = 0x37f;
        s->fsw = s->fop = 0;
        s->ftw = 0;
        s->fip = s->fdp = 0;
        return EMUL_OKAY;
    case 0xdfe0: reg_set(x, 0, s->fsw, 2); return EMUL_OKAY;
    default: return EMUL_UNHANDLEABLE;
    }
}

/* Works on a copy, which replaces the state when all has gone well. */
static int memory_form(struct exec *x, struct emul_fxsave *s, bool *changed)
{
    unsigned n = x->i->opcode & 7, reg = x->i->modrm >> 3 & 7;
    struct x87_form form = x87_form(n, reg);
    uint8_t buf[16];
    struct f80 f;
    int rc;

    if (!form.kind)
        return control_word(x, s, n, reg, changed);
    if (form.store) {
        if (!pack(s, form, buf))
            return EMUL_UNHANDLEABLE;
        rc = x->c->ops->write(x->i->mem_seg, x->mem_off, buf, form.bytes, x->c);
        if (rc == EMUL_OKAY && form.pops)
            pop_st(s);
    } else {
        rc = x->c->ops->read(x->i->mem_seg, x->mem_off, buf, form.bytes, x->c);
        if (rc == EMUL_OKAY && (!unpack(form, buf, &f) || !push_st(s, f)))
            rc = EMUL_UNHANDLEABLE;
    }
    *changed = rc == EMUL_OKAY;
    return rc;
}

static int check_x87(struct exec *x, uint64_t forbidden)
{
    uint64_t cr0;
    int rc = read_cr(x, 0, &cr0);

    if (rc != EMUL_OKAY)
        return rc;
    if (cr0 & forbidden)
        return emul_raise(x->c, X86_TRAP_NM, EMUL_NO_ERROR_CODE);
    return x->c->ops->get_fpu && x->c->ops->put_fpu ? EMUL_OKAY : EMUL_UNHANDLEABLE;
}

/* FNSTCW, FNSTSW, FNCLEX and FNINIT do not wait for pending exceptions. */
static bool waits(const struct exec *x)
{
    unsigned n = x->i->opcode & 7, reg = x->i->modrm >> 3 & 7;

    return x->i->mem ? !(reg == 7 && (n == 1 || n == 5)) : false;
}

int exec_x87(struct exec *x)
{
    struct emul_fxsave *state, work;
    bool changed = false;
    int rc = check_x87(x, CR0_EM | CR0_TS);

    if (rc == EMUL_OKAY)
        rc = x->c->ops->get_fpu(&state, x->c);
    if (rc != EMUL_OKAY)
        return rc;
    work = *state;
    if (waits(x) && (work.fsw & ~work.fcw & 0x3f))
        rc = emul_raise(x->c, X86_TRAP_MF, EMUL_NO_ERROR_CODE);
    else
        rc = x->i->mem ? memory_form(x, &work, &changed) : register_form(x, &work, &changed);
    changed = changed && rc == EMUL_OKAY;
    if (changed)
        *state = work;
    x->c->ops->put_fpu(changed, x->c);
    return rc;
}

int exec_fwait(struct exec *x)
{
    uint64_t cr0;
    int rc = read_cr(x, 0, &cr0);

    if (rc == EMUL_OKAY && (cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS))
        return emul_raise(x->c, X86_TRAP_NM, EMUL_NO_ERROR_CODE);
    return rc;
}
