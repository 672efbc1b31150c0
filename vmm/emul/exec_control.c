/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Near branches, loops and software interrupts. */
#include "exec.h"

static int branch(struct exec *x) { return set_rip(x, x->r.rip + x->i->imm); }

int exec_jmp(struct exec *x) { return branch(x); }
int exec_jcc(struct exec *x) { return condition(x, x->i->opcode) ? branch(x) : EMUL_OKAY; }
int exec_jmp_e(struct exec *x) { return set_rip(x, x->src); }

/* LOOPNE, LOOPE, LOOP, JrCXZ: the counter has the address size. */
int exec_loop(struct exec *x)
{
    unsigned ad = x->i->ad_bytes;
    uint64_t count;

    if (x->i->opcode == 0xe3)
        return x->r.rcx & mask_of(ad) ? EMUL_OKAY : branch(x);
    reg_set(x, 1, x->r.rcx - 1, ad);
    count = x->r.rcx & mask_of(ad);
    if (!count || (x->i->opcode != 0xe2 && !(x->r.rflags & EFLAGS_ZF) != !(x->i->opcode & 1)))
        return EMUL_OKAY;
    return branch(x);
}

static int call_to(struct exec *x, uint64_t target)
{
    uint64_t back = x->r.rip;
    int rc = set_rip(x, target);

    return rc == EMUL_OKAY ? push(x, back, x->bytes) : rc;
}

int exec_call(struct exec *x) { return call_to(x, x->r.rip + x->i->imm); }
int exec_call_e(struct exec *x) { return call_to(x, x->src); }

int exec_ret(struct exec *x)
{
    uint64_t target;
    int rc = pop(x, &target, x->bytes);

    if (rc != EMUL_OKAY)
        return rc;
    stack_adjust(x, x->i->imm);
    return set_rip(x, target);
}

/* Delivery through the IDT is the caller's: its hardware does it. */
int exec_int3(struct exec *x) { return raise_software(x, X86_TRAP_BP, EMUL_EVENT_SW_EXCEPTION); }
int exec_int1(struct exec *x) { return raise_software(x, X86_TRAP_DB, EMUL_EVENT_PRIV_SW); }

int exec_into(struct exec *x)
{
    return x->r.rflags & EFLAGS_OF ? raise_software(x, X86_TRAP_OF, EMUL_EVENT_SW_EXCEPTION) : EMUL_OKAY;
}

/* In virtual-8086 mode INT n is sensitive to IOPL; CR4.VME's redirection bitmap is not looked at. */
int exec_int(struct exec *x)
{
    uint64_t cr4;
    int rc;

    if ((x->r.rflags & EFLAGS_VM) && !x->c->lma) {
        rc = read_cr(x, 4, &cr4);
        if (rc != EMUL_OKAY)
            return rc;
        if (cr4 & CR4_VME)
            return EMUL_UNHANDLEABLE;
        if (iopl(x) < 3)
            return raise_gp(x, 0);
    }
    return raise_software(x, x->i->imm, EMUL_EVENT_SW_INT);
}

int exec_bound(struct exec *x)
{
    uint64_t low, high;
    int64_t index = sext(x->src, x->bytes);
    int rc = mem_read(x, x->i->mem_seg, x->mem_off, &low, x->bytes);

    if (rc == EMUL_OKAY)
        rc = mem_read(x, x->i->mem_seg, (x->mem_off + x->bytes) & mask_of(x->i->ad_bytes), &high, x->bytes);
    if (rc != EMUL_OKAY)
        return rc;
    if (index < sext(low, x->bytes) || index > sext(high, x->bytes))
        return emul_raise(x->c, X86_TRAP_BR, EMUL_NO_ERROR_CODE);
    return EMUL_OKAY;
}

int exec_ud(struct exec *x) { return raise_ud(x); }
