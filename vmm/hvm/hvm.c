/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HVM as a whole: choosing a backend, the lives of HVM domains, their time, and the table of guest operations. */
#include "../boot/console.h"
#include "../cpu/asm.h"
#include "../cpu/cpu.h"
#include "../cpu/time.h"
#include "../domain/memory.h"
#include "../lib/printk.h"
#include "../lib/string.h"
#include "../mm/alloc.h"
#include "../domain/dom0.h"
#include "../sched/sched.h"
#include "devices.h"
#include "hvm_guest.h"
#include "ioreq.h"
#include "p2m.h"

const struct hvm_backend *hvm_backend;

/* -- start --------------------------------------------------------------------------------------------------------- */
static int cpus_failed;

static void enable_cpu(void *unused)
{
    if (hvm_backend->cpu_enable())
        __atomic_fetch_add(&cpus_failed, 1, __ATOMIC_SEQ_CST);
}

static void disable_cpu(void *unused) { hvm_backend->cpu_disable(); }

bool hvm_available(void) { return hvm_backend; }

static unsigned resource_frames(struct domain *d) { return 2; } /* buffered and synchronous */

void hvm_init(void)
{
    hvm_backend = cpu_features.vendor == VENDOR_INTEL ? vmx_probe() : svm_probe();
    if (!hvm_backend)
        return;
    on_cpus(&cpu_online_map, enable_cpu, NULL, true);
    if (cpus_failed) {
        printk(LOG_ERR "HVM: %s could not be enabled on %d CPUs: no HVM guests\n", hvm_backend->name, cpus_failed);
        on_cpus(&cpu_online_map, disable_cpu, NULL, true);
        hvm_backend = NULL;
        return;
    }
    printk(LOG_INFO "HVM: %s with nested paging%s%s\n", hvm_backend->name, hvm_backend->npt_2m ? ", 2M" : "",
           hvm_backend->npt_1g ? ", 1G pages" : " pages");
    keyhandler_register('x', "count the VM exits of each HVM vCPU by reason", hvm_show_exits);
    hvm_caps = hvm_available;
    acquire_ioreq_resource = ioreq_acquire_resource;
    ioreq_resource_frames = resource_frames;
    hvm_dom0_construct = pvh_dom0_construct;
}

/* -- domains ------------------------------------------------------------------------------------------------------- */
static bool emulation_is_pvh(uint32_t flags)
{
    return !(flags & ~(uint32_t)(XEN_X86_EMU_LAPIC | XEN_X86_EMU_IOAPIC | XEN_X86_EMU_VPCI));
}

static int hvm_domain_init(struct domain *d, const struct xen_domctl_createdomain *cfg)
{
    struct hvm_domain *h;
    int rc;

    if (!hvm_backend || !(cfg->arch.emulation_flags & XEN_X86_EMU_LAPIC))
        return -EINVAL;
    if (cfg->flags & (XEN_DOMCTL_CDF_nested_virt | XEN_DOMCTL_CDF_vpmu))
        return -EOPNOTSUPP;
    h = xzalloc(struct hvm_domain);
    if (!h)
        return -ENOMEM;
    d->hvm = h;
    h->emulation_flags = cfg->arch.emulation_flags;
    h->is_pvh = emulation_is_pvh(h->emulation_flags);
    h->params[HVM_PARAM_TRIPLE_FAULT_REASON] = SHUTDOWN_reboot;
    h->params[HVM_PARAM_X87_FIP_WIDTH] = 8;
    h->tsc_base = rdtsc();
    spin_lock_init(&h->ioreq_lock, LOCK_UNORDERED);
    rc = p2m_create(d);
    if (!rc && hvm_backend->domain_init)
        rc = hvm_backend->domain_init(d);
    if (!rc)
        rc = hvm_io_init(d);
    if (!rc) {
        h->devices_up = true;
        rc = hvm_devices_init(d);
    }
    return rc; /* the caller frees what there is by domain_free */
}

