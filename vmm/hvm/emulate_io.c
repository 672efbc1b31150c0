/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The emulator's accesses to memory and ports.  RAM is accessed at once; what
 * has side effects is done once, remembered in v->hvm->io.done[] and answered
 * from there when the instruction is executed again after a device model's
 * answer.  v is current.
 */
#include "emulate.h"

#include "../cpu/regs.h"
#include "../lib/string.h"
#include "guest_mem.h"
#include "ioreq.h"
#include "p2m.h"

/* One access of 1, 2, 4 or 8 bytes to a device. */
static int device_access(struct emul_ctxt *c, struct hvm_access a, uint64_t *data)
{
    struct vcpu *v = emul_vcpu(c);
    struct hvm_io *io = &v->hvm->io;
    enum hvm_result rc;
    uint32_t value32;

    if (io->nr_done && io->done_rcx != v->regs.rcx)
        io->nr_done = io->next = 0; /* another iteration of a repeated instruction */
    if (io->next < io->nr_done) {
        struct hvm_access *d = &io->done[io->next++];

        if (d->addr != a.addr || d->bytes != a.bytes || d->write != a.write || d->pio != a.pio)
            return EMUL_UNHANDLEABLE; /* its operands were changed meanwhile by another vCPU */
        *data = d->data;
        return EMUL_OKAY;
    }
    if (io->nr_done == HVM_ACCESSES_MAX)
        return EMUL_UNHANDLEABLE;
    if (io->state == IO_DONE) {
        io->state = IO_NONE;
        if (!a.write)
            *data = io->req.data & bytes_mask(a.bytes);
        rc = HVM_OKAY;
    } else if (a.pio) {
        value32 = (uint32_t)*data;
        rc = hvm_do_pio(v, a.write, (uint16_t)a.addr, a.bytes, &value32);
        *data = value32;
    } else {
        rc = hvm_do_mmio(v, a.write, GPA(a.addr), a.bytes, data);
    }
    if (rc == HVM_OKAY) {
        a.data = *data;
        io->done[io->nr_done++] = a;
        io->next = io->nr_done;
        io->done_rcx = v->regs.rcx;
    }
    return hvm_emul_result(c, rc);
}

/* -- translation -------------------------------------------------------------------------------------------------- */
static uint32_t wanted_access(const struct emul_ctxt *c, enum emul_seg seg, bool write)
{
    bool system = seg >= EMUL_SEG_LDTR && seg <= EMUL_SEG_IDTR;

    return (write ? PFEC_W : 0) | (system ? PFEC_IMPLICIT : c->cpl == 3 ? PFEC_U : 0);
}

static int translate(struct emul_ctxt *c, uint64_t gva, uint32_t pfec, gpa_t *gpa)
{
    if (hvm_gva_to_gpa(emul_vcpu(c), gva, &pfec, gpa))
        return emul_raise_page_fault(c, gva, pfec);
    return EMUL_OKAY;
}

/* Both pages of an access are translated before the first byte moves. */
struct span {
    unsigned nr;
    struct {
        gpa_t gpa;
        unsigned n;
    } part[2];
};

static int translate_span(struct emul_ctxt *c, enum emul_seg seg, uint64_t offset, unsigned bytes, bool write,
                          struct span *s)
{
    uint32_t pfec = wanted_access(c, seg, write);
    uint64_t gva;
    int rc = emul_linear(c, seg, offset, bytes, write ? EMUL_WRITE : EMUL_READ, &gva);

    *s = (struct span){0};
    for (unsigned done = 0; rc == EMUL_OKAY && done < bytes;) {
        unsigned n = MIN(bytes - done, (unsigned)(PAGE_SIZE - ((gva + done) & ~PAGE_MASK)));

        rc = translate(c, gva + done, pfec, &s->part[s->nr].gpa);
        s->part[s->nr++].n = n;
        done += n;
    }
    return rc;
}

/* -- memory -------------------------------------------------------------------------------------------------------- */
/* Aligned accesses of up to 8 bytes are one access, as the CPU's are. */
static void copy_once(void *dst, const void *src, unsigned n)
{
    switch (n) {
    case 1: *(volatile uint8_t *)dst = *(const volatile uint8_t *)src; break;
    case 2: *(volatile uint16_t *)dst = *(const volatile uint16_t *)src; break;
    case 4: *(volatile uint32_t *)dst = *(const volatile uint32_t *)src; break;
    case 8: *(volatile uint64_t *)dst = *(const volatile uint64_t *)src; break;
    default: memcpy(dst, src, n); break;
    }
}

