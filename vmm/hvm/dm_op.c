/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hypercall dm_op: what device models ask (public header hvm/dm_op.h). The first buffer holds the operation. */
#include "../cpu/percpu.h"
#include "../cpu/regs.h"
#include "../domain/hypercall.h"
#include "../lib/string.h"
#include "../mm/alloc.h"
#include "../sched/sched.h"
#include "../domain/memory.h"
#include "devices.h"
#include "hvm_state.h"
#include "ioreq.h"
#include "p2m.h"

#define MAX_BUFS 3
#define VRAM_PAGES_MAX (GB(1) >> PAGE_SHIFT)
#define BATCH 256 /* frames between looks at whether someone else wants the CPU */

struct dm_args {
    struct domain *d;
    unsigned nr_bufs;
    struct xen_dm_op_buf buf[MAX_BUFS];
};

static uint64_t buf_gva(const struct dm_args *a, unsigned i) { return handle_gva(a->buf[i].h); }

/* -- memory -------------------------------------------------------------------------------------------------------- */
static int vram_end(struct domain *d)
{
    struct hvm_domain *h = hvm_dom(d);

    if (h->vram.nr)
        p2m_logdirty_end_range(d, GFN(h->vram.first), h->vram.nr);
    h->vram.nr = 0;
    return 0;
}

/* The bits of frames written since the last call; a new range begins with all set. */
static int track_dirty_vram(const struct dm_args *a, const struct xen_dm_op_track_dirty_vram *op)
{
    struct hvm_domain *h = hvm_dom(a->d);
    size_t bytes = (op->nr + 7UL) / 8;
    uint8_t *bitmap;
    int rc;

    if (op->pad || op->nr > VRAM_PAGES_MAX || op->first_pfn + op->nr < op->first_pfn)
        return -EINVAL;
    if (a->nr_bufs < 2)
        return -EINVAL;
    if (!op->nr)
        return vram_end(a->d);
    if (a->buf[1].size < bytes)
        return -EINVAL;
    bitmap = xzalloc_bytes(bytes);
    if (!bitmap)
        return -ENOMEM;
    if (h->vram.first != op->first_pfn || h->vram.nr != op->nr) {
        vram_end(a->d);
        h->vram.first = op->first_pfn;
        h->vram.nr = op->nr;
        rc = p2m_logdirty_range(a->d, GFN(op->first_pfn), op->nr, bitmap);
        memset(bitmap, 0xff, bytes);
    } else {
        rc = p2m_logdirty_range(a->d, GFN(op->first_pfn), op->nr, bitmap);
    }
    if (!rc)
        rc = copy_to_guest_bytes(buf_gva(a, 1), bitmap, bytes);
    xfree(bitmap);
    return rc;
}

static void note_written(struct domain *d, gfn_t gfn)
{
    enum p2m_type t;

    p2m_lookup(d, gfn, &t, NULL);
    if (t == P2M_ram_logdirty)
        p2m_note_write(d, gfn);
    else if (t == P2M_ram_rw)
        p2m_mark_dirty(d, gfn);
}

/*
 * The last extent first: op->nr_extents says how many are left, op->opaque how many frames of the last of them are
 * done; -ERESTART with both updated where it takes long.
 */
static int modified_memory(const struct dm_args *a, struct xen_dm_op_modified_memory *op)
{
    struct xen_dm_op_modified_memory_extent e;
    unsigned n = 0;

    if (a->nr_bufs < 2 || a->buf[1].size / sizeof(e) < op->nr_extents)
        return -EINVAL;
    if (!p2m_logdirty_is_on(a->d) && !hvm_dom(a->d)->vram.nr)
        return 0;
    for (; op->nr_extents; op->nr_extents--, op->opaque = 0) {
        if (copy_from_guest(&e, guest_elem(buf_gva(a, 1), struct xen_dm_op_modified_memory_extent, op->nr_extents - 1)))
            return -EFAULT;
        if (e.pad || e.nr > VRAM_PAGES_MAX || e.first_pfn + e.nr < e.first_pfn)
            return -EINVAL;
        for (; op->opaque < e.nr; op->opaque++) {
            if (++n % BATCH == 0 && hypercall_preempt_check())
                return -ERESTART;
            note_written(a->d, GFN(e.first_pfn + op->opaque));
        }
    }
    return 0;
}

