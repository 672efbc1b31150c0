/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debug registers of PV vCPUs.  vcpu.dr[] holds them; they are in the CPU only
 * while DR7 enables a breakpoint.  A guest may not put one on the hypervisor's addresses.
 * AMD APM 2, 13.1; Intel SDM 3B, 17.2.
 */
#include "../cpu/asm.h"
#include "../cpu/regs.h"
#include "../domain/hypercall.h"
#include "guest.h"

#define DR6_ONES 0xffff0ff0UL
#define DR6_ZEROS 0x1000UL
#define DR7_ONES 0x400UL
#define DR7_ZEROS 0xd800UL /* includes GD: no access may trap in the hypervisor */
#define DR7_ACTIVE 0xffUL
#define DR7_RW(dr7, n) ((dr7) >> (16 + 4 * (n)) & 3)
#define DR7_RW_IO 2

void pv_load_debugregs(const struct vcpu *v)
{
    if (!(v->dr[7] & DR7_ACTIVE)) {
        return;
    }
    INSN("mov %0, %%dr0" ::"r"(v->dr[0]));
    INSN("mov %0, %%dr1" ::"r"(v->dr[1]));
    INSN("mov %0, %%dr2" ::"r"(v->dr[2]));
    INSN("mov %0, %%dr3" ::"r"(v->dr[3]));
    INSN("mov %0, %%dr6" ::"r"(DR6_ONES));
    INSN("mov %0, %%dr7" ::"r"(v->dr[7]));
}

void pv_unload_debugregs(const struct vcpu *v)
{
    if (v->dr[7] & DR7_ACTIVE) {
        INSN("mov %0, %%dr7" ::"r"(DR7_ONES));
    }
}

static int set_dr7(struct vcpu *v, uint64_t value)
{
    if (value >> 32) {
        return -EINVAL;
    }
    value = (value & ~DR7_ZEROS) | DR7_ONES;
    for (unsigned n = 0; n < 4; n++) {
        if ((value >> (2 * n) & 3) && DR7_RW(value, n) == DR7_RW_IO) {
            return -EPERM; /* breakpoints on I/O ports: the guest's port accesses are emulated */
        }
    }
    if (v == current) {
        pv_unload_debugregs(v);
    }
    v->dr[7] = value & DR7_ACTIVE ? value : 0;
    if (v == current) {
        pv_load_debugregs(v);
    }
    return 0;
}

int pv_set_debugreg(struct vcpu *v, unsigned reg, uint64_t value)
{
    switch (reg) {
    case 0 ... 3:
        if (!is_guest_va(value)) {
            return -EPERM;
        }
        v->dr[reg] = value;
        if (v == current) {
            pv_load_debugregs(v);
        }
        return 0;
    case 4:
    case 6:
        if (value >> 32) {
            return -EINVAL;
        }
        v->dr[6] = (value & ~DR6_ZEROS) | DR6_ONES;
        return 0;
    case 5:
    case 7: return set_dr7(v, value);
    default: return -ENODEV;
    }
}

int pv_get_debugreg(const struct vcpu *v, unsigned reg, uint64_t *value)
{
    switch (reg) {
    case 0 ... 3: *value = v->dr[reg]; return 0;
    case 4:
    case 6: *value = v->dr[6] | DR6_ONES; return 0;
    case 5:
    case 7: *value = v->dr[7] | DR7_ONES; return 0;
    default: return -ENODEV;
    }
}

static long do_set_debugreg(uint64_t reg, uint64_t value, uint64_t a3, uint64_t a4, uint64_t a5)
{
    return reg > 7 ? -EINVAL : pv_set_debugreg(current, (unsigned)reg, value);
}

static long do_get_debugreg(uint64_t reg, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    uint64_t value;

    if (reg > 7 || pv_get_debugreg(current, (unsigned)reg, &value)) {
        return -EINVAL;
    }
    return (long)value;
}

void pv_register_debugreg(void)
{
    hypercall_register_pv(__HYPERVISOR_set_debugreg, do_set_debugreg);
    hypercall_register_pv(__HYPERVISOR_get_debugreg, do_get_debugreg);
}
