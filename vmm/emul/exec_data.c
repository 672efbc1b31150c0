/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moves, exchanges, conversions, the stack, and instructions on single flags. */
#include "exec.h"

/* MOV, MOVZX, MOVNTI: the operands do it all. */
__hot int exec_mov(struct exec *x)
{
    x->dst = x->src;
    return EMUL_OKAY;
}

int exec_movsx(struct exec *x)
{
    x->dst = sext(x->src, operand_e_bytes(x));
    return EMUL_OKAY;
}

int exec_movsxd(struct exec *x)
{
    x->dst = sext(x->src, 4);
    return EMUL_OKAY;
}

__hot int exec_xchg(struct exec *x)
{
    reg_set(x, x->i->reg, x->dst, x->bytes);
    x->dst = x->src;
    return EMUL_OKAY;
}

/* 90 without REX.B is NOP (with F3, PAUSE), not an exchange that would clear the upper half of RAX. */
int exec_xchg_a(struct exec *x)
{
    if (x->i->opcode == 0x90 && !(x->i->rex & 1)) {
        x->no_write = true;
        return EMUL_OKAY;
    }
    reg_set(x, 0, x->dst, x->bytes);
    x->dst = x->src;
    return EMUL_OKAY;
}

int exec_lea(struct exec *x)
{
    x->dst = x->mem_off;
    return EMUL_OKAY;
}

int exec_nop(struct exec *x) { return EMUL_OKAY; }
int exec_push(struct exec *x) { return push(x, x->src, x->bytes); }
int exec_pop(struct exec *x) { return pop(x, &x->dst, x->bytes); }

/* An address that uses rSP sees it as it is after the pop (APM 3, "POP"). */
int exec_pop_e(struct exec *x)
{
    int rc = pop(x, &x->dst, x->bytes);

    if (rc == EMUL_OKAY && x->i->mem && (x->i->modrm & 7) == 4 && x->i->ad_bytes != 2) {
        unsigned pos = x->i->len - 1, mod = x->i->modrm >> 6;

        pos -= mod == 0 ? 0 : mod == 1 ? 1 : 4; /* SIB is the byte before the displacement */
        if ((x->c->bytes[pos] & 7) == 4 && !(x->i->rex & 1))
            x->mem_off = (x->mem_off + x->bytes) & mask_of(x->i->ad_bytes);
    }
    return rc;
}

int exec_pusha(struct exec *x)
{
    uint64_t sp = x->r.rsp;
    unsigned n;
    int rc = EMUL_OKAY;

    for (n = 0; n < 8 && rc == EMUL_OKAY; n++)
        rc = push(x, n == 4 ? sp & mask_of(x->bytes) : reg_get(x, n, x->bytes), x->bytes);
    return rc;
}

int exec_popa(struct exec *x)
{
    uint64_t value;
    int n, rc;

    for (n = 7; n >= 0; n--) {
        rc = pop(x, &value, x->bytes);
        if (rc != EMUL_OKAY)
            return rc;
        if (n != 4)
            reg_set(x, n, value, x->bytes);
    }
    return EMUL_OKAY;
}

int exec_cbw(struct exec *x)
{
    reg_set(x, 0, sext(x->r.rax, x->bytes / 2), x->bytes);
    return EMUL_OKAY;
}

int exec_cwd(struct exec *x)
{
    reg_set(x, 2, sext(x->r.rax, x->bytes) < 0 ? ~0ULL : 0, x->bytes);
    return EMUL_OKAY;
}

int exec_xlat(struct exec *x)
{
    uint64_t off = (x->r.rbx + (x->r.rax & 0xff)) & mask_of(x->i->ad_bytes), value;
    int rc = mem_read(x, x->i->seg == EMUL_SEG_NONE ? EMUL_SEG_DS : x->i->seg, off, &value, 1);

    if (rc == EMUL_OKAY)
        reg_set(x, 0, value, 1);
    return rc;
}

int exec_salc(struct exec *x)
{
    reg_set(x, 0, x->r.rflags & EFLAGS_CF ? 0xff : 0, 1);
    return EMUL_OKAY;
}

#define AH_FLAGS (EFLAGS_CF | EFLAGS_PF | EFLAGS_AF | EFLAGS_ZF | EFLAGS_SF)
int exec_lahf(struct exec *x)
{
    uint64_t ah = (x->r.rflags & AH_FLAGS) | EFLAGS_MBS;

    x->r.rax = (x->r.rax & ~0xff00ULL) | ah << 8;
    return EMUL_OKAY;
}

int exec_sahf(struct exec *x)
{
    set_flags(x, AH_FLAGS, x->r.rax >> 8);
    return EMUL_OKAY;
}