/* Device accesses are naturally aligned pieces. */
static unsigned piece_size(uint64_t addr, unsigned n)
{
    unsigned size = 8;

    while (size > n || (addr & (size - 1)))
        size /= 2;
    return size;
}

static int access_device(struct emul_ctxt *c, uint64_t gpa, char *buf, unsigned n, bool write)
{
    while (n) {
        struct hvm_access a = {.addr = gpa, .bytes = (uint8_t)piece_size(gpa, n), .write = write};
        uint64_t data = 0;
        int rc;

        if (write)
            memcpy(&data, buf, a.bytes);
        rc = device_access(c, a, &data);
        if (rc != EMUL_OKAY)
            return rc;
        if (!write)
            memcpy(buf, &data, a.bytes);
        buf += a.bytes;
        gpa += a.bytes;
        n -= a.bytes;
    }
    return EMUL_OKAY;
}

static int access_part(struct emul_ctxt *c, gpa_t gpa, char *buf, unsigned n, bool write)
{
    enum guest_ram kind;
    struct page_info *pg = hvm_get_ram(emul_vcpu(c)->domain, gpa, write, &kind);
    char *va;

    if (!pg)
        return access_device(c, gpa.v, buf, n, write);
    va = (char *)page_to_virt(pg) + (gpa.v & ~PAGE_MASK);
    if (!write)
        copy_once(buf, va, n);
    else if (kind == GUEST_RAM)
        copy_once(va, buf, n);
    page_put(pg);
    return EMUL_OKAY;
}

static int access_span(struct emul_ctxt *c, const struct span *s, char *buf, bool write)
{
    int rc = EMUL_OKAY;

    for (unsigned i = 0; i < s->nr && rc == EMUL_OKAY; i++) {
        rc = access_part(c, s->part[i].gpa, buf, s->part[i].n, write);
        buf += s->part[i].n;
    }
    return rc;
}

int hvm_emul_read(enum emul_seg seg, uint64_t offset, void *buf, unsigned bytes, struct emul_ctxt *c)
{
    struct span s;
    int rc = translate_span(c, seg, offset, bytes, false, &s);

    return rc == EMUL_OKAY ? access_span(c, &s, buf, false) : rc;
}

int hvm_emul_write(enum emul_seg seg, uint64_t offset, const void *buf, unsigned bytes, struct emul_ctxt *c)
{
    struct span s;
    int rc = translate_span(c, seg, offset, bytes, true, &s);

    return rc == EMUL_OKAY ? access_span(c, &s, (char *)buf, true) : rc;
}

int hvm_emul_fetch(uint64_t offset, void *buf, unsigned bytes, struct emul_ctxt *c)
{
    struct vcpu *v = emul_vcpu(c);
    enum guest_ram kind;
    struct page_info *pg;
    uint64_t gva;
    gpa_t gpa;
    int rc = emul_linear(c, EMUL_SEG_CS, offset, bytes, EMUL_FETCH, &gva);

    if (rc == EMUL_OKAY)
        rc = translate(c, gva, PFEC_I | (c->cpl == 3 ? PFEC_U : 0), &gpa);
    if (rc != EMUL_OKAY)
        return rc;
    if (bytes > PAGE_SIZE - (gpa.v & ~PAGE_MASK))
        return EMUL_UNHANDLEABLE; /* the decoder fetches page by page */
    pg = hvm_get_ram(v->domain, gpa, false, &kind);
    if (!pg)
        return EMUL_UNHANDLEABLE; /* code in a device's memory is not run */
    memcpy(buf, (char *)page_to_virt(pg) + (gpa.v & ~PAGE_MASK), bytes);
    page_put(pg);
    return EMUL_OKAY;
}

static bool cmpxchg16(void *p, void *old, const void *new)
{
    uint64_t *o = old;
    const uint64_t *n = new;
    bool same;

    __asm__ volatile("lock cmpxchg16b %1"
                     : "=@ccz"(same), "+m"(*(char(*)[16])p), "+a"(o[0]), "+d"(o[1])
                     : "b"(n[0]), "c"(n[1])
                     : "memory");
    return same;
}

