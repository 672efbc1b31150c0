/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading an ELF64 kernel: its program headers and its Xen notes (public
 * header elfnote.h).  Offsets and sizes in the file are not believed.
 * System V ABI, "Object Files"; AMD64 supplement.
 */
#include "../lib/errno.h"
#include "../lib/printk.h"
#include "../lib/string.h"
#include "image.h"
#include <xen/elfnote.h>
#include <xen/features.h>

struct elf64_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf64_header) == 64, "Elf64_Ehdr");

struct elf64_program {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct elf64_program) == 56, "Elf64_Phdr");

struct elf_note {
    uint32_t namesz, descsz, type;
};

#define IDENT_CLASS 4
#define CLASS_32 1
#define CLASS_64 2
#define IDENT_DATA 5
#define DATA_LSB 1
#define TYPE_EXEC 2
#define TYPE_DYN 3
#define MACHINE_X86_64 62
#define PT_LOAD 1
#define PT_NOTE 4
#define EXTENT_MAX GB(1) /* of a kernel in memory */

static int fail(char *err, size_t errlen, const char *what)
{
    snprintf(err, errlen, "%s", what);
    return -ENOEXEC;
}

/* -- notes --------------------------------------------------------------------------------------------------------- */
static const char *const feature_names[] = {
    [XENFEAT_writable_page_tables] = "writable_page_tables",
    [XENFEAT_writable_descriptor_tables] = "writable_descriptor_tables",
    [XENFEAT_auto_translated_physmap] = "auto_translated_physmap",
    [XENFEAT_supervisor_mode_kernel] = "supervisor_mode_kernel",
    [XENFEAT_pae_pgdir_above_4gb] = "pae_pgdir_above_4gb",
    [XENFEAT_mmu_pt_update_preserve_ad] = "mmu_pt_update_preserve_ad",
    [XENFEAT_hvm_callback_vector] = "hvm_callback_vector",
    [XENFEAT_hvm_safe_pvclock] = "hvm_safe_pvclock",
    [XENFEAT_hvm_pirqs] = "hvm_pirqs",
    [XENFEAT_dom0] = "dom0",
};

/* "name|!name|...": supported, or with ! required. False: a required one is unknown. */
static bool parse_features(const char *s, size_t len, struct image_notes *n)
{
    size_t i = 0;

    while (i < len && s[i]) {
        bool required = s[i] == '!', known = false;
        size_t start = i + required, end = start;

        while (end < len && s[end] && s[end] != '|') {
            end++;
        }
        for (unsigned f = 0; f < ARRAY_SIZE(feature_names); f++) {
            if (feature_names[f] && strlen(feature_names[f]) == end - start &&
                !memcmp(feature_names[f], s + start, end - start)) {
                n->features_supported |= 1U << f;
                n->features_required |= required ? 1U << f : 0;
                known = true;
            }
        }
        if (required && !known) {
            return false;
        }
        i = end < len && s[end] == '|' ? end + 1 : end;
    }
    return true;
}

static uint64_t note_number(const uint8_t *desc, uint32_t size)
{
    uint64_t v = 0;

    memcpy(&v, desc, MIN(size, (uint32_t)sizeof(v)));
    return v;
}

static void note_text(char *dst, size_t dst_size, const uint8_t *desc, uint32_t size)
{
    size_t n = strnlen((const char *)desc, MIN((size_t)size, dst_size - 1));

    memcpy(dst, desc, n);
    dst[n] = '\0';
}

/* A number is 4 or 8 bytes; bool notes are numbers too, or text such as "yes". */
static bool note_yes(const uint8_t *desc, uint32_t size)
{
    return size >= 3 && !memcmp(desc, "yes", 3) ? true : note_number(desc, size) != 0;
}

