/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Building Dom0, a PV domain, from the boot modules: kernel and initrd.  The
 * layout of its first memory follows the ABI (public header xen.h, "Start-of-day memory layout").
 * Runs once, at the end of boot; whatever is wrong with its input ends in a panic that says so.
 */
#include "../boot/boot.h"
#include "../cpu/regs.h"
#include "../domain/dom0.h"
#include "../domain/evtchn.h"
#include "../domain/hypercall.h"
#include "../lib/string.h"
#include "../mm/alloc.h"
#include "../sched/sched.h"
#include "../sched/softirq.h"
#include "dom0.h"
#include "dom0_build.h"
#include "guest.h"
#include <xen/features.h>

#define SLACK KB(512)      /* the ABI: at least this much mapped behind what is placed */
#define REGION_ALIGN MB(4) /* and the region ends so aligned */
#define ERROR_TEXT 160

/* -- layout -------------------------------------------------------------------------------------------------------- */

static uint64_t page_up(uint64_t a) { return ROUND_UP(a, PAGE_SIZE); }

/* Places what is mapped behind the kernel; the page tables' number depends on the end, and the end on their number. */
static void place_region(struct dom0_build *b, bool map_initrd, bool map_p2m)
{
    uint64_t next = page_up(b->img.vend + b->img.symtab_len);

    if (map_initrd && b->initrd_len) {
        b->v_initrd = next;
        next = page_up(next + b->initrd_len);
    }
    if (map_p2m) {
        b->v_p2m = next;
        next += b->nr_p2m_frames * PAGE_SIZE;
    }
    b->v_start_info = next;
    b->v_pt = next + PAGE_SIZE;
    b->nr_pt = 1;
    for (;;) {
        uint64_t need;

        b->v_stack = b->v_pt + b->nr_pt * PAGE_SIZE;
        b->v_end = ROUND_UP(b->v_stack + PAGE_SIZE + SLACK, REGION_ALIGN);
        need = 1 + dom0_tables_for(b->v_start, b->v_end);
        if (need <= b->nr_pt) {
            break;
        }
        b->nr_pt = need;
    }
}

static void lay_out(struct dom0_build *b)
{
    const struct image_notes *notes = &b->img.notes;
    bool map_initrd = !notes->mod_start_pfn, map_p2m = notes->init_p2m == IMAGE_UNSET;

    b->v_start = notes->virt_base;
    if (!is_guest_va(b->v_start) || (b->v_start & ~PAGE_MASK) || b->img.vstart < b->v_start) {
        panic("Dom0's kernel is linked at %#lx, outside of its VIRT_BASE %#lx", b->img.vstart, b->v_start);
    }
    b->nr_p2m_frames = DIV_ROUND_UP(b->nr_pages * sizeof(uint64_t), PAGE_SIZE);
    place_region(b, map_initrd, map_p2m);
    b->end_pfn = (b->v_end - b->v_start) >> PAGE_SHIFT;
    if (b->v_end <= b->v_start || !is_guest_va(b->v_end - 1)) {
        panic("Dom0's kernel and what belongs to it do not fit behind its VIRT_BASE %#lx", b->v_start);
    }

    b->initrd_pfn = map_initrd ? (b->v_initrd - b->v_start) >> PAGE_SHIFT : b->end_pfn;
    if (!map_initrd) {
        b->end_pfn += dom0_initrd_frames(b);
    }
    if (map_p2m) {
        b->p2m_pfn = (b->v_p2m - b->v_start) >> PAGE_SHIFT;
    } else {
        uint64_t end = notes->init_p2m + b->nr_p2m_frames * PAGE_SIZE;

        if (!is_guest_va(notes->init_p2m) || !is_guest_va(end - 1) || (notes->init_p2m & ~PAGE_MASK) ||
            (notes->init_p2m < b->v_end && end > b->v_start)) {
            panic("Dom0's kernel wants its p2m list at %#lx, where it cannot be", notes->init_p2m);
        }
        b->v_p2m = notes->init_p2m;
        b->p2m_pfn = b->end_pfn;
        b->nr_p2m_pt = dom0_tables_for(b->v_p2m, end);
        b->end_pfn += b->nr_p2m_frames + b->nr_p2m_pt;
    }
    if (b->end_pfn > b->nr_pages) {
        panic("Dom0's kernel and initrd need %lu MiB, it has %lu; give it more with dom0_mem=", (b->end_pfn >> 8) + 1,
              b->nr_pages >> 8);
    }
}

/* -- contents ------------------------------------------------------------------------------------------------------ */

static void *place_at(void *ctx, uint64_t vaddr, uint64_t *avail)
{
    struct dom0_build *b = ctx;

    if (vaddr < b->v_start || vaddr >= b->v_end) {
        return NULL;
    }
    *avail = PAGE_SIZE - (vaddr & ~PAGE_MASK);
    return (uint8_t *)dom0_frame(b, (vaddr - b->v_start) >> PAGE_SHIFT) + (vaddr & ~PAGE_MASK);
}

