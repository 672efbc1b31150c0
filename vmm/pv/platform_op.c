/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HYPERVISOR_platform_op (public header platform.h): what Dom0 asks of the
 * machine as such.  No state of its own; platform_lock serialises the calls
 * that change the machine.
 */
#include "../boot/boot.h"
#include "../cpu/acpi.h"
#include "../cpu/asm.h"
#include "../cpu/cpu.h"
#include "../cpu/regs.h"
#include "../cpu/time.h"
#include "../domain/hypercall.h"
#include "../lib/string.h"
#include "../sched/sched.h"
#include "dom0.h"
#include <xen/platform.h>

_Static_assert(sizeof(struct xen_platform_op) == 136, "platform.h");

static DEFINE_SPINLOCK(platform_lock);

static long set_time(uint64_t secs, uint32_t nsecs, uint64_t system_time)
{
    if (nsecs >= 1000000000U) {
        return -EINVAL;
    }
    wallclock_set(secs, nsecs, (time_ns_t)system_time);
    wallclock_update_all();
    return 0;
}

/*
 * What a boot loader in real mode or UEFI would have left. A multiboot loader
 * leaves no EDD, EDID or keyboard data: no such entry.
 */
static long firmware_info(const struct xenpf_firmware_info *info)
{
    switch (info->type) {
    case XEN_FW_DISK_INFO:
    case XEN_FW_DISK_MBR_SIGNATURE:
    case XEN_FW_VBEDDC_INFO:
    case XEN_FW_EFI_INFO: return -ESRCH;
    case XEN_FW_KBD_SHIFT_FLAGS: return info->index ? -ESRCH : -EOPNOTSUPP;
    default: return -EINVAL;
    }
}

static long enter_sleep(const struct xenpf_enter_acpi_sleep *s)
{
    /* Extended sleep registers belong to hardware-reduced ACPI. */
    if (s->flags) {
        return s->flags & ~XENPF_ACPI_SLEEP_EXTENDED ? -EINVAL : -EOPNOTSUPP;
    }
    if (s->sleep_state < 1 || s->sleep_state > 5) {
        return -EINVAL;
    }
    if (s->sleep_state != 5) {
        return -EOPNOTSUPP;
    }
    return acpi_enter_sleep((uint8_t)s->sleep_state, s->val_a, s->val_b);
}

static long get_idle_times(struct xenpf_getidletime *op)
{
    uint64_t map_gva = handle_gva(op->cpumap_bitmap), times_gva = handle_gva(op->idletime);
    uint32_t nr = MIN(op->cpumap_nr_cpus, (uint32_t)MAX_CPUS);
    uint8_t map[MAX_CPUS / 8] = {0};

    if (copy_from_guest_bytes(map, map_gva, DIV_ROUND_UP(nr, 8U))) {
        return -EFAULT;
    }
    for (uint32_t cpu = 0; cpu < nr; cpu++) {
        uint64_t idle = 0;

        if (!test_bit(cpu, map)) {
            continue;
        }
        if (cpumask_test(cpu, &cpu_online_map)) {
            idle = cpu_idle_time(cpu);
        } else {
            __clear_bit(cpu, map);
        }
        if (copy_to_guest(guest_elem(times_gva, uint64_t, cpu), &idle)) {
            return -EFAULT;
        }
    }
    op->now = (uint64_t)now();
    return copy_to_guest_bytes(map_gva, map, DIV_ROUND_UP(nr, 8U));
}

static unsigned last_cpu(void) { return nr_cpus_possible ? nr_cpus_possible - 1 : 0; }

static uint32_t acpi_id_of(uint32_t apic_id)
{
    for (unsigned i = 0; i < acpi_info.nr_cpus; i++) {
        if (acpi_info.cpu[i].apic_id == apic_id) {
            return acpi_info.cpu[i].acpi_id;
        }
    }
    return ~0U;
}

static long get_cpu_info_op(struct xenpf_pcpuinfo *info)
{
    uint32_t cpu = info->xen_cpuid;

    info->max_present = last_cpu();
    info->flags = info->apic_id = info->acpi_id = 0;
    if (cpu > last_cpu()) {
        info->flags = XEN_PCPU_FLAGS_INVALID;
        return 0;
    }
    info->apic_id = cpu_apicid[cpu];
    info->acpi_id = acpi_id_of(cpu_apicid[cpu]);
    if (cpumask_test(cpu, &cpu_online_map)) {
        info->flags = XEN_PCPU_FLAGS_ONLINE;
    }
    return 0;
}

