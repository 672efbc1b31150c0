/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who answers an access to a port or to memory that is not RAM: a device here, a device model, or nobody. v is current. */
#include "../boot/console.h"
#include "../lib/printk.h"
#include "../lib/string.h"
#include "../mm/alloc.h"
#include "hvm_state.h"
#include "ioreq.h"

#define CF8_PORT 0xcf8
#define DEBUG_PORT 0xe9 /* firmware writes its messages here */

int hvm_register_pio(struct domain *d, uint16_t port, unsigned len, pio_handler_t fn)
{
    struct hvm_domain *h = hvm_dom(d);

    for (unsigned i = 0; i < h->nr_pio; i++) {
        if (h->pio[i].fn != fn || h->pio[i].len != len)
            continue;
        if (h->pio[i].port == port)
            return 0;
    }
    if (h->nr_pio == HVM_PIO_HANDLERS)
        return -ENOSPC;
    h->pio[h->nr_pio++] = (struct hvm_pio_range){.port = port, .len = (uint16_t)len, .fn = fn};
    return 0;
}

/* The device's ports move (ACPI timer); with the domain paused, or before it runs. */
void hvm_unregister_pio(struct domain *d, uint16_t port, pio_handler_t fn)
{
    struct hvm_domain *h = hvm_dom(d);

    for (unsigned i = 0; i < h->nr_pio; i++)
        if (h->pio[i].port == port && h->pio[i].fn == fn) {
            h->pio[i] = h->pio[--h->nr_pio];
            return;
        }
}

int hvm_register_mmio(struct domain *d, const struct mmio_ops *ops)
{
    struct hvm_domain *h = hvm_dom(d);

    if (h->nr_mmio == HVM_MMIO_HANDLERS)
        return -ENOSPC;
    h->mmio[h->nr_mmio++] = ops;
    return 0;
}

static bool pio_range_has(const struct hvm_pio_range *r, uint16_t port, unsigned bytes)
{
    return port >= r->port && port + bytes <= (unsigned)r->port + r->len;
}

/* CONFIG_ADDRESS is remembered here, to find the device that CONFIG_DATA means, and seen by the device models too. */
static enum hvm_result cf8_access(struct vcpu *v, bool write, uint16_t port, unsigned bytes, uint32_t *value)
{
    if (write && port == CF8_PORT && bytes == 4)
        v->domain->hvm->pci_cf8 = *value;
    return HVM_UNHANDLEABLE;
}

/* One more character; true: *line is whole, of so many characters at most as it has room for. */
static bool debug_char(struct hvm_domain *h, char c, char line[DEBUG_LINE])
{
    bool whole;

    spin_lock(&h->debug_lock);
    if (c >= ' ' && c <= '~')
        h->debug_line[h->debug_len++] = c;
    whole = c == '\n' || h->debug_len == DEBUG_LINE - 1;
    if (whole) {
        memcpy(line, h->debug_line, h->debug_len);
        line[h->debug_len] = '\0';
        h->debug_len = 0;
    }
    spin_unlock(&h->debug_lock);
    return whole;
}

/* Lines of text; each is cut where it gets too long. */
static enum hvm_result debug_access(struct vcpu *v, bool write, uint16_t port, unsigned bytes, uint32_t *value)
{
    char line[DEBUG_LINE];

    if (bytes != 1 || !write)
        return HVM_UNHANDLEABLE;
    if (debug_char(v->domain->hvm, (char)*value, line)) {
        if (v->domain->is_privileged)
            printk(LOG_ERR "(d%u) %s\n", v->domain->id, line);
        else
            printk(LOG_GUEST LOG_DEBUG "(d%u) %s\n", v->domain->id, line);
    }
    return HVM_OKAY;
}

int hvm_io_init(struct domain *d)
{
    int rc = hvm_register_pio(d, DEBUG_PORT, 1, debug_access);

    spin_lock_init(&hvm_dom(d)->debug_lock, LOCK_UNORDERED);
    return rc || hvm_dom(d)->is_pvh ? rc : hvm_register_pio(d, CF8_PORT, 4, cf8_access);
}

bool hvm_pio_is_internal(struct vcpu *v, uint16_t port, unsigned bytes)
{
    const struct hvm_domain *h = v->domain->hvm;

    for (unsigned i = 0; i < h->nr_pio; i++)
        if (pio_range_has(&h->pio[i], port, bytes))
            return true;
    return false;
}

static enum hvm_result pio_internal(struct vcpu *v, bool write, uint16_t port, unsigned bytes, uint32_t *value)
{
    const struct hvm_domain *h = v->domain->hvm;

    for (unsigned i = 0; i < h->nr_pio; i++) {
        enum hvm_result rc;

        if (!pio_range_has(&h->pio[i], port, bytes))
            continue;
        rc = h->pio[i].fn(v, write, port, bytes, value);
        if (rc != HVM_UNHANDLEABLE)
            return rc;
    }
    return HVM_UNHANDLEABLE;
}

enum hvm_result hvm_do_pio(struct vcpu *v, bool write, uint16_t port, unsigned bytes, uint32_t *value)
{
    ioreq_t req = {.type = IOREQ_TYPE_PIO, .addr = port, .size = bytes, .count = 1, .dir = !write, .data = *value};
    enum hvm_result rc = pio_internal(v, write, port, bytes, value);

    if (rc != HVM_UNHANDLEABLE)
        return rc;
    rc = ioreq_send(v, &req);
    if (rc == HVM_OKAY && !write)
        *value = (uint32_t)(req.data & bytes_mask(bytes));
    return rc;
}

static const struct mmio_ops *mmio_claimant(struct vcpu *v, gpa_t gpa)
{
    const struct hvm_domain *h = v->domain->hvm;

    for (unsigned i = 0; i < h->nr_mmio; i++)
        if (h->mmio[i]->claims(v, gpa))
            return h->mmio[i];
    return NULL;
}

bool hvm_mmio_is_internal(struct vcpu *v, gpa_t gpa) { return mmio_claimant(v, gpa); }

enum hvm_result hvm_do_mmio(struct vcpu *v, bool write, gpa_t gpa, unsigned bytes, uint64_t *value)
{
    ioreq_t req = {.type = IOREQ_TYPE_COPY, .addr = gpa.v, .size = bytes, .count = 1, .dir = !write};
    const struct mmio_ops *ops = mmio_claimant(v, gpa);
    enum hvm_result rc;

    if (ops)
        return write ? ops->write(v, gpa, bytes, *value) : ops->read(v, gpa, bytes, value);
    req.data = write ? *value : 0;
    rc = ioreq_send(v, &req);
    if (rc == HVM_OKAY && !write)
        *value = req.data & bytes_mask(bytes);
    return rc;
}
