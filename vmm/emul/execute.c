/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs one decoded instruction: legality, operands, the handler, write-back, retirement. */
#include "exec.h"

#define LOCK_ATTEMPTS 64 /* of a read-modify-write that others keep disturbing */

int emul_raise(struct emul_ctxt *c, uint8_t vector, int32_t error_code)
{
    c->event = (struct emul_event){.vector = vector, .type = EMUL_EVENT_HW_EXCEPTION, .error_code = error_code};
    return EMUL_EXCEPTION;
}

int emul_raise_page_fault(struct emul_ctxt *c, uint64_t cr2, uint32_t error_code)
{
    emul_raise(c, X86_TRAP_PF, error_code);
    c->event.cr2 = cr2;
    return EMUL_EXCEPTION;
}

int raise_software(struct exec *x, uint8_t vector, enum emul_event_type type)
{
    x->c->event =
        (struct emul_event){.vector = vector, .type = type, .insn_len = x->i->len, .error_code = EMUL_NO_ERROR_CODE};
    return EMUL_EXCEPTION;
}

/* LOCK MOV CR0 is AMD's way to CR8 outside 64-bit mode (APM 3, "MOV CRn"). */
static bool lock_is_legal(const struct exec *x)
{
    if (x->i->map == 1 && (x->i->opcode == 0x20 || x->i->opcode == 0x22))
        return x->c->vendor == EMUL_VENDOR_AMD;
    return (x->op->flags & F_LOCK) && x->i->mem;
}

static __hot int check_legal(struct exec *x)
{
    uint32_t flags = x->op->flags;
    enum cpu_mode mode;
    int rc;

    if (!x->op->exec)
        return EMUL_UNHANDLEABLE;
    if (((flags & F_NO64) && mode64(x)) || ((flags & F_MEM) && !x->i->mem) || (x->i->lock && !lock_is_legal(x)))
        return raise_ud(x);
    if (flags & F_PROT) {
        rc = cpu_mode(x, &mode);
        if (rc != EMUL_OKAY)
            return rc;
        if (mode != MODE_PROT)
            return raise_ud(x);
    }
    return (flags & F_PRIV) && x->c->cpl ? raise_gp(x, 0) : EMUL_OKAY;
}

static __hot void start(struct exec *x)
{
    x->r = *x->c->regs;
    x->r.rip += x->i->len;
    if (!mode64(x))
        x->r.rip = (uint32_t)x->r.rip;
    x->r.rflags &= ~(uint64_t)EFLAGS_RF;
    x->bytes = x->i->op_bytes;
    x->mem_off = x->i->mem_off;
    x->no_write = x->stay = x->new_tf = false;
    x->dst = x->src = x->dst_old = 0;
    x->cpl = x->c->cpl;
}

/* The selectors, and the frame's private words, are not ours. */
static __hot void copy_registers(struct cpu_user_regs *to, const struct cpu_user_regs *from)
{
    /* r15 to rdi stand together; rsp is in the part that the hardware pushes. */
    memcpy(to, from, offsetof(struct cpu_user_regs, error_code));
    to->rsp = from->rsp;
    to->rip = from->rip;
    to->rflags = from->rflags;
}

void commit_progress(struct exec *x)
{
    struct cpu_user_regs *regs = x->c->regs;

    regs->rcx = x->r.rcx;
    regs->rsi = x->r.rsi;
    regs->rdi = x->r.rdi;
    regs->rax = x->r.rax;
    regs->rflags = (regs->rflags & ~(uint64_t)ARITH_FLAGS) | (x->r.rflags & ARITH_FLAGS);
}

static __hot void retire(struct exec *x)
{
    struct emul_ctxt *c = x->c;
    bool single_step = (x->new_tf ? x->r.rflags : c->regs->rflags) & EFLAGS_TF;

    if (x->stay) {
        x->r.rip = c->regs->rip;
        c->rep_pending = true;
    }
    copy_registers(c->regs, &x->r);
    c->cpl = x->cpl;
    c->retire.singlestep = single_step && !c->retire.mov_ss;
}

__hot int emul_execute(struct emul_ctxt *c)
{
    struct exec x = {.c = c, .i = &c->insn, .op = c->insn.entry};
    unsigned attempt = 0;
    int rc;

    memset(&c->retire, 0, sizeof(c->retire));
    c->rep_pending = false;
    rc = check_legal(&x);
    if (rc != EMUL_OKAY)
        return rc;
    do {
        start(&x);
        rc = load_operands(&x);
        if (rc == EMUL_OKAY)
            rc = x.op->exec(&x);
        if (rc == EMUL_OKAY && (x.op->flags & F_WRITE) && !x.no_write)
            rc = store_operand(&x);
    } while (rc == EMUL_CMPXCHG_FAILED && ++attempt < LOCK_ATTEMPTS);
    if (rc == EMUL_CMPXCHG_FAILED)
        rc = EMUL_RETRY;
    if (rc == EMUL_OKAY)
        retire(&x);
    else
        memset(&c->retire, 0, sizeof(c->retire));
    return rc;
}

__hot int emul_one(struct emul_ctxt *c)
{
    int rc = emul_decode(c);

    if (rc != EMUL_OKAY)
        return rc;
    if (c->ops->allow && !c->ops->allow(&c->insn, c))
        return EMUL_UNHANDLEABLE;
    return emul_execute(c);
}
