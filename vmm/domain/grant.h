/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Grant tables, versions 1 and 2: one domain lends frames to another, to map or to copy. */
#ifndef POLDER_DOMAIN_GRANT_H
#define POLDER_DOMAIN_GRANT_H

#include "domain.h"
#include <xen/grant_table.h>

int grant_table_init(struct domain *d, int max_frames, int max_maptrack, unsigned max_version) __must_check;
int grant_table_release_mappings(struct domain *d) __must_check; /* what d has mapped; preemptible: -ERESTART */
void grant_table_free(struct domain *d);
/* XENMAPSPACE_grant_table: the mfn of the table's frame idx (with XENMAPIDX_grant_table_status: status frames). */
int grant_table_map_frame(struct domain *d, uint64_t idx, mfn_t *mfn) __must_check;
/* XENMEM_acquire_resource */
int grant_table_acquire_resource(struct domain *d, unsigned id, uint64_t frame, unsigned nr, mfn_t *mfns) __must_check;
/* Seeds an entry before the domain runs (console and xenstore rings of Dom0-built domains). */
void grant_table_dump(struct domain *d);

#endif