/* CMC, CLC, STC */
int exec_carry(struct exec *x)
{
    set_flags(x, EFLAGS_CF, x->i->opcode == 0xf5 ? ~x->r.rflags : x->i->opcode & 1);
    return EMUL_OKAY;
}

/* CLD, STD */
int exec_direction(struct exec *x)
{
    set_flags(x, EFLAGS_DF, x->i->opcode & 1 ? EFLAGS_DF : 0);
    return EMUL_OKAY;
}

/* Level 0 is what compilers use; others copy the frame pointers of enclosing procedures. */
int exec_enter(struct exec *x)
{
    unsigned level = x->i->imm2 & 31, n, sp_bytes = x->c->sp_size / 8;
    uint64_t frame, link;
    int rc = push(x, reg_get(x, 5, x->bytes), x->bytes);

    if (rc != EMUL_OKAY)
        return rc;
    frame = x->r.rsp;
    for (n = 1; n < level; n++) {
        rc = mem_read(x, EMUL_SEG_SS, (x->r.rbp - n * x->bytes) & mask_of(sp_bytes), &link, x->bytes);
        if (rc == EMUL_OKAY)
            rc = push(x, link, x->bytes);
        if (rc != EMUL_OKAY)
            return rc;
    }
    if (level) {
        rc = push(x, frame & mask_of(x->bytes), x->bytes);
        if (rc != EMUL_OKAY)
            return rc;
    }
    reg_set(x, 5, frame, x->bytes);
    stack_adjust(x, -x->i->imm);
    return EMUL_OKAY;
}

int exec_leave(struct exec *x)
{
    uint64_t m = mask_of(x->c->sp_size / 8), value;
    int rc;

    x->r.rsp = (x->r.rsp & ~m) | (x->r.rbp & m);
    rc = pop(x, &value, x->bytes);
    if (rc == EMUL_OKAY)
        reg_set(x, 5, value, x->bytes);
    return rc;
}

uint64_t writable_flags(const struct exec *x, unsigned bytes)
{
    uint64_t flags = ARITH_FLAGS | EFLAGS_TF | EFLAGS_DF | EFLAGS_NT;

    if (bytes > 2)
        flags |= EFLAGS_AC | EFLAGS_ID | EFLAGS_RF;
    if (x->c->cpl == 0)
        flags |= EFLAGS_IOPL;
    if (x->c->cpl <= iopl(x))
        flags |= EFLAGS_IF;
    return flags;
}

/* Virtual-8086 mode below IOPL 3: #GP, or with CR4.VME (16 bits only) the virtual interrupt flag. */
static int check_vm86_flags(struct exec *x, bool *virtual_if)
{
    uint64_t cr4;
    int rc;

    *virtual_if = false;
    if (!(x->r.rflags & EFLAGS_VM) || iopl(x) == 3)
        return EMUL_OKAY;
    rc = read_cr(x, 4, &cr4);
    if (rc != EMUL_OKAY)
        return rc;
    if (!(cr4 & CR4_VME) || x->bytes != 2)
        return raise_gp(x, 0);
    *virtual_if = true;
    return EMUL_OKAY;
}

int exec_pushf(struct exec *x)
{
    uint64_t flags = x->r.rflags & ~(uint64_t)(EFLAGS_VM | EFLAGS_RF);
    bool virtual_if;
    int rc = check_vm86_flags(x, &virtual_if);

    if (rc != EMUL_OKAY)
        return rc;
    if (virtual_if) {
        flags |= EFLAGS_IOPL;
        flags = (flags & ~(uint64_t)EFLAGS_IF) | (flags & EFLAGS_VIF ? EFLAGS_IF : 0);
    }
    return push(x, flags, x->bytes);
}

int exec_popf(struct exec *x)
{
    uint64_t flags, writable = writable_flags(x, x->bytes) & ~(uint64_t)EFLAGS_RF;
    bool virtual_if;
    int rc = check_vm86_flags(x, &virtual_if);

    if (rc == EMUL_OKAY)
        rc = pop(x, &flags, x->bytes);
    if (rc != EMUL_OKAY)
        return rc;
    if (virtual_if) {
        if ((flags & EFLAGS_TF) || ((flags & EFLAGS_IF) && (x->r.rflags & EFLAGS_VIP)))
            return raise_gp(x, 0);
        set_flags(x, EFLAGS_VIF, flags & EFLAGS_IF ? EFLAGS_VIF : 0);
        writable &= ~(uint64_t)EFLAGS_IF;
    }
    set_flags(x, writable, flags);
    return EMUL_OKAY;
}
