/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hypercalls: the tables, dispatch, continuations, and guest memory.  A call that is continued leaves its new arguments
 * in current->hc, from where the dispatcher (or a multicall) puts them where the guest's own were.
 */
#include "hypercall.h"

#include "../cpu/percpu.h"
#include "../lib/string.h"
#include "../sched/softirq.h"
#include "compat.h"
#include "evtchn.h"

#define NR_HYPERCALLS 64

#define COMMON_HYPERCALLS                                                                                              \
    [__HYPERVISOR_memory_op] = do_memory_op, [__HYPERVISOR_grant_table_op] = do_grant_table_op,                        \
    [__HYPERVISOR_event_channel_op] = do_event_channel_op, [__HYPERVISOR_sched_op] = do_sched_op,                      \
    [__HYPERVISOR_vcpu_op] = do_vcpu_op, [__HYPERVISOR_set_timer_op] = do_set_timer_op,                                \
    [__HYPERVISOR_xen_version] = do_xen_version, [__HYPERVISOR_console_io] = do_console_io,                            \
    [__HYPERVISOR_physdev_op] = do_physdev_op, [__HYPERVISOR_platform_op] = do_platform_op,                            \
    [__HYPERVISOR_multicall] = do_multicall, [__HYPERVISOR_domctl] = do_domctl, [__HYPERVISOR_sysctl] = do_sysctl,     \
    [__HYPERVISOR_vm_assist] = do_vm_assist, [__HYPERVISOR_hvm_op] = do_hvm_op, [__HYPERVISOR_dm_op] = do_dm_op,       \
    [__HYPERVISOR_xsm_op] = do_xsm_op, [__HYPERVISOR_hypfs_op] = do_hypfs_op

static __read_mostly hypercall_fn pv_table[NR_HYPERCALLS] = {COMMON_HYPERCALLS};
static __read_mostly hypercall_fn hvm_table[NR_HYPERCALLS] = {COMMON_HYPERCALLS};

DEFINE_PER_CPU(uint64_t[NR_HYPERCALLS], hypercall_count); /* calls by number, for the debug key and `xm` */

void hypercall_register_pv(unsigned nr, hypercall_fn fn) { pv_table[nr] = fn; }

void hypercall_register_hvm(unsigned nr, hypercall_fn fn) { hvm_table[nr] = fn; }

long do_xsm_op(uint64_t arg, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5) { return -ENOSYS; }

long do_hypfs_op(uint64_t cmd, uint64_t a, uint64_t b, uint64_t c, uint64_t d) { return -ENOSYS; }

/* -- dispatch ----------------------------------------------------------------------------------------------------- */

__hot_entry long hypercall_call_native(unsigned nr, const uint64_t a[5])
{
    hypercall_fn fn = NULL;

    if (nr < NR_HYPERCALLS) {
        fn = current->ops == &pv_guest_ops ? pv_table[nr] : hvm_table[nr];
        this_cpu(hypercall_count)[nr]++;
    }
    return fn ? fn(a[0], a[1], a[2], a[3], a[4]) : -ENOSYS;
}

static __hot_entry long hypercall_call(unsigned nr, const uint64_t a[5])
{
    return current->hc.compat ? compat_call(nr, a) : hypercall_call_native(nr, a);
}

bool hypercall_is_compat(void) { return current->hc.compat; }

static void args_load(const struct cpu_user_regs *r, bool is_64bit, uint64_t a[5])
{
    a[0] = is_64bit ? r->rdi : r->ebx;
    a[1] = is_64bit ? r->rsi : r->ecx;
    a[2] = is_64bit ? r->rdx : r->edx;
    a[3] = is_64bit ? r->r10 : r->esi;
    a[4] = is_64bit ? r->r8 : r->edi;
}

static void args_store(struct cpu_user_regs *r, bool is_64bit, const uint64_t *a, unsigned n)
{
    uint64_t *const reg64[] = {&r->rdi, &r->rsi, &r->rdx, &r->r10, &r->r8};
    uint64_t *const reg32[] = {&r->rbx, &r->rcx, &r->rdx, &r->rsi, &r->rdi};

    for (unsigned i = 0; i < n; i++)
        *(is_64bit ? reg64 : reg32)[i] = is_64bit ? a[i] : (uint32_t)a[i];
}

__hot_entry bool hypercall_dispatch(struct cpu_user_regs *regs, bool is_64bit)
{
    struct vcpu *v = current;
    unsigned nr = regs->eax;
    uint64_t a[5];
    long result;

    if (unlikely(v->runstate_due))
        vcpu_runstate_publish(v); /* a guest that calls is in its kernel */
    args_load(regs, is_64bit, a);
    v->hc.restart = false;
    v->hc.compat = !is_64bit;
    result = hypercall_call(nr, a);
    v->hc.compat = false;
    if (v->hc.restart) {
        v->hc.restart = false;
        regs->rax = v->hc.cont_nr;
        args_store(regs, is_64bit, v->hc.cont_arg, v->hc.cont_nargs);
        return true;
    }
    regs->rax = is_64bit ? (uint64_t)result : (uint32_t)result;
    return false;
}

__hot bool hypercall_preempt_check(void)
{
    struct vcpu *v = current;

    return softirq_is_pending() || (!v->is_idle && is_pv_domain(v->domain) && vcpu_event_deliverable(v));
}

