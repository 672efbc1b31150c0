/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hypercalls by 32-bit HVM code: which need translation, the buffer it goes through, and the small ones.  Structures of
 * fixed-size members are the same in both layouts and are left to the native handlers.
 */
#include "../cpu/percpu.h"
#include "../lib/string.h"
#include "compat_priv.h"
#include "vcpu.h"
#include <xen/sched.h>

struct xlat_buf {
    uint8_t bytes[COMPAT_XLAT_SIZE] __aligned(16);
};
static DEFINE_PER_CPU_LARGE(struct xlat_buf, xlat_buf);

void *xlat_at(size_t offset) { return this_cpu(xlat_buf).bytes + offset; }

void *compat_xlat(uint64_t gva, size_t n)
{
    uint64_t offset = gva - COMPAT_XLAT_BASE;

    return offset <= COMPAT_XLAT_SIZE && n <= COMPAT_XLAT_SIZE - offset ? xlat_at(offset) : NULL;
}

int compat_pfns_in(size_t offset, uint64_t gva, unsigned n)
{
    uint64_t *to = xlat_at(offset);
    uint32_t pfn;

    for (unsigned i = 0; i < n; i++) {
        if (copy_from_guest(&pfn, guest_elem(gva, uint32_t, i)))
            return -EFAULT;
        to[i] = pfn;
    }
    return 0;
}

int compat_pfns_out(uint64_t gva, size_t offset, unsigned n)
{
    const uint64_t *from = xlat_at(offset);

    for (unsigned i = 0; i < n; i++) {
        uint32_t pfn = (uint32_t)from[i];

        if (copy_to_guest(guest_elem(gva, uint32_t, i), &pfn))
            return -EFAULT;
    }
    return 0;
}

bool compat_take_continuation(unsigned arg, uint64_t *value)
{
    struct vcpu *v = current;

    if (!v->hc.restart)
        return false;
    v->hc.restart = false;
    *value = v->hc.cont_arg[arg];
    return true;
}

/* -- sched_op ----------------------------------------------------------------------------------------------------- */

struct sched_poll_32 {
    handle32_t ports;
    uint32_t nr_ports;
    uint64_t timeout;
};

static long compat_sched_op(uint64_t cmd, uint64_t arg)
{
    struct sched_poll *native = xlat_at(0);
    struct sched_poll_32 c;

    if ((uint32_t)cmd != SCHEDOP_poll)
        return do_sched_op(cmd, arg, 0, 0, 0);
    if (copy_from_guest(&c, arg))
        return -EFAULT;
    native->ports.p = (evtchn_port_t *)(uintptr_t)c.ports;
    native->nr_ports = c.nr_ports;
    native->timeout = c.timeout;
    return do_sched_op(cmd, XLAT_GVA(0), 0, 0, 0);
}

/* -- vcpu_op ------------------------------------------------------------------------------------------------------ */

/* Not padded to a multiple of 8 there. */
struct vcpu_set_singleshot_timer_32 {
    uint64_t timeout_abs_ns;
    uint32_t flags;
} __packed;

static long compat_vcpu_op(uint64_t cmd, uint64_t vcpu, uint64_t arg)
{
    struct vcpu_set_singleshot_timer_32 timer;
    uint32_t gva;

    switch ((uint32_t)cmd) {
    case VCPUOP_register_runstate_memory_area:
    case VCPUOP_register_vcpu_time_memory_area:
        /* A union of a handle and a 64-bit number, of which the guest fills the handle. */
        if (copy_from_guest(&gva, arg))
            return -EFAULT;
        *(uint64_t *)xlat_at(0) = gva;
        return do_vcpu_op(cmd, vcpu, XLAT_GVA(0), 0, 0);
    case VCPUOP_set_singleshot_timer:
        if (copy_from_guest(&timer, arg))
            return -EFAULT;
        memset(xlat_at(0), 0, sizeof(struct vcpu_set_singleshot_timer));
        memcpy(xlat_at(0), &timer, sizeof(timer));
        return do_vcpu_op(cmd, vcpu, XLAT_GVA(0), 0, 0);
    default: return do_vcpu_op(cmd, vcpu, arg, 0, 0);
    }
}

/* -- dispatch ----------------------------------------------------------------------------------------------------- */

long compat_call(unsigned nr, const uint64_t a[5])
{
    switch (nr) {
    case __HYPERVISOR_memory_op: return compat_memory_op(a[0], a[1]);
    case __HYPERVISOR_grant_table_op: return compat_grant_table_op(a[0], a[1], a[2]);
    case __HYPERVISOR_sched_op: return compat_sched_op(a[0], a[1]);
    case __HYPERVISOR_vcpu_op: return compat_vcpu_op(a[0], a[1], a[2]);
    case __HYPERVISOR_set_timer_op: /* a 64-bit number in two registers */
        return do_set_timer_op(a[0] | a[1] << 32, 0, 0, 0, 0);
    case __HYPERVISOR_event_channel_op: /* the same in both layouts, or made to be by these handlers */
    case __HYPERVISOR_xen_version:
    case __HYPERVISOR_hvm_op:
    case __HYPERVISOR_multicall:
    case __HYPERVISOR_vm_assist:
    case __HYPERVISOR_console_io:
    case __HYPERVISOR_physdev_op: return hypercall_call_native(nr, a);
    default: /* tools and device models are 64-bit programs */ return -ENOSYS;
    }
}
