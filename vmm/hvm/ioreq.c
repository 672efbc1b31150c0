/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests to ioreq servers and their answers.  A vCPU fills its slot of the
 * server's shared page and sleeps (VPF_blocked_in_xen) until the answer is in
 * it.  Servers come and go only while the domain is paused, so a vCPU that
 * runs finds them without a lock.  The shared page is the emulator's to
 * scribble on: each field is read once and believed in nothing but data.
 */
#include "ioreq.h"

#include "../cpu/asm.h"
#include "../domain/evtchn.h"
#include "../domain/pirq.h"
#include "hvm_state.h"

#define CF8_ENABLED 0x80000000U
#define VGA_FIRST 0xa0000U
#define VGA_LAST 0xbffffU

/* The byte with the state and the flags beside it. */
#define IOREQ_STATE_BYTE 30
_Static_assert(offsetof(ioreq_t, type) == IOREQ_STATE_BYTE + 1 && sizeof(ioreq_t) == 32, "hvm/ioreq.h");

static ioreq_t *ioreq_slot(const struct ioreq_server *s, const struct vcpu *v)
{
    return s->ioreq.va ? &((shared_iopage_t *)s->ioreq.va)->vcpu_ioreq[v->id] : NULL;
}

static uint8_t slot_state(const ioreq_t *slot) { return READ_ONCE(((const uint8_t *)slot)[IOREQ_STATE_BYTE]) & 0xf; }

static void slot_set_state(ioreq_t *slot, const ioreq_t *flags, uint8_t state)
{
    uint8_t byte = state | (uint8_t)(flags->data_is_ptr << 4) | (uint8_t)(flags->dir << 5) | (uint8_t)(flags->df << 6);

    __atomic_store_n((uint8_t *)slot + IOREQ_STATE_BYTE, byte, __ATOMIC_RELEASE);
}

/* -- whose access is it? ------------------------------------------------------------------------------------------- */
struct target {
    unsigned type;
    uint64_t first, last;
};

/* A configuration access by ports 0xcfc to 0xcff belongs to the device that CONFIG_ADDRESS names. */
static struct target request_target(struct domain *d, ioreq_t *req)
{
    uint32_t cf8 = hvm_dom(d)->pci_cf8;
    uint64_t span = (uint64_t)req->size * MAX(req->count, 1U);

    if (req->type == IOREQ_TYPE_PIO && (req->addr & ~3UL) == 0xcfc && (cf8 & CF8_ENABLED)) {
        uint64_t sbdf = (cf8 >> 8) & 0xffff;

        req->type = IOREQ_TYPE_PCI_CONFIG;
        req->addr = sbdf << 32 | (cf8 & 0xfc) | (req->addr & 3);
        return (struct target){XEN_DMOP_IO_RANGE_PCI, sbdf, sbdf};
    }
    if (req->type == IOREQ_TYPE_PIO)
        return (struct target){XEN_DMOP_IO_RANGE_PORT, req->addr, req->addr + req->size - 1};
    return (struct target){XEN_DMOP_IO_RANGE_MEMORY, req->addr, req->addr + span - 1};
}

static struct ioreq_server *ioreq_select(struct domain *d, ioreq_t *req)
{
    struct target t = request_target(d, req);

    for (unsigned i = MAX_IOREQ_SERVERS; i-- > 0;) {
        struct ioreq_server *s = hvm_dom(d)->ioreq_server[i];

        if (s && s->enabled && rangeset_contains(s->range[t.type], t.first, t.last))
            return s;
    }
    return NULL;
}

bool ioreq_claims(struct vcpu *v, const ioreq_t *req)
{
    ioreq_t copy = *req;

    return ioreq_select(v->domain, &copy);
}

/* -- buffered requests: the server reads them some time later ------------------------------------------------------ */
/*
 * Both pointers are pulled back together, so that they never wrap where the
 * number of slots does not divide 2^32; the reader may move his meanwhile.
 */