long hypercall_continue(unsigned nr, unsigned nargs, ...)
{
    struct vcpu *v = current;
    va_list args;

    va_start(args, nargs);
    v->hc.restart = true;
    v->hc.cont_nr = nr;
    v->hc.cont_nargs = (uint8_t)nargs;
    for (unsigned i = 0; i < nargs && i < ARRAY_SIZE(v->hc.cont_arg); i++)
        v->hc.cont_arg[i] = va_arg(args, uint64_t);
    va_end(args);
    return 0;
}

/* -- multicalls --------------------------------------------------------------------------------------------------- */

struct multicall_entry_32 {
    uint32_t op, result, args[6];
};

static __hot int mc_read(uint64_t gva, struct multicall_entry *e)
{
    struct multicall_entry_32 c;

    if (!hypercall_is_compat())
        return copy_from_guest(e, gva);
    if (copy_from_guest(&c, gva))
        return -EFAULT;
    e->op = c.op;
    for (unsigned i = 0; i < 6; i++)
        e->args[i] = c.args[i];
    return 0;
}

static __hot int mc_write_result(uint64_t gva, long result)
{
    uint32_t result32 = (uint32_t)result;

    if (hypercall_is_compat())
        return copy_to_guest(gva + offsetof(struct multicall_entry_32, result), &result32);
    return copy_to_guest(gva + offsetof(struct multicall_entry, result), &result);
}

/* The entry is to be executed again with the arguments of its continuation. */
static int mc_write_continuation(uint64_t gva, struct vcpu *v)
{
    struct multicall_entry_32 c;
    struct multicall_entry e;

    if (!hypercall_is_compat()) {
        if (copy_from_guest(&e, gva))
            return -EFAULT;
        e.op = v->hc.cont_nr;
        for (unsigned i = 0; i < v->hc.cont_nargs; i++)
            e.args[i] = v->hc.cont_arg[i];
        return copy_to_guest(gva, &e);
    }
    if (copy_from_guest(&c, gva))
        return -EFAULT;
    c.op = v->hc.cont_nr;
    for (unsigned i = 0; i < v->hc.cont_nargs; i++)
        c.args[i] = (uint32_t)v->hc.cont_arg[i];
    return copy_to_guest(gva, &c);
}

/* One entry. 1: it is to be continued. */
static __hot int mc_execute(struct vcpu *v, uint64_t gva)
{
    struct multicall_entry e;
    uint64_t a[5];
    long result;

    if (mc_read(gva, &e))
        return -EFAULT;
    for (unsigned i = 0; i < 5; i++)
        a[i] = e.args[i];
    v->hc.in_multicall = true;
    result = hypercall_call((unsigned)e.op, a);
    v->hc.in_multicall = false;
    if (!v->hc.restart)
        return mc_write_result(gva, result);
    v->hc.restart = false;
    return mc_write_continuation(gva, v) ? -EFAULT : 1;
}

__hot long do_multicall(uint64_t list, uint64_t n, uint64_t a3, uint64_t a4, uint64_t a5)
{
    size_t size = hypercall_is_compat() ? sizeof(struct multicall_entry_32) : sizeof(struct multicall_entry);
    struct vcpu *v = current;

    if (v->hc.in_multicall)
        return -EINVAL;
    n = (uint32_t)n;
    for (uint64_t i = 0; i < n; i++) {
        int ret;

        if (i && hypercall_preempt_check())
            return hypercall_continue(__HYPERVISOR_multicall, 2, list + i * size, n - i);
        ret = mc_execute(v, list + i * size);
        if (ret < 0)
            return ret;
        if (ret)
            return hypercall_continue(__HYPERVISOR_multicall, 2, list + i * size, n - i);
    }
    return 0;
}

/* -- guest memory ------------------------------------------------------------------------------------------------- */

__hot_entry int copy_from_guest_bytes(void *dst, uint64_t gva, size_t n)
{
    struct vcpu *v = current;
    const void *src;

    if (unlikely(v->hc.compat) && compat_is_xlat(gva)) {
        src = compat_xlat(gva, n);
        if (!src)
            return -EFAULT;
        memcpy(dst, src, n);
        return 0;
    }
    return v->ops->copy_from && gva + n >= gva ? v->ops->copy_from(dst, gva, n) : -EFAULT;
}

__hot_entry int copy_to_guest_bytes(uint64_t gva, const void *src, size_t n)
{
    struct vcpu *v = current;
    void *dst;

    if (unlikely(v->hc.compat) && compat_is_xlat(gva)) {
        dst = compat_xlat(gva, n);
        if (!dst)
            return -EFAULT;
        memcpy(dst, src, n);
        return 0;
    }
    return v->ops->copy_to && gva + n >= gva ? v->ops->copy_to(gva, src, n) : -EFAULT;
}

int clear_guest_bytes(uint64_t gva, size_t n)
{
    static const uint8_t zeros[256];

    while (n) {
        size_t part = MIN(n, sizeof(zeros));

        if (copy_to_guest_bytes(gva, zeros, part))
            return -EFAULT;
        gva += part;
        n -= part;
    }
    return 0;
}

int copy_string_from_guest(char *dst, uint64_t gva, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (copy_from_guest_bytes(&dst[i], gva + i, 1))
            return -EFAULT;
        if (!dst[i])
            return 0;
    }
    return -ENOBUFS;
}