static long get_cpu_version(struct xenpf_pcpu_version *ver)
{
    ver->max_present = last_cpu();
    memset(ver->vendor_id, 0, sizeof(ver->vendor_id));
    ver->family = ver->model = ver->stepping = 0;
    if (ver->xen_cpuid <= last_cpu() && cpumask_test(ver->xen_cpuid, &cpu_online_map)) {
        memcpy(ver->vendor_id, cpu_features.vendor_id, sizeof(ver->vendor_id));
        ver->family = cpu_features.family;
        ver->model = cpu_features.model;
        ver->stepping = cpu_features.stepping;
    }
    return 0;
}

/* -- resource_op: a few MSR reads on a given CPU, in order ---------------------------------------------------- */

#define RESOURCE_ENTRIES_MAX 2
struct resource_batch {
    unsigned nr, done;
    struct xenpf_resource_entry e[RESOURCE_ENTRIES_MAX];
};

static void resource_run(void *arg)
{
    struct resource_batch *b = arg;
    unsigned long flags = local_irq_save();

    for (b->done = 0; b->done < b->nr; b->done++) {
        struct xenpf_resource_entry *e = &b->e[b->done];

        if (e->u.cmd == XEN_RESOURCE_OP_MSR_READ && e->idx == MSR_IA32_TSC) {
            e->val = (uint64_t)now();
            continue;
        }
        /* Cache monitoring, the one use the ABI has for writes, is not supported: no MSR is on the list. */
        e->u.ret = e->u.cmd > XEN_RESOURCE_OP_MSR_WRITE ? -EOPNOTSUPP : -EACCES;
        break;
    }
    local_irq_restore(flags);
}

static long resource_op(const struct xenpf_resource_op *op)
{
    struct resource_batch b = {.nr = op->nr_entries};
    uint64_t gva = handle_gva(op->entries);
    cpumask_t mask = {{0}};

    if (!b.nr || op->cpu >= MAX_CPUS || !cpumask_test(op->cpu, &cpu_online_map)) {
        return b.nr ? -ENODEV : 0;
    }
    if (b.nr > RESOURCE_ENTRIES_MAX) {
        return -EINVAL;
    }
    if (copy_from_guest_bytes(b.e, gva, b.nr * sizeof(b.e[0]))) {
        return -EFAULT;
    }
    for (unsigned i = 0; i < b.nr; i++) {
        if (b.e[i].rsvd || b.e[i].idx >> 32) {
            return -EINVAL;
        }
    }
    cpumask_set(op->cpu, &mask);
    on_cpus(&mask, resource_run, &b, true);
    if (copy_to_guest_bytes(gva, b.e, b.nr * sizeof(b.e[0]))) {
        return -EFAULT;
    }
    return b.done;
}

static long platform_dispatch(struct xen_platform_op *op, bool *copyback)
{
    switch (op->cmd) {
    case XENPF_settime32: return set_time(op->u.settime32.secs, op->u.settime32.nsecs, op->u.settime32.system_time);
    case XENPF_settime64:
        if (op->u.settime64.mbz) {
            return -EINVAL;
        }
        return set_time(op->u.settime64.secs, op->u.settime64.nsecs, op->u.settime64.system_time);
    case XENPF_firmware_info: return firmware_info(&op->u.firmware_info);
    case XENPF_enter_acpi_sleep: return enter_sleep(&op->u.enter_acpi_sleep);
    case XENPF_getidletime: *copyback = true; return get_idle_times(&op->u.getidletime);
    case XENPF_get_cpuinfo: *copyback = true; return get_cpu_info_op(&op->u.pcpu_info);
    case XENPF_get_cpu_version: *copyback = true; return get_cpu_version(&op->u.pcpu_version);
    case XENPF_resource_op: return resource_op(&op->u.resource_op);
    case XENPF_cpu_online:
    case XENPF_cpu_offline:
    case XENPF_cpu_hotadd:
    case XENPF_mem_hotadd:
    case XENPF_core_parking:
    case XENPF_microcode_update:
    case XENPF_add_memtype:
    case XENPF_del_memtype:
    case XENPF_read_memtype: return -EOPNOTSUPP;
    case XENPF_platform_quirk:
    case XENPF_change_freq:
    case XENPF_set_processor_pminfo: /* no C- or P-states are managed: Dom0's driver gives up at the first refusal */
    case XENPF_efi_runtime_call:
    case XENPF_get_symbol:
    default: return -ENOSYS;
    }
}

long do_platform_op(uint64_t arg, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct xen_platform_op op;
    bool copyback = false;
    long ret;

    if (!current->domain->is_hardware) {
        return -EPERM;
    }
    if (copy_from_guest(&op, arg)) {
        return -EFAULT;
    }
    if (op.interface_version != XENPF_INTERFACE_VERSION) {
        return -EACCES;
    }
    spin_lock(&platform_lock);
    ret = platform_dispatch(&op, &copyback);
    spin_unlock(&platform_lock);
    if (ret >= 0 && copyback && copy_to_guest(arg, &op)) {
        return -EFAULT;
    }
    return ret;
}
