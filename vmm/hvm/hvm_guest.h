/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions behind hvm_guest_ops: hvm_vcpu.c and hvm_mem.c; see struct guest_ops for what each promises. */
#ifndef POLDER_HVM_GUEST_H
#define POLDER_HVM_GUEST_H

#include "hvm_state.h"

int hvm_vcpu_create(struct vcpu *v);
void hvm_vcpu_free(struct vcpu *v);
void hvm_switch_from(struct vcpu *v);
void hvm_switch_to(struct vcpu *v);
int hvm_set_context(struct vcpu *v, const struct vcpu_guest_context *ctx);
int hvm_get_context(struct vcpu *v, struct vcpu_guest_context *ctx);
int hvm_set_hvm_context(struct vcpu *v, const struct vcpu_hvm_context *ctx);
int hvm_vcpu_reset(struct vcpu *v);

int hvm_copy_from_guest(void *dst, uint64_t gva, size_t n);
int hvm_copy_to_guest(uint64_t gva, const void *src, size_t n);
struct page_info *hvm_get_page(struct domain *d, gfn_t gfn, bool write, int *err);
mfn_t hvm_gfn_to_mfn(struct domain *d, gfn_t gfn);
int hvm_physmap_add(struct domain *d, gfn_t gfn, mfn_t mfn, unsigned order);
int hvm_physmap_remove(struct domain *d, gfn_t gfn, mfn_t mfn, unsigned order);
int hvm_physmap_add_foreign(struct domain *d, gfn_t gfn, mfn_t mfn);
int hvm_map_mmio(struct domain *d, gfn_t gfn, mfn_t mfn, uint64_t n, bool add);
int hvm_grant_map(struct domain *d, uint64_t host_addr, mfn_t mfn, unsigned gnttab_flags, unsigned cache_flags);
int hvm_grant_unmap(struct domain *d, uint64_t host_addr, mfn_t mfn, unsigned gnttab_flags, uint64_t new_addr);
void hvm_mark_dirty(struct domain *d, mfn_t mfn);

int pvh_dom0_construct(struct domain *d, const void *kernel, size_t kernel_len, const void *initrd, size_t initrd_len,
                       const char *cmdline);

#endif