static bool parse_note(uint32_t type, const uint8_t *desc, uint32_t size, struct image_notes *n)
{
    n->found = true;
    switch (type) {
    case XEN_ELFNOTE_ENTRY: n->entry = note_number(desc, size); break;
    case XEN_ELFNOTE_HYPERCALL_PAGE: n->hypercall_page = note_number(desc, size); break;
    case XEN_ELFNOTE_VIRT_BASE: n->virt_base = note_number(desc, size); break;
    case XEN_ELFNOTE_PADDR_OFFSET: n->paddr_offset = note_number(desc, size); break;
    case XEN_ELFNOTE_INIT_P2M: n->init_p2m = note_number(desc, size); break;
    case XEN_ELFNOTE_HV_START_LOW: n->hv_start_low = note_number(desc, size); break;
    case XEN_ELFNOTE_PHYS32_ENTRY: n->phys32_entry = note_number(desc, size); break;
    case XEN_ELFNOTE_MOD_START_PFN: n->mod_start_pfn = note_yes(desc, size); break;
    case XEN_ELFNOTE_SUSPEND_CANCEL: n->suspend_cancel = note_yes(desc, size); break;
    case XEN_ELFNOTE_LOADER: note_text(n->loader, sizeof(n->loader), desc, size); break;
    case XEN_ELFNOTE_GUEST_OS: note_text(n->guest_os, sizeof(n->guest_os), desc, size); break;
    case XEN_ELFNOTE_GUEST_VERSION: note_text(n->guest_version, sizeof(n->guest_version), desc, size); break;
    case XEN_ELFNOTE_XEN_VERSION: note_text(n->xen_version, sizeof(n->xen_version), desc, size); break;
    case XEN_ELFNOTE_FEATURES: return parse_features((const char *)desc, size, n);
    case XEN_ELFNOTE_SUPPORTED_FEATURES: n->features_supported |= (uint32_t)note_number(desc, size); break;
    case XEN_ELFNOTE_L1_MFN_VALID:
        if (size >= 16) {
            n->l1_mfn_mask = note_number(desc, 8);
            n->l1_mfn_value = note_number(desc + 8, 8);
        }
        break;
    default: break; /* unknown notes are advice */
    }
    return true;
}

/* Name and descriptor are padded to 4 bytes each. */
static bool parse_note_segment(const uint8_t *p, uint64_t len, struct image_notes *n)
{
    while (len >= sizeof(struct elf_note)) {
        struct elf_note h;
        uint64_t name, desc, total;

        memcpy(&h, p, sizeof(h));
        name = sizeof(h);
        desc = name + ROUND_UP((uint64_t)h.namesz, 4);
        total = desc + ROUND_UP((uint64_t)h.descsz, 4);
        if (desc + h.descsz > len) {
            return true; /* what follows is no list of notes */
        }
        if (h.namesz == 4 && !memcmp(p + name, "Xen", 4) && !parse_note(h.type, p + desc, h.descsz, n)) {
            return false;
        }
        total = MIN(total, len);
        p += total;
        len -= total;
    }
    return true;
}

/* -- program headers ----------------------------------------------------------------------------------------------- */
static int check_header(const struct elf64_header *h, size_t len, char *err, size_t errlen)
{
    if (len < sizeof(*h) || memcmp(h->ident, "\177ELF", 4)) {
        return fail(err, errlen, "not an ELF file; give a bzImage or a vmlinux");
    }
    if (h->ident[IDENT_CLASS] == CLASS_32) {
        return fail(err, errlen, "a 32-bit ELF file; only 64-bit kernels can run, give an x86-64 one");
    }
    if (h->ident[IDENT_CLASS] != CLASS_64 || h->ident[IDENT_DATA] != DATA_LSB || h->machine != MACHINE_X86_64) {
        return fail(err, errlen, "an ELF file for another machine; give an x86-64 kernel");
    }
    if (h->type != TYPE_EXEC && h->type != TYPE_DYN) {
        return fail(err, errlen, "an ELF file that is not a program; give the linked kernel");
    }
    if (!h->phnum || h->phentsize != sizeof(struct elf64_program) || h->phoff > len ||
        (len - h->phoff) / sizeof(struct elf64_program) < h->phnum) {
        return fail(err, errlen, "an ELF file without usable program headers; it is damaged or cut off");
    }
    return 0;
}