static int set_one_mem_type(struct domain *d, gfn_t gfn, uint16_t mem_type)
{
    static const enum p2m_type types[] = {
        [HVMMEM_ram_rw] = P2M_ram_rw,
        [HVMMEM_ram_ro] = P2M_ram_ro,
        [HVMMEM_mmio_dm] = P2M_mmio_dm,
    };
    enum p2m_type now, to = types[mem_type];
    int rc;

    p2m_lookup(d, gfn, &now, NULL);
    if (now == to || (now == P2M_ram_logdirty && to == P2M_ram_rw))
        return 0;
    if (!((now == P2M_ram_rw || now == P2M_ram_logdirty) && to == P2M_ram_ro) &&
        !(now == P2M_ram_ro && to == P2M_ram_rw) && !(now == P2M_invalid && to == P2M_mmio_dm))
        return -EINVAL;
    rc = p2m_change_type(d, gfn, now, to);
    return rc == -EBUSY ? -ERESTART : rc; /* a write has just been noted */
}

static int set_mem_type(const struct dm_args *a, struct xen_dm_op_set_mem_type *op)
{
    if (op->pad || op->first_pfn + op->nr < op->first_pfn)
        return -EINVAL;
    if (op->mem_type == HVMMEM_ioreq_server)
        return -EOPNOTSUPP;
    if (op->mem_type > HVMMEM_mmio_dm)
        return -EINVAL;
    while (op->nr) {
        int rc = set_one_mem_type(a->d, GFN(op->first_pfn), op->mem_type);

        if (rc)
            return rc;
        op->first_pfn++;
        op->nr--;
        if (op->nr && !(op->nr % BATCH) && hypercall_preempt_check())
            return -ERESTART;
    }
    return 0;
}

/* Frames change their place in the map, as firmware moves RAM out of the MMIO hole. */
static int relocate_memory(const struct dm_args *a, struct xen_dm_op_relocate_memory *op)
{
    if (op->pad)
        return -EINVAL;
    while (op->size) {
        union xen_add_to_physmap_batch_extra extra = {0};
        int rc;

        op->size--;
        rc = add_to_physmap_one(a->d, XENMAPSPACE_gmfn, extra, op->src_gfn + op->size, GFN(op->dst_gfn + op->size));
        if (rc)
            return rc;
        if (op->size && !(op->size % BATCH) && hypercall_preempt_check())
            return -ERESTART;
    }
    return 0;
}

/* RAM is write-back whatever the guest says: ranges pinned so are granted, others have no effect to promise. */
static int pin_cacheattr(const struct xen_dm_op_pin_memory_cacheattr *op)
{
    if (op->pad || op->end < op->start)
        return -EINVAL;
    switch (op->type) {
    case XEN_DMOP_MEM_CACHEATTR_WB:
    case XEN_DMOP_DELETE_MEM_CACHEATTR: return 0;
    case XEN_DMOP_MEM_CACHEATTR_UC:
    case XEN_DMOP_MEM_CACHEATTR_WC:
    case XEN_DMOP_MEM_CACHEATTR_WT:
    case XEN_DMOP_MEM_CACHEATTR_WP:
    case XEN_DMOP_MEM_CACHEATTR_UCM: return -EOPNOTSUPP;
    default: return -EINVAL;
    }
}

/* -- interrupts ---------------------------------------------------------------------------------------------------- */
static int set_intx(struct domain *d, const struct xen_dm_op_set_pci_intx_level *op)
{
    if (op->domain || op->bus || op->device > 31 || op->intx > 3 || op->level > 1)
        return -EINVAL;
    return hvm_pci_intx_set(d, op->device, op->intx, op->level);
}

static int set_isa_irq(struct domain *d, const struct xen_dm_op_set_isa_irq_level *op)
{
    if (op->isa_irq > 15 || op->level > 1)
        return -EINVAL;
    if (op->level)
        hvm_isa_irq_assert(d, op->isa_irq);
    else
        hvm_isa_irq_deassert(d, op->isa_irq);
    return 0;
}

