/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole save images, for the domctls. The domain is paused. */
#ifndef POLDER_HVM_SAVE_H
#define POLDER_HVM_SAVE_H

#include "hvm.h"

/* With b->data NULL the size is counted in b->cur. */
int hvm_save_all(struct domain *d, struct hvm_save_buf *b) __must_check;
/* One record: *off and *len say where its body is in b. -ENOENT: no such instance. */
int hvm_save_one(struct domain *d, uint16_t code, uint16_t instance, struct hvm_save_buf *b, uint32_t *off,
                 uint32_t *len) __must_check;
/* A part of the records may be there; what is not, stays. */
int hvm_load_all(struct domain *d, const uint8_t *data, uint32_t size) __must_check;

#endif