static void buffer_canonicalise(struct buffered_iopage *pg)
{
    uint64_t *both = (uint64_t *)pg, old = __atomic_load_n(both, __ATOMIC_ACQUIRE);

    for (unsigned tries = 0; tries < 16 && (uint32_t)old >= IOREQ_BUFFER_SLOT_NUM; tries++) {
        uint32_t n = (uint32_t)old - (uint32_t)old % IOREQ_BUFFER_SLOT_NUM;
        uint64_t new = (uint64_t)((uint32_t)(old >> 32) - n) << 32 | ((uint32_t)old - n);

        if (__atomic_compare_exchange_n(both, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            break;
    }
}

/* false: no buffer, or it is full, or the request has no place in it. */
static bool ioreq_buffer(struct ioreq_server *s, const ioreq_t *req)
{
    static const uint8_t size_code[] = {[1] = 0, [2] = 1, [4] = 2, [8] = 3};
    struct buffered_iopage *pg = s->bufioreq.va;
    unsigned slots = req->size == 8 ? 2 : 1;
    buf_ioreq_t b = {.type = req->type, .dir = req->dir, .addr = req->addr & 0xfffff, .data = (uint32_t)req->data};
    uint32_t rd, wr;

    if (!pg || req->addr > 0xfffff || req->size > 8 || (req->size & (req->size - 1)) || !req->size)
        return false;
    b.size = size_code[req->size];
    spin_lock(&s->bufioreq_lock);
    rd = READ_ONCE(pg->read_pointer);
    wr = READ_ONCE(pg->write_pointer);
    if (wr - rd >= IOREQ_BUFFER_SLOT_NUM - (slots - 1)) {
        spin_unlock(&s->bufioreq_lock);
        return false;
    }
    pg->buf_ioreq[wr % IOREQ_BUFFER_SLOT_NUM] = b;
    if (slots == 2) {
        b.data = (uint32_t)(req->data >> 32);
        pg->buf_ioreq[(wr + 1) % IOREQ_BUFFER_SLOT_NUM] = b;
    }
    __atomic_store_n(&pg->write_pointer, wr + slots, __ATOMIC_RELEASE);
    if (s->bufioreq_handling == HVM_IOREQSRV_BUFIOREQ_ATOMIC)
        buffer_canonicalise(pg);
    spin_unlock(&s->bufioreq_lock);
    evtchn_notify_xen(s->target, s->bufioreq_port);
    return true;
}

/* Writes to the VGA window need no answer; a later access to the device is served after what is buffered. */
static bool ioreq_may_be_posted(const ioreq_t *req)
{
    return req->type == IOREQ_TYPE_COPY && req->dir == IOREQ_WRITE && !req->data_is_ptr && req->count == 1 &&
           req->addr >= VGA_FIRST && req->addr + req->size - 1 <= VGA_LAST;
}

void ioreq_send_buffered(struct domain *d, const ioreq_t *req)
{
    for (unsigned i = 0; i < MAX_IOREQ_SERVERS; i++) {
        struct ioreq_server *s = hvm_dom(d)->ioreq_server[i];

        if (s && s->enabled && !ioreq_buffer(s, req))
            printk(LOG_GUEST LOG_WARN "d%u: ioreq server %u takes no broadcast\n", d->id, s->id);
    }
}

/* Frames left the physical map: device models drop their mappings of them. */
void ioreq_broadcast_invalidate(struct domain *d)
{
    const ioreq_t req = {.type = IOREQ_TYPE_INVALIDATE, .size = 4, .dir = IOREQ_WRITE, .data = ~0UL};

    ioreq_send_buffered(d, &req);
}

/* -- requests that are waited for ---------------------------------------------------------------------------------- */
enum hvm_result ioreq_send(struct vcpu *v, ioreq_t *req)
{
    struct hvm_io *io = &v->hvm->io;
    struct ioreq_server *s = ioreq_select(v->domain, req);
    ioreq_t *slot = s ? ioreq_slot(s, v) : NULL;

    if (!slot || !s->port[v->id]) {
        req->data = ~0UL;
        return req->data_is_ptr ? HVM_UNHANDLEABLE : HVM_OKAY;
    }
    if (ioreq_may_be_posted(req) && ioreq_buffer(s, req))
        return HVM_OKAY;
    if (io->state != IO_NONE)
        return HVM_UNHANDLEABLE;
    if (!vcpu_start_shutdown_deferral(v))
        return HVM_RETRY; /* v is being stopped: it will be executed again */
    if (slot_state(slot) != STATE_IOREQ_NONE) {
        domain_crash(v->domain, "ioreq server %u: slot of vCPU %u is in state %u", s->id, v->id, slot_state(slot));
        return HVM_RETRY;
    }
    req->vp_eport = s->port[v->id];
    io->req = *req;
    io->server = s;
    io->state = IO_PENDING;
    slot->addr = req->addr;
    slot->data = req->data;
    slot->count = req->count;
    slot->size = req->size;
    slot->vp_eport = req->vp_eport;
    slot->type = req->type;
    slot_set_state(slot, req, STATE_IOREQ_READY);
    evtchn_notify_xen(v->domain, s->port[v->id]);
    return HVM_RETRY;
}

static void ioreq_answered(struct hvm_io *io, uint64_t data)
{
    io->req.data = data;
    io->server = NULL;
    io->state = IO_DONE;
}

bool hvm_io_ready(struct vcpu *v)
{
    struct hvm_io *io = &v->hvm->io;
    ioreq_t *slot;
    uint8_t state;

    if (io->state != IO_PENDING)
        return true;
    slot = ioreq_slot(io->server, v);
    state = slot ? slot_state(slot) : STATE_IOREQ_NONE;
    if (state == STATE_IOREQ_READY || state == STATE_IOREQ_INPROCESS)
        return false;
    if (state == STATE_IORESP_READY) {
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        ioreq_answered(io, READ_ONCE(slot->data));
        slot_set_state(slot, &io->req, STATE_IOREQ_NONE);
        return true;
    }
    domain_crash(v->domain, "ioreq of vCPU %u was answered by state %u", v->id, state);
    ioreq_answered(io, ~0UL);
    return true;
}

/* Its server is gone: the access reads as from an empty bus. The domain is paused. */
void ioreq_abandon(struct vcpu *v, const struct ioreq_server *s)
{
    struct hvm_io *io = &v->hvm->io;

    if (io->state == IO_PENDING && io->server == s)
        ioreq_answered(io, ~0UL);
}