/* For the tools' fuzzing and testing; a vCPU has room for one. */
static int inject_event(struct domain *d, const struct xen_dm_op_inject_event *op)
{
    struct hvm_event e = {
        .valid = true,
        .type = op->type,
        .vector = op->vector,
        .has_error = op->error_code != ~0U,
        .error_code = op->error_code != ~0U ? op->error_code : 0,
        .insn_len = op->insn_len,
        .cr2 = op->cr2,
    };
    struct vcpu *v;
    int rc = 0;

    if (op->pad0 || op->pad1 || op->vcpuid >= d->max_vcpus || !(v = d->vcpu[op->vcpuid]) || v == current)
        return -EINVAL;
    if (!hvm_event_possible(&e, true) || op->insn_len > 15 || (op->type >= XEN_DMOP_EVENT_sw_int && !op->insn_len))
        return -EINVAL;
    vcpu_pause(v);
    if (!(v->hvm->cr[0] & CR0_PE)) { /* in real mode nothing takes an error code */
        e.has_error = false;
        e.error_code = 0;
    }
    if (v->hvm->pending.valid)
        rc = -EBUSY;
    else
        v->hvm->pending = e;
    vcpu_unpause(v);
    if (!rc)
        vcpu_kick(v);
    return rc;
}

/* -- the call ------------------------------------------------------------------------------------------------------ */
#define OP_SIZE(member) sizeof(((struct xen_dm_op *)0)->u.member)
static const struct {
    uint8_t size;
    bool copy_back;
} op_info[] = {
    [XEN_DMOP_create_ioreq_server] = {OP_SIZE(create_ioreq_server), true},
    [XEN_DMOP_get_ioreq_server_info] = {OP_SIZE(get_ioreq_server_info), true},
    [XEN_DMOP_map_io_range_to_ioreq_server] = {OP_SIZE(map_io_range_to_ioreq_server), false},
    [XEN_DMOP_unmap_io_range_from_ioreq_server] = {OP_SIZE(unmap_io_range_from_ioreq_server), false},
    [XEN_DMOP_set_ioreq_server_state] = {OP_SIZE(set_ioreq_server_state), false},
    [XEN_DMOP_destroy_ioreq_server] = {OP_SIZE(destroy_ioreq_server), false},
    [XEN_DMOP_track_dirty_vram] = {OP_SIZE(track_dirty_vram), false},
    [XEN_DMOP_set_pci_intx_level] = {OP_SIZE(set_pci_intx_level), false},
    [XEN_DMOP_set_isa_irq_level] = {OP_SIZE(set_isa_irq_level), false},
    [XEN_DMOP_set_pci_link_route] = {OP_SIZE(set_pci_link_route), false},
    [XEN_DMOP_modified_memory] = {OP_SIZE(modified_memory), true},
    [XEN_DMOP_set_mem_type] = {OP_SIZE(set_mem_type), true},
    [XEN_DMOP_inject_event] = {OP_SIZE(inject_event), false},
    [XEN_DMOP_inject_msi] = {OP_SIZE(inject_msi), false},
    [XEN_DMOP_map_mem_type_to_ioreq_server] = {OP_SIZE(map_mem_type_to_ioreq_server), true},
    [XEN_DMOP_remote_shutdown] = {OP_SIZE(remote_shutdown), false},
    [XEN_DMOP_relocate_memory] = {OP_SIZE(relocate_memory), true},
    [XEN_DMOP_pin_memory_cacheattr] = {OP_SIZE(pin_memory_cacheattr), false},
    [XEN_DMOP_nr_vcpus] = {OP_SIZE(nr_vcpus), true},
};

static int remote_shutdown(struct domain *d, const struct xen_dm_op_remote_shutdown *op)
{
    domain_shutdown(d, op->reason & 0xff); /* what getdomaininfo has room for */
    return 0;
}