/* The devices' timers stop; they themselves stay for tools and device models that still have a reference to d. */
static int hvm_domain_relinquish(struct domain *d)
{
    ioreq_servers_destroy_all(d);
    vticks_kill(d);
    return p2m_teardown(d);
}

static void hvm_domain_free(struct domain *d)
{
    if (hvm_dom(d)->devices_up)
        hvm_devices_free(d);
    p2m_free(d);
    vlapic_domain_free(d);
    if (hvm_backend->domain_free)
        hvm_backend->domain_free(d);
    xfree(d->hvm);
    d->hvm = NULL;
}

/* -- time ---------------------------------------------------------------------------------------------------------- */
time_ns_t hvm_guest_time(struct vcpu *v) { return now(); }
static uint64_t hvm_guest_tsc_at(struct vcpu *v, uint64_t host_tsc)
{
    return domain_tsc_ticks(v->domain, host_tsc) + v->hvm->tsc_offset;
}

uint64_t hvm_guest_tsc(struct vcpu *v) { return hvm_guest_tsc_at(v, rdtsc()); }

void hvm_set_tsc_offset(struct vcpu *v, uint64_t offset)
{
    v->hvm->tsc_offset = offset;
    v->time_epoch = 0; /* its time info speaks of the guest's TSC */
    hvm_backend->set_tsc_offset(v, offset);
}

void hvm_set_guest_tsc_at(struct vcpu *v, uint64_t tsc, uint64_t host_tsc)
{
    hvm_set_tsc_offset(v, tsc - domain_tsc_ticks(v->domain, host_tsc));
}

void hvm_set_guest_tsc(struct vcpu *v, uint64_t tsc) { hvm_set_guest_tsc_at(v, tsc, rdtsc()); }

/* -- events -------------------------------------------------------------------------------------------------------- */
static void hvm_event_pending(struct vcpu *v)
{
    if (v->domain->hvm->devices_up && v->hvm)
        hvm_update_callback(v);
}

static bool hvm_event_deliverable(struct vcpu *v)
{
    return v->hvm->pending.valid || v->hvm->init_pending || hvm_pending_irq(v).source != INTSRC_NONE;
}

static uint64_t hvm_cr4(const struct vcpu *v) { return v->hvm->cr[4]; }

static void hvm_dump(struct vcpu *v) { hvm_backend->dump(v); }

const struct guest_ops hvm_guest_ops = {
    .name = "HVM",
    .domain_init = hvm_domain_init,
    .domain_relinquish = hvm_domain_relinquish,
    .domain_free = hvm_domain_free,
    .vcpu_init = hvm_vcpu_create,
    .vcpu_free = hvm_vcpu_free,
    .switch_from = hvm_switch_from,
    .switch_to = hvm_switch_to,
    .resume = hvm_resume,
    .set_context = hvm_set_context,
    .get_context = hvm_get_context,
    .set_hvm_context = hvm_set_hvm_context,
    .vcpu_reset = hvm_vcpu_reset,
    .copy_from = hvm_copy_from_guest,
    .copy_to = hvm_copy_to_guest,
    .get_page = hvm_get_page,
    .gfn_to_mfn = hvm_gfn_to_mfn,
    .physmap_add = hvm_physmap_add,
    .physmap_remove = hvm_physmap_remove,
    .physmap_add_foreign = hvm_physmap_add_foreign,
    .map_mmio = hvm_map_mmio,
    .grant_map = hvm_grant_map,
    .grant_unmap = hvm_grant_unmap,
    .event_pending = hvm_event_pending,
    .event_deliverable = hvm_event_deliverable,
    .nmi_pending = vcpu_kick,
    .guest_tsc = hvm_guest_tsc_at,
    .settings_changed = hvm_settings_changed,
    .hypercall_page = hvm_fill_hypercall_page,
    .dump = hvm_dump,
    .show_vcpu = hvm_show_vcpu,
    .mark_dirty = hvm_mark_dirty,
    .cr4 = hvm_cr4,
    .max_gpfn = p2m_max_gfn,
};
