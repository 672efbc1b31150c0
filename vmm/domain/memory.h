/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory operations that other folders share (memory.c). */
#ifndef POLDER_DOMAIN_MEMORY_H
#define POLDER_DOMAIN_MEMORY_H

#include "domain.h"
#include <xen/memory.h>

/* Frees one frame of d by its guest frame number: balloon down. 0, -EINVAL, -EBUSY. */
int guest_remove_page(struct domain *d, gfn_t gfn) __must_check;
/* XENMEM_add_to_physmap, all spaces. */
int add_to_physmap_one(struct domain *d, unsigned space, union xen_add_to_physmap_batch_extra extra, uint64_t idx,
                       gfn_t gfn) __must_check;
/* Gives back all of d's frames; preemptible: -ERESTART. */
int domain_relinquish_memory(struct domain *d, struct page_list *list) __must_check;
/* XENMEM_acquire_resource of types that the guest type owns (ioreq server pages). Set by vmm/hvm. */
extern int (*acquire_ioreq_resource)(struct domain *d, unsigned id, uint64_t frame, unsigned nr, mfn_t *mfns);
/* The number of frames that such a resource has, for a request without a list. Set by vmm/hvm; NULL: a safe upper bound. */
extern unsigned (*ioreq_resource_frames)(struct domain *d);
/* The memory map that XENMEM_set_memory_map gave d, for XENMEM_memory_map, in the format of INT 15h, E820h. */
#define GUEST_E820_MAX 128
struct guest_e820_entry {
    uint64_t addr, size;
    uint32_t type;
} __packed;
struct guest_e820 {
    unsigned nr;
    struct guest_e820_entry e[GUEST_E820_MAX];
};
/* d is being freed: gives back what the calls above allocated for it. */
void memory_free_domain(struct domain *d);

#endif
