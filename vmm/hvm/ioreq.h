/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ioreq servers: device models in another domain, and the pages and event
 * channels through which a vCPU's accesses go to them (public header
 * hvm/ioreq.h).  d->hvm->ioreq_lock guards the table and every server in it.
 */
#ifndef POLDER_HVM_IOREQ_H
#define POLDER_HVM_IOREQ_H

#include "hvm.h"

struct rangeset;

#define NR_IO_RANGE_TYPES 3 /* XEN_DMOP_IO_RANGE_PORT, _MEMORY, _PCI */

struct ioreq_page {
    struct page_info *page; /* with a reference and PGT_writable_page; NULL: not there */
    void *va;
    gfn_t gfn; /* of the guest frame it came from; INVALID_GFN: allocated for acquire_resource */
};

struct ioreq_server {
    struct domain *target;
    domid_t emulator;
    unsigned id;
    bool enabled;
    uint8_t bufioreq_handling; /* HVM_IOREQSRV_BUFIOREQ_* */
    uint32_t bufioreq_port;    /* 0: none */
    spinlock_t bufioreq_lock;
    struct ioreq_page ioreq, bufioreq;
    struct rangeset *range[NR_IO_RANGE_TYPES];
    unsigned nr_ports;
    uint32_t *port; /* [vCPU]; 0: none */
};

/* Sends v's access to the server that claims it. OKAY: done (posted, or unclaimed: all ones); RETRY: v waits. */
enum hvm_result ioreq_send(struct vcpu *v, ioreq_t *req);
bool ioreq_claims(struct vcpu *v, const ioreq_t *req);
bool hvm_pio_is_internal(struct vcpu *v, uint16_t port, unsigned bytes);
bool hvm_mmio_is_internal(struct vcpu *v, gpa_t gpa);
/* Its server is gone: v goes on with all ones. */
void ioreq_abandon(struct vcpu *v, const struct ioreq_server *s);

/* Servers, as dm_op creates them. All return 0 or -errno; id: of one that exists and is not being destroyed. */
int ioreq_server_create(struct domain *d, uint8_t bufioreq_handling, ioservid_t *id) __must_check;
int ioreq_server_destroy(struct domain *d, ioservid_t id) __must_check;
int ioreq_server_get_info(struct domain *d, struct xen_dm_op_get_ioreq_server_info *info) __must_check;
int ioreq_server_range(struct domain *d, const struct xen_dm_op_ioreq_server_range *r, bool add) __must_check;
int ioreq_server_set_state(struct domain *d, ioservid_t id, bool enabled) __must_check;
void ioreq_servers_destroy_all(struct domain *d);
int ioreq_vcpu_added(struct vcpu *v) __must_check;
void ioreq_vcpu_removed(struct vcpu *v);
int ioreq_acquire_resource(struct domain *d, unsigned id, uint64_t frame, unsigned nr, mfn_t *mfns);

#endif
