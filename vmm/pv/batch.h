/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What mmu_update and mmuext_op share: a guest's array of requests, done one by one, preemptible between and within. */
#ifndef POLDER_PV_BATCH_H
#define POLDER_PV_BATCH_H

#include "mm.h"

struct pv_batch {
    unsigned hypercall; /* its number, for the continuation */
    size_t size;        /* of one request */
    /* One request at guest address 'req'. -ERESTART: again later, unless current's old_table says that it is done. */
    int (*one)(uint64_t req, void *ctx);
    void *ctx;
};

/* Arguments as the guest gave them: address of the array, its length, address of a counter of finished requests (or 0). */
long pv_batch_run(const struct pv_batch *b, uint64_t reqs, uint64_t count, uint64_t pdone, uint64_t foreigndom);

#endif