static int dm_op_do(const struct dm_args *a, struct xen_dm_op *op)
{
    struct domain *d = a->d;

    switch (op->op) {
    case XEN_DMOP_create_ioreq_server:
        if (op->u.create_ioreq_server.pad[0] || op->u.create_ioreq_server.pad[1] || op->u.create_ioreq_server.pad[2])
            return -EINVAL;
        return ioreq_server_create(d, op->u.create_ioreq_server.handle_bufioreq, &op->u.create_ioreq_server.id);
    case XEN_DMOP_get_ioreq_server_info: return ioreq_server_get_info(d, &op->u.get_ioreq_server_info);
    case XEN_DMOP_map_io_range_to_ioreq_server:
        return op->u.map_io_range_to_ioreq_server.pad
                   ? -EINVAL
                   : ioreq_server_range(d, &op->u.map_io_range_to_ioreq_server, true);
    case XEN_DMOP_unmap_io_range_from_ioreq_server:
        return op->u.unmap_io_range_from_ioreq_server.pad
                   ? -EINVAL
                   : ioreq_server_range(d, &op->u.unmap_io_range_from_ioreq_server, false);
    case XEN_DMOP_set_ioreq_server_state:
        return ioreq_server_set_state(d, op->u.set_ioreq_server_state.id, op->u.set_ioreq_server_state.enabled);
    case XEN_DMOP_destroy_ioreq_server: return ioreq_server_destroy(d, op->u.destroy_ioreq_server.id);
    case XEN_DMOP_track_dirty_vram: return track_dirty_vram(a, &op->u.track_dirty_vram);
    case XEN_DMOP_set_pci_intx_level: return set_intx(d, &op->u.set_pci_intx_level);
    case XEN_DMOP_set_isa_irq_level: return set_isa_irq(d, &op->u.set_isa_irq_level);
    case XEN_DMOP_set_pci_link_route:
        return hvm_pci_link_route(d, op->u.set_pci_link_route.link, op->u.set_pci_link_route.isa_irq);
    case XEN_DMOP_modified_memory: return modified_memory(a, &op->u.modified_memory);
    case XEN_DMOP_set_mem_type: return set_mem_type(a, &op->u.set_mem_type);
    case XEN_DMOP_inject_event: return inject_event(d, &op->u.inject_event);
    case XEN_DMOP_inject_msi:
        return op->u.inject_msi.pad ? -EINVAL : hvm_inject_msi(d, op->u.inject_msi.addr, op->u.inject_msi.data);
    case XEN_DMOP_remote_shutdown: return remote_shutdown(d, &op->u.remote_shutdown);
    case XEN_DMOP_relocate_memory: return relocate_memory(a, &op->u.relocate_memory);
    case XEN_DMOP_pin_memory_cacheattr: return pin_cacheattr(&op->u.pin_memory_cacheattr);
    case XEN_DMOP_nr_vcpus: op->u.nr_vcpus.vcpus = d->max_vcpus; return 0;
    default: return -EOPNOTSUPP;
    }
}

static int dm_op_run(struct dm_args *a)
{
    struct xen_dm_op op = {0};
    size_t size;
    int rc;

    if (a->buf[0].size < offsetof(struct xen_dm_op, u))
        return -EINVAL;
    if (copy_from_guest_bytes(&op, buf_gva(a, 0), offsetof(struct xen_dm_op, u)))
        return -EFAULT;
    if (op.pad)
        return -EINVAL;
    if (op.op >= ARRAY_SIZE(op_info) || !op_info[op.op].size)
        return -EOPNOTSUPP;
    size = offsetof(struct xen_dm_op, u) + op_info[op.op].size;
    if (a->buf[0].size < size)
        return -EINVAL;
    if (copy_from_guest_bytes(&op, buf_gva(a, 0), size))
        return -EFAULT;
    if (op.op >= ARRAY_SIZE(op_info) || offsetof(struct xen_dm_op, u) + op_info[op.op].size != size)
        return -EINVAL; /* it changed under our eyes */
    rc = dm_op_do(a, &op);
    if ((!rc || rc == -ERESTART) && op_info[op.op].copy_back && copy_to_guest_bytes(buf_gva(a, 0), &op, size))
        rc = -EFAULT;
    return rc;
}

long do_dm_op(uint64_t domid, uint64_t nr_bufs, uint64_t bufs, uint64_t a4, uint64_t a5)
{
    struct dm_args a = {};
    int rc;

    a.nr_bufs = (unsigned)MIN(nr_bufs, (uint64_t)MAX_BUFS);
    if (!a.nr_bufs)
        return -EINVAL;
    if (copy_from_guest_bytes(a.buf, bufs, a.nr_bufs * sizeof(a.buf[0])))
        return -EFAULT;
    a.d = domain_get_by_id((domid_t)domid);
    if (!a.d)
        return -ESRCH;
    if (!a.d->is_hvm || a.d == current->domain)
        rc = -EINVAL;
    else if (control_allowed(a.d))
        rc = -EPERM;
    else if (a.d->dying)
        rc = -EINVAL;
    else
        rc = dm_op_run(&a);
    domain_put(a.d);
    if (rc == -ERESTART)
        return hypercall_continue(__HYPERVISOR_dm_op, 3, domid, nr_bufs, bufs);
    return rc;
}