/* All behind the kernel but the initrd. */
static void clear_region(const struct dom0_build *b)
{
    for (uint64_t pfn = (page_up(b->img.vend) - b->v_start) >> PAGE_SHIFT; pfn < b->end_pfn; pfn++) {
        if (pfn - b->initrd_pfn >= dom0_initrd_frames(b)) {
            memset(dom0_frame(b, pfn), 0, PAGE_SIZE);
        }
    }
}

static void copy_initrd(const struct dom0_build *b)
{
    uint64_t rest = b->initrd_len & ~PAGE_MASK;

    if (b->initrd_in_place) {
        return;
    }
    if (rest) {
        memset((uint8_t *)dom0_frame(b, b->initrd_pfn + dom0_initrd_frames(b) - 1) + rest, 0, PAGE_SIZE - rest);
    }
    for (uint64_t done = 0; done < b->initrd_len; done += PAGE_SIZE) {
        memcpy(dom0_frame(b, b->initrd_pfn + (done >> PAGE_SHIFT)), (const uint8_t *)b->initrd + done,
               MIN(PAGE_SIZE, b->initrd_len - done));
    }
}

static void place_hypercall_page(struct dom0_build *b)
{
    uint64_t va = b->img.notes.hypercall_page, avail;
    void *page;

    if (va == IMAGE_UNSET) {
        return;
    }
    page = va & ~PAGE_MASK ? NULL : place_at(b, va, &avail);
    if (!page) {
        panic("Dom0's kernel wants its hypercall page at %#lx, outside of itself", va);
    }
    pv_fill_hypercall_page(page);
}

static void fill_vga(struct start_info *si)
{
    struct dom0_vga_console_info *vga = (void *)((uint8_t *)si + sizeof(*si));

    if (!boot_info.vga.text) {
        return;
    }
    vga->video_type = XEN_VGATYPE_TEXT_MODE_3;
    vga->u.text_mode_3.font_height = 16;
    vga->u.text_mode_3.rows = boot_info.vga.rows;
    vga->u.text_mode_3.columns = boot_info.vga.cols;
    vga->u.text_mode_3.cursor_y = boot_info.vga.rows ? boot_info.vga.rows - 1 : 0;
    si->console.dom0.info_off = sizeof(*si);
    si->console.dom0.info_size = sizeof(*vga);
}
_Static_assert(sizeof(struct start_info) + sizeof(struct dom0_vga_console_info) <= PAGE_SIZE, "start info page");

static void fill_start_info(struct dom0_build *b)
{
    struct start_info *si = dom0_frame(b, (b->v_start_info - b->v_start) >> PAGE_SHIFT);

    memset(si, 0, PAGE_SIZE);
    snprintf(si->magic, sizeof(si->magic), "xen-3.0-x86_64");
    si->nr_pages = b->nr_pages;
    si->shared_info = virt_to_paddr(b->d->shared_info);
    si->flags = SIF_PRIVILEGED | SIF_INITDOMAIN;
    si->pt_base = b->v_pt;
    si->nr_pt_frames = b->nr_pt;
    si->mfn_list = b->v_p2m;
    if (b->initrd_len) {
        si->mod_start = b->v_initrd ? b->v_initrd : b->initrd_pfn;
        si->mod_len = b->initrd_len;
        si->flags |= b->v_initrd ? 0 : SIF_MOD_START_PFN;
    }
    if (b->nr_p2m_pt) {
        si->first_p2m_pfn = b->p2m_pfn;
        si->nr_p2m_frames = b->nr_p2m_frames + b->nr_p2m_pt;
    }
    if (polder_strlcpy((char *)si->cmd_line, b->cmdline, sizeof(si->cmd_line)) >= sizeof(si->cmd_line)) {
        printk("Dom0's command line is cut off at %lu characters\n", sizeof(si->cmd_line) - 1);
    }
    fill_vga(si);
}

static void set_first_vcpu(struct dom0_build *b)
{
    struct vcpu *v = b->v;

    memset(&v->regs, 0, sizeof(v->regs));
    v->regs.rip = b->img.ventry;
    v->regs.cs = FLAT_KERNEL_CS;
    v->regs.rflags = pv_guest_rflags(0);
    v->regs.rsp = b->v_stack + PAGE_SIZE;
    v->regs.ss = FLAT_KERNEL_SS;
    v->regs.rsi = b->v_start_info;
    v->pv->kernel_mode = true;
    v->info->evtchn_upcall_mask = 1;
    v->is_initialised = true;
    clear_bit(VPF_down, &v->pause_flags);
}

/* -- the whole ----------------------------------------------------------------------------------------------------- */