#define CMPXCHG(type)                                                                                                  \
    __atomic_compare_exchange_n((type *)p, (type *)old, *(const type *)new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
static bool cmpxchg_ram(void *p, void *old, const void *new, unsigned bytes)
{
    switch (bytes) {
    case 1: return CMPXCHG(uint8_t);
    case 2: return CMPXCHG(uint16_t);
    case 4: return CMPXCHG(uint32_t);
    case 8: return CMPXCHG(uint64_t);
    default: return cmpxchg16(p, old, new);
    }
}

/* Not RAM, or across a page's end: by reading and writing. */
static int cmpxchg_slow(struct emul_ctxt *c, const struct span *s, void *old, const void *new, unsigned bytes)
{
    char now[16];
    int rc = access_span(c, s, now, false);

    if (rc != EMUL_OKAY)
        return rc;
    if (memcmp(now, old, bytes)) {
        memcpy(old, now, bytes);
        return EMUL_CMPXCHG_FAILED;
    }
    return access_span(c, s, (char *)new, true);
}

int hvm_emul_cmpxchg(enum emul_seg seg, uint64_t offset, void *old, const void *new, unsigned bytes,
                     struct emul_ctxt *c)
{
    enum guest_ram kind;
    struct page_info *pg;
    struct span s;
    bool same;
    int rc = translate_span(c, seg, offset, bytes, true, &s);

    if (rc != EMUL_OKAY)
        return rc;
    if (s.nr != 1 || (bytes == 16 && (s.part[0].gpa.v & 15)))
        return cmpxchg_slow(c, &s, old, new, bytes);
    pg = hvm_get_ram(emul_vcpu(c)->domain, s.part[0].gpa, true, &kind);
    if (!pg)
        return cmpxchg_slow(c, &s, old, new, bytes);
    if (kind != GUEST_RAM) {
        page_put(pg);
        return cmpxchg_slow(c, &s, old, new, bytes);
    }
    same = cmpxchg_ram((char *)page_to_virt(pg) + (s.part[0].gpa.v & ~PAGE_MASK), old, new, bytes);
    page_put(pg);
    return same ? EMUL_OKAY : EMUL_CMPXCHG_FAILED;
}

/* -- ports --------------------------------------------------------------------------------------------------------- */
int hvm_emul_read_io(uint16_t port, unsigned bytes, uint32_t *value, struct emul_ctxt *c)
{
    struct hvm_access a = {.addr = port, .bytes = (uint8_t)bytes, .pio = true};
    uint64_t data = 0;
    int rc = device_access(c, a, &data);

    *value = (uint32_t)data;
    return rc;
}

int hvm_emul_write_io(uint16_t port, unsigned bytes, uint32_t value, struct emul_ctxt *c)
{
    struct hvm_access a = {.addr = port, .bytes = (uint8_t)bytes, .pio = true, .write = true};
    uint64_t data = value;

    return device_access(c, a, &data);
}

/* -- repeated string instructions: many at once, the device model moves the data ----------------------------------- */
/* RAM at seg:offset for as many of *reps elements as its page holds; false: do it one by one. */
static bool rep_ram(struct emul_ctxt *c, enum emul_seg seg, uint64_t offset, unsigned bytes, bool write, uint64_t *reps,
                    gpa_t *gpa)
{
    uint64_t fit =
        (PAGE_SIZE - (offset & ~PAGE_MASK)) / bytes; /* bases of segments are page-aligned or checked below */
    enum guest_ram kind = GUEST_NOT_RAM;
    struct page_info *pg;
    struct span s;

    if ((c->regs->rflags & EFLAGS_DF) || !fit)
        return false;
    *reps = MIN(*reps, fit);
    if (translate_span(c, seg, offset, bytes, write, &s) != EMUL_OKAY || s.nr != 1)
        return false;
    *gpa = s.part[0].gpa;
    *reps = MIN(*reps, (PAGE_SIZE - (gpa->v & ~PAGE_MASK)) / bytes);
    if (*reps < 2 || translate_span(c, seg, offset, (unsigned)(bytes * *reps), write, &s) != EMUL_OKAY)
        return false;
    pg = hvm_get_ram(emul_vcpu(c)->domain, *gpa, write, &kind);
    if (pg)
        page_put(pg);
    return pg && kind == GUEST_RAM;
}

static int rep_send(struct emul_ctxt *c, ioreq_t req, uint64_t *reps)
{
    struct hvm_io *io = &emul_vcpu(c)->hvm->io;
    enum hvm_result rc = HVM_OKAY;

    if (io->state == IO_DONE) {
        io->state = IO_NONE;
        *reps = MIN(*reps, (uint64_t)io->req.count);
    } else {
        req.count = (uint32_t)*reps;
        req.data_is_ptr = 1;
        rc = ioreq_send(emul_vcpu(c), &req);
    }
    if (rc == HVM_RETRY || rc == HVM_UNHANDLEABLE)
        *reps = 0;
    return hvm_emul_result(c, rc);
}

static int rep_port(struct emul_ctxt *c, uint16_t port, enum emul_seg seg, uint64_t offset, unsigned bytes,
                    uint64_t *reps, bool in)
{
    ioreq_t req = {.type = IOREQ_TYPE_PIO, .addr = port, .size = bytes, .dir = in};
    uint64_t n = *reps;
    gpa_t gpa;

    if (hvm_pio_is_internal(emul_vcpu(c), port, bytes) || !rep_ram(c, seg, offset, bytes, in, &n, &gpa))
        return EMUL_UNHANDLEABLE;
    if (emul_vcpu(c)->hvm->io.state != IO_DONE && !ioreq_claims(emul_vcpu(c), &req))
        return EMUL_UNHANDLEABLE;
    *reps = n;
    req.data = gpa.v;
    return rep_send(c, req, reps);
}

int hvm_emul_rep_ins(uint16_t port, enum emul_seg seg, uint64_t offset, unsigned bytes, uint64_t *reps,
                     struct emul_ctxt *c)
{
    return rep_port(c, port, seg, offset, bytes, reps, true);
}

int hvm_emul_rep_outs(enum emul_seg seg, uint64_t offset, uint16_t port, unsigned bytes, uint64_t *reps,
                      struct emul_ctxt *c)
{
    return rep_port(c, port, seg, offset, bytes, reps, false);
}

/* Between RAM and a device's memory. */
int hvm_emul_rep_movs(enum emul_seg src, uint64_t src_off, enum emul_seg dst, uint64_t dst_off, unsigned bytes,
                      uint64_t *reps, struct emul_ctxt *c)
{
    struct vcpu *v = emul_vcpu(c);
    ioreq_t req = {.type = IOREQ_TYPE_COPY, .size = bytes};
    uint64_t n = *reps;
    enum guest_ram kind;
    struct page_info *pg;
    struct span s;
    bool to_ram;
    gpa_t ram;

    if (c->regs->rflags & EFLAGS_DF)
        return EMUL_UNHANDLEABLE;
    to_ram = rep_ram(c, dst, dst_off, bytes, true, &n, &ram);
    if (!to_ram) {
        n = *reps;
        if (!rep_ram(c, src, src_off, bytes, false, &n, &ram))
            return EMUL_UNHANDLEABLE;
    }
    if (translate_span(c, to_ram ? src : dst, to_ram ? src_off : dst_off, bytes, !to_ram, &s) != EMUL_OKAY || s.nr != 1)
        return EMUL_UNHANDLEABLE;
    n = MIN(n, (PAGE_SIZE - (s.part[0].gpa.v & ~PAGE_MASK)) / bytes);
    pg = hvm_get_ram(v->domain, s.part[0].gpa, !to_ram, &kind);
    if (pg)
        page_put(pg);
    req.addr = s.part[0].gpa.v;
    req.data = ram.v;
    req.dir = to_ram;
    req.count = (uint32_t)n;
    if (pg || n < 2 || hvm_mmio_is_internal(v, s.part[0].gpa))
        return EMUL_UNHANDLEABLE;
    if (v->hvm->io.state != IO_DONE && !ioreq_claims(v, &req))
        return EMUL_UNHANDLEABLE;
    *reps = n;
    return rep_send(c, req, reps);
}
