/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HVM save images: a header, records of each kind by rising type, an end
 * (public header hvm/save.h).  Kinds are declared with HVM_SAVE_RECORD beside
 * what they hold.  The domain is paused.
 */
#include "save.h"

#include "../cpu/asm.h"
#include "../cpu/cpu.h"
#include "../cpu/policy.h"
#include "../cpu/time.h"
#include "../lib/string.h"

extern const struct hvm_save_type __hvm_save_start[], __hvm_save_end[];

/* data NULL: only counts. */
int hvm_save_put(struct hvm_save_buf *b, uint16_t code, uint16_t instance, const void *body, uint32_t len)
{
    struct hvm_save_descriptor d = {.typecode = code, .instance = instance, .length = len};

    if (b->data) {
        if (b->size - b->cur < sizeof(d) || b->size - b->cur - sizeof(d) < len)
            return -ENOSPC;
        memcpy(b->data + b->cur, &d, sizeof(d));
        memcpy(b->data + b->cur + sizeof(d), body, len);
    }
    b->cur += sizeof(d) + len;
    return 0;
}

static const struct hvm_save_type *find_type(uint16_t code)
{
    for (const struct hvm_save_type *t = __hvm_save_start; t < __hvm_save_end; t++)
        if (t->code == code)
            return t;
    return NULL;
}

static int save_type(struct domain *d, const struct hvm_save_type *t, struct hvm_save_buf *b)
{
    struct vcpu *v;
    int rc = 0;

    if (!t->per_vcpu)
        return d->vcpu[0] ? t->save(d->vcpu[0], b) : 0;
    for_each_vcpu(d, v) {
        rc = t->save(v, b);
        if (rc)
            break;
    }
    return rc;
}

static int save_header(struct domain *d, struct hvm_save_buf *b)
{
    struct hvm_save_header h = {.magic = HVM_FILE_MAGIC, .version = HVM_FILE_VERSION, .changeset = ~0UL};
    uint32_t r[4];

    policy_leaf(d, 1, 0, r);
    h.cpuid = r[0];
    h.gtsc_khz = (uint32_t)(d->tsc.khz ? d->tsc.khz : tsc_khz);
    return hvm_save_put(b, HVM_SAVE_CODE(HEADER), 0, &h, sizeof(h));
}

int hvm_save_all(struct domain *d, struct hvm_save_buf *b)
{
    int rc = save_header(d, b);

    hvm_dom(d)->sync_tsc = rdtsc();
    for (uint16_t code = HVM_SAVE_CODE(HEADER) + 1; code <= HVM_SAVE_CODE_MAX && !rc; code++) {
        const struct hvm_save_type *t = find_type(code);

        if (t)
            rc = save_type(d, t, b);
    }
    return rc ? rc : hvm_save_put(b, HVM_SAVE_CODE(END), 0, NULL, 0);
}

/* The body of one record; b holds nothing else when this returns 0. */
int hvm_save_one(struct domain *d, uint16_t code, uint16_t instance, struct hvm_save_buf *b, uint32_t *off,
                 uint32_t *len)
{
    const struct hvm_save_type *t = find_type(code);
    struct hvm_save_descriptor desc;
    int rc;

    hvm_dom(d)->sync_tsc = rdtsc();
    if (code == HVM_SAVE_CODE(HEADER))
        rc = save_header(d, b);
    else
        rc = t ? save_type(d, t, b) : -EINVAL;
    for (uint32_t at = 0; !rc && at < b->cur; at += sizeof(desc) + desc.length) {
        memcpy(&desc, b->data + at, sizeof(desc));
        if (desc.instance != instance)
            continue;
        *off = at + sizeof(desc);
        *len = desc.length;
        return 0;
    }
    return rc ? rc : -ENOENT;
}

static int load_header(struct domain *d, const struct hvm_save_descriptor *desc, const uint8_t *body)
{
    struct hvm_save_header h;

    if (desc->typecode != HVM_SAVE_CODE(HEADER) || desc->length != sizeof(h))
        return -EINVAL;
    memcpy(&h, body, sizeof(h));
    return h.magic == HVM_FILE_MAGIC && h.version == HVM_FILE_VERSION ? 0 : -EINVAL;
}

static int load_record(struct domain *d, const struct hvm_save_descriptor *desc, const uint8_t *body)
{
    const struct hvm_save_type *t = find_type(desc->typecode);
    int rc;

    if (!t || (t->length && t->length != desc->length)) {
        printk(LOG_WARN "d%u: save record %u.%u of %u bytes is not known\n", d->id, desc->typecode, desc->instance,
               desc->length);
        return -EINVAL;
    }
    if (t->per_vcpu && (desc->instance >= d->max_vcpus || !d->vcpu[desc->instance]))
        return -EINVAL;
    rc = t->load(d, desc->instance, body, desc->length);
    if (rc)
        printk(LOG_WARN "d%u: save record %u.%u was refused: %d\n", d->id, desc->typecode, desc->instance, rc);
    return rc;
}

int hvm_load_all(struct domain *d, const uint8_t *data, uint32_t size)
{
    struct hvm_save_descriptor desc;
    bool first = true;
    uint32_t at = 0;
    int rc;

    hvm_dom(d)->sync_tsc = rdtsc();
    for (;;) {
        if (size - at < sizeof(desc))
            return -ENODATA;
        memcpy(&desc, data + at, sizeof(desc));
        at += sizeof(desc);
        if (size - at < desc.length)
            return -ENODATA;
        if (first)
            rc = load_header(d, &desc, data + at);
        else if (desc.typecode == HVM_SAVE_CODE(END))
            return 0;
        else
            rc = load_record(d, &desc, data + at);
        if (rc)
            return rc;
        first = false;
        at += desc.length;
    }
}