static int add_segment(const struct elf64_program *p, struct image_info *out, char *err, size_t errlen)
{
    struct image_segment *s;

    if (p->filesz > p->memsz || p->memsz > EXTENT_MAX || p->paddr + p->memsz < p->paddr) {
        return fail(err, errlen, "a segment of the ELF file has impossible sizes; it is damaged");
    }
    if (!p->memsz) {
        return 0;
    }
    if (out->nr_segments == IMAGE_SEGMENTS_MAX) {
        return fail(err, errlen, "the ELF file has more than 16 segments to load");
    }
    s = &out->segment[out->nr_segments++];
    *s = (struct image_segment){.paddr = p->paddr, .file_offset = p->offset, .filesz = p->filesz, .memsz = p->memsz};
    return 0;
}

static int read_programs(const uint8_t *elf, size_t len, const struct elf64_header *h, struct image_info *out,
                         char *err, size_t errlen)
{
    for (unsigned i = 0; i < h->phnum; i++) {
        struct elf64_program p;
        int rc;

        memcpy(&p, elf + h->phoff + i * sizeof(p), sizeof(p));
        if (p.type != PT_LOAD && p.type != PT_NOTE) {
            continue;
        }
        if (p.offset > len || p.filesz > len - p.offset) {
            return fail(err, errlen, "the ELF file ends within a segment; it is cut off, copy it again");
        }
        if (p.type == PT_NOTE) {
            if (!parse_note_segment(elf + p.offset, p.filesz, &out->notes)) {
                return fail(err, errlen, "the kernel requires a Xen feature that is not known here");
            }
            continue;
        }
        rc = add_segment(&p, out, err, errlen);
        if (rc) {
            return rc;
        }
    }
    return out->nr_segments ? 0 : fail(err, errlen, "the ELF file has nothing to load");
}

/* Where segments go depends on the notes, wherever in the file those are. */
static int place_segments(struct image_info *out, char *err, size_t errlen)
{
    const struct image_notes *n = &out->notes;

    out->vstart = out->pstart = ~0UL;
    out->vend = out->pend = 0;
    for (unsigned i = 0; i < out->nr_segments; i++) {
        struct image_segment *s = &out->segment[i];

        s->vaddr = s->paddr - n->paddr_offset + n->virt_base;
        if (s->vaddr + s->memsz < s->vaddr) {
            return fail(err, errlen, "the kernel's notes put a segment across the end of memory; it is damaged");
        }
        out->vstart = MIN(out->vstart, s->vaddr);
        out->vend = MAX(out->vend, s->vaddr + s->memsz);
        out->pstart = MIN(out->pstart, s->paddr);
        out->pend = MAX(out->pend, s->paddr + s->memsz);
    }
    if (out->vend - out->vstart > EXTENT_MAX) {
        return fail(err, errlen, "the kernel's segments lie more than 1 GiB apart; it is damaged");
    }
    out->ventry = n->entry;
    if (n->found && (out->ventry < out->vstart || out->ventry >= out->vend)) {
        return fail(err, errlen, "the kernel's entry point lies outside of it; it is damaged");
    }
    return 0;
}

int elf_parse(const void *elf, size_t len, struct image_info *out, char *err, size_t errlen)
{
    struct elf64_header h = {};
    int rc;

    memcpy(&h, elf, MIN(len, sizeof(h)));
    rc = check_header(&h, len, err, errlen);
    if (rc) {
        return rc;
    }
    out->elf = elf;
    out->elf_len = len;
    out->nr_segments = 0;
    out->symtab_len = 0;
    out->notes = (struct image_notes){
        .entry = h.entry, .init_p2m = IMAGE_UNSET, .hypercall_page = IMAGE_UNSET, .phys32_entry = IMAGE_UNSET};
    rc = read_programs(elf, len, &h, out, err, errlen);
    return rc ? rc : place_segments(out, err, errlen);
}