static struct domain *create_dom0(bool pvh)
{
    unsigned vcpus = MIN(dom0_vcpus(), (unsigned)PV_MAX_VCPUS);
    struct xen_domctl_createdomain cfg = {
        .flags = pvh ? XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap : 0,
        .max_vcpus = vcpus,
        .max_evtchn_port = ~0U,
        .max_grant_frames = -1,
        .max_maptrack_frames = -1,
        .grant_opts = 2,
        .arch.emulation_flags = pvh ? XEN_X86_EMU_LAPIC : 0,
    };
    struct domain *d;
    struct vcpu *v;
    int rc = domain_create(0, &cfg, true, &d);

    for (unsigned i = 0; !rc && i < cfg.max_vcpus; i++) {
        rc = vcpu_create(d, i, &v);
    }
    if (!rc) {
        rc = dom0_grant_hardware(d);
    }
    if (rc) {
        panic("Dom0 cannot be created (error %d)%s", rc, pvh ? "; this machine may not be able to run PVH guests" : "");
    }
    return d;
}

static void load_kernel(struct dom0_build *b, const struct boot_module *m)
{
    /* Both mean a translated guest. Linux marks others as required that it does without. */
    const uint32_t impossible = 1U << XENFEAT_auto_translated_physmap | 1U << XENFEAT_supervisor_mode_kernel;
    char err[ERROR_TEXT] = "";
    int rc = image_load(paddr_to_virt(m->start), m->size, &b->img, err, sizeof(err));

    if (rc) {
        panic("Dom0's kernel (module 0, %lu bytes): %s", m->size, err);
    }
    if (!b->img.notes.found) {
        panic("Dom0's kernel has no Xen notes: it cannot run paravirtualised; use one built with CONFIG_XEN_PV");
    }
    if (b->img.notes.features_required & impossible) {
        panic("Dom0's kernel requires features %#x that PV domains do not have here", b->img.notes.features_required);
    }
    printk(LOG_INFO "Dom0's kernel: %s %s, %#lx to %#lx, entry %#lx\n", b->img.notes.guest_os,
           b->img.notes.guest_version, b->img.vstart, b->img.vend, b->img.ventry);
}

static const char *dom0_command_line(char *buf, size_t size)
{
    snprintf(buf, size, "%s%s%s", boot_info.modules[0].cmdline ? boot_info.modules[0].cmdline : "",
             boot_info.dom0_args[0] ? " " : "", boot_info.dom0_args);
    return buf;
}

static void build_pv(struct dom0_build *b)
{
    uint64_t max_pages;

    load_kernel(b, &boot_info.modules[0]);
    b->d = create_dom0(false);
    b->v = b->d->vcpu[0];
    b->nr_pages = dom0_memory_pages(&max_pages);
    lay_out(b);
    dom0_allocate_memory(b);
    clear_region(b);
    if (image_place(&b->img, place_at, b)) {
        panic("Dom0's kernel does not fit where it wants to be");
    }
    copy_initrd(b);
    dom0_write_p2m(b);
    dom0_build_tables(b);
    fill_start_info(b);
    place_hypercall_page(b);
    dom0_pin_tables(b);
    set_first_vcpu(b);
    b->d->max_pages = MAX(max_pages, b->nr_pages);
    image_free(&b->img);
    xfree(b->chunk);
    printk(LOG_INFO "Dom0: %lu MiB, %u vCPUs, mapped %#lx to %#lx, p2m list at %#lx\n", b->nr_pages >> 8,
           b->d->max_vcpus, b->v_start, b->v_end, b->v_p2m);
}

static void build_pvh(const struct dom0_build *b)
{
    const struct boot_module *m = &boot_info.modules[0];
    struct domain *d;
    int rc;

    if (!hvm_dom0_construct || !hvm_guests_possible()) {
        panic("dom0=pvh is not possible here: it needs SVM or VT-x with nested paging; leave the option out");
    }
    d = create_dom0(true);
    rc = hvm_dom0_construct(d, paddr_to_virt(m->start), m->size, b->initrd, b->initrd_len, b->cmdline);
    if (rc) {
        panic("Dom0 cannot be built as PVH (error %d); leave dom0=pvh out", rc);
    }
}

void dom0_construct(void)
{
    static struct dom0_build build;
    char cmdline[MAX_GUEST_CMDLINE];

    pv_init();
    if (!boot_info.nr_modules) {
        panic("No kernel for Dom0: the boot loader must give it as the first module, its initrd as the second");
    }
    if (boot_info.nr_modules > 1) {
        build.initrd = paddr_to_virt(boot_info.modules[1].start);
        build.initrd_len = boot_info.modules[1].size;
        /* The kernel's module is still needed: it may not begin in the initrd's last frame. */
        build.initrd_in_place =
            build.initrd_len && !((boot_info.modules[0].start | boot_info.modules[1].start) & ~PAGE_MASK);
    }
    build.cmdline = dom0_command_line(cmdline, sizeof(cmdline));
    if (dom0_is_pvh()) {
        build_pvh(&build);
    } else {
        build_pv(&build);
    }
    domain_wallclock_update(dom0);
    if (domain_unpause_by_controller(dom0)) {
        panic("Dom0 cannot be started");
    }
}
