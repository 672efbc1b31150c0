/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel images of Dom0: an ELF64 file or a bzImage around one.  The bytes
 * come from the boot loader and are checked as if they were hostile.
 */
#ifndef POLDER_BOOT_IMAGE_H
#define POLDER_BOOT_IMAGE_H

#include "../lib/types.h"

#define IMAGE_FEATURE_WORDS 1 /* XENFEAT_* 0 to 31 */
#define IMAGE_UNSET (~0ULL)

/* Xen ELF notes, as numbers that the builder needs. IMAGE_UNSET where a note is missing. */
struct image_notes {
    bool found;              /* any Xen note at all */
    uint64_t entry;          /* XEN_ELFNOTE_ENTRY; else e_entry of the file */
    uint64_t virt_base;      /* 0 if missing */
    uint64_t paddr_offset;   /* XEN_ELFNOTE_PADDR_OFFSET, 0 if missing */
    uint64_t init_p2m;       /* where the guest wants its p2m list; IMAGE_UNSET: behind the start info */
    uint64_t hypercall_page; /* virtual address; IMAGE_UNSET: none */
    uint64_t hv_start_low;
    uint64_t phys32_entry; /* PVH; IMAGE_UNSET: none */
    uint64_t l1_mfn_mask, l1_mfn_value;
    bool mod_start_pfn; /* the initrd need not be mapped: mod_start is a frame number */
    bool suspend_cancel;
    char loader[16], guest_os[16], guest_version[16], xen_version[16];
    uint32_t features_required, features_supported; /* XENFEAT_* bits */
};

struct image_segment {
    uint64_t vaddr; /* where it wants to be: p_paddr - paddr_offset + virt_base */
    uint64_t paddr; /* p_paddr */
    uint64_t file_offset, filesz, memsz;
};
#define IMAGE_SEGMENTS_MAX 16

struct image_info {
    const uint8_t *elf; /* the (decompressed) ELF file */
    size_t elf_len;
    void *alloc; /* NULL: elf lies in the module; else pages to give back with image_free() */
    unsigned alloc_order;
    struct image_notes notes;
    unsigned nr_segments;
    struct image_segment segment[IMAGE_SEGMENTS_MAX];
    uint64_t vstart, vend; /* virtual extent of all loaded segments; vend is one above */
    uint64_t pstart, pend; /* physical (p_paddr) extent */
    uint64_t ventry;       /* notes.entry, checked to lie within the extent */
    uint64_t symtab_len;   /* bytes that image_place_symtab would want behind vend; 0: none wanted */
};

/*
 * Recognises the file, decompresses it if needed, parses it. 0, or a negative
 * errno with err[] naming the cause and the remedy. out holds pointers into
 * the module or into out->alloc.
 */
int image_load(const void *module, size_t len, struct image_info *out, char *err, size_t errlen) __must_check;
void image_free(struct image_info *img);

/*
 * Copies segments to where dst(ctx, vaddr, &avail) says: it returns hypervisor memory for
 * guest address vaddr and in avail how many bytes may be written there (at least 1), or NULL to give up. Bytes above a
 * segment's file part are zeroed. 0 or -EFAULT.
 */
typedef void *(*image_dst_fn)(void *ctx, uint64_t vaddr, uint64_t *avail);
int image_place(const struct image_info *img, image_dst_fn dst, void *ctx) __must_check;

/* -- between the files of this subject -------------------------------------------------------------------------- */
int elf_parse(const void *elf, size_t len, struct image_info *out, char *err, size_t errlen) __must_check;
bool bzimage_probe(const void *image, size_t len);
/* The compressed payload of a bzImage, and the size of what it expands to if the kernel says so (0: it does not). */
int bzimage_payload(const void *image, size_t len, const uint8_t **payload, size_t *payload_len, char *err,
                    size_t errlen) __must_check;
/* Expands one of gzip, xz, zstd, lz4 by its magic number (-ENOEXEC: none of them). *out is NULL: *out_len is unknown. */
int decompress(const uint8_t *in, size_t in_len, void **out, size_t *out_len, unsigned *out_order, char *err,
               size_t errlen) __must_check;

#endif
