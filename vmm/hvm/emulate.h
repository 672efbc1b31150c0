/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What emulate.c and emulate_io.c share: one instruction's emulation. */
#ifndef POLDER_HVM_EMULATE_H
#define POLDER_HVM_EMULATE_H

#include "../emul/emul.h"
#include "hvm_state.h"

struct hvm_emul {
    struct emul_ctxt ctxt;
    struct vcpu *v;
    bool fault_queued; /* the fault is in v->hvm->pending already, not in ctxt.event */
};

static inline struct hvm_emul *emul_of(struct emul_ctxt *c) { return c->opaque; }
static inline struct vcpu *emul_vcpu(struct emul_ctxt *c) { return emul_of(c)->v; }

/* What a function of the core answered, as the emulator wants it. */
int hvm_emul_result(struct emul_ctxt *c, enum hvm_result rc);

/* emulate_io.c: memory and ports. */
int hvm_emul_read(enum emul_seg seg, uint64_t offset, void *buf, unsigned bytes, struct emul_ctxt *c);
int hvm_emul_write(enum emul_seg seg, uint64_t offset, const void *buf, unsigned bytes, struct emul_ctxt *c);
int hvm_emul_fetch(uint64_t offset, void *buf, unsigned bytes, struct emul_ctxt *c);
int hvm_emul_cmpxchg(enum emul_seg seg, uint64_t offset, void *old, const void *new, unsigned bytes,
                     struct emul_ctxt *c);
int hvm_emul_rep_ins(uint16_t port, enum emul_seg seg, uint64_t offset, unsigned bytes, uint64_t *reps,
                     struct emul_ctxt *c);
int hvm_emul_rep_outs(enum emul_seg seg, uint64_t offset, uint16_t port, unsigned bytes, uint64_t *reps,
                      struct emul_ctxt *c);
int hvm_emul_rep_movs(enum emul_seg src, uint64_t src_off, enum emul_seg dst, uint64_t dst_off, unsigned bytes,
                      uint64_t *reps, struct emul_ctxt *c);
int hvm_emul_read_io(uint16_t port, unsigned bytes, uint32_t *value, struct emul_ctxt *c);
int hvm_emul_write_io(uint16_t port, unsigned bytes, uint32_t value, struct emul_ctxt *c);

#endif
