/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the hypervisor says of itself, the features each guest type has, and the ones a guest turns on (version.h, features.h). */

#include "../boot/boot.h"
#include "../cpu/percpu.h"
#include "../lib/string.h"
#include "hypercall.h"
#include <xen/features.h>
#include <xen/version.h>

#define VERSION_MAJOR 4
#define VERSION_MINOR 17
#define VERSION_EXTRA ".4-polder"

static void capabilities(char *buf, size_t size)
{
    polder_strlcpy(buf,
                   hvm_guests_possible() ? "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 "
                                         : "xen-3.0-x86_64 ",
                   size);
}

static uint32_t features(const struct domain *d)
{
    uint32_t f = 1U << XENFEAT_memory_op_vnode_supported | 1U << XENFEAT_not_direct_mapped;

    if (d->is_hvm)
        f |= 1U << XENFEAT_writable_page_tables | 1U << XENFEAT_auto_translated_physmap |
             1U << XENFEAT_hvm_safe_pvclock | 1U << XENFEAT_hvm_callback_vector;
    else
        f |= 1U << XENFEAT_mmu_pt_update_preserve_ad | 1U << XENFEAT_gnttab_map_avail_bits;
    if (d->is_hardware)
        f |= 1U << XENFEAT_dom0;
    if (d->vm_assist & 1U << VMASST_TYPE_pae_extended_cr3)
        f |= 1U << XENFEAT_pae_pgdir_above_4gb;
    return f;
}

static long get_features(uint64_t arg)
{
    struct xen_feature_info info;

    if (copy_from_guest(&info, arg))
        return -EFAULT;
    if (info.submap_idx >= XENFEAT_NR_SUBMAPS)
        return -EINVAL;
    info.submap = features(current->domain);
    return copy_to_guest(arg, &info);
}

static long compile_info(uint64_t arg)
{
    struct xen_compile_info info = {.compiler = "gcc " __VERSION__, .compile_by = "polder", .compile_date = ""};

    polder_strlcpy(info.compile_domain, "polder " POLDER_VERSION, sizeof(info.compile_domain));
    return copy_to_guest(arg, &info);
}

static long platform_parameters(uint64_t arg)
{
    struct xen_platform_parameters p = {.virt_start = HYPERVISOR_VIRT_START};
    uint32_t none = 0;

    /* A 32-bit guest's structure has a 32-bit word, and no hypervisor in its address space. */
    return hypercall_is_compat() ? copy_to_guest(arg, &none) : copy_to_guest(arg, &p);
}

static long commandline(uint64_t arg)
{
    const char *text = current->domain->is_privileged ? boot_info.cmdline : "<denied>";

    _Static_assert(sizeof(boot_info.cmdline) <= sizeof(xen_commandline_t), "fits the ABI's buffer");
    return copy_to_guest_bytes(arg, text, strlen(text) + 1);
}

/* A string in a buffer of the ABI's size, zeros after it. */
static long string_result(uint64_t arg, const char *text, size_t size)
{
    if (copy_to_guest_bytes(arg, text, strlen(text)))
        return -EFAULT;
    return clear_guest_bytes(arg + strlen(text), size - strlen(text));
}

long do_xen_version(uint64_t cmd, uint64_t arg, uint64_t a3, uint64_t a4, uint64_t a5)
{
    char caps[80];

    switch ((uint32_t)cmd) {
    case XENVER_version: return VERSION_MAJOR << 16 | VERSION_MINOR;
    case XENVER_extraversion: return string_result(arg, VERSION_EXTRA, XEN_EXTRAVERSION_LEN);
    case XENVER_compile_info: return compile_info(arg);
    case XENVER_capabilities:
        capabilities(caps, sizeof(caps));
        return string_result(arg, caps, XEN_CAPABILITIES_INFO_LEN);
    case XENVER_changeset: return string_result(arg, POLDER_VERSION, XEN_CHANGESET_INFO_LEN);
    case XENVER_platform_parameters: return platform_parameters(arg);
    case XENVER_get_features: return get_features(arg);
    case XENVER_pagesize: return PAGE_SIZE;
    case XENVER_guest_handle: return copy_to_guest_bytes(arg, current->domain->handle, sizeof(current->domain->handle));
    case XENVER_commandline: return commandline(arg);
    case XENVER_build_id: return -ENODATA;
    default: return -ENOSYS;
    }
}

/*
 * The assists for 32-bit PV guests' segments and page directories ask for nothing that a 64-bit one would notice; m2p_strict
 * is not offered.
 */
long do_vm_assist(uint64_t cmd, uint64_t type, uint64_t a3, uint64_t a4, uint64_t a5)
{
    const uint32_t pv = 1U << VMASST_TYPE_4gb_segments | 1U << VMASST_TYPE_4gb_segments_notify |
                        1U << VMASST_TYPE_writable_pagetables | 1U << VMASST_TYPE_pae_extended_cr3 |
                        1U << VMASST_TYPE_architectural_iopl | 1U << VMASST_TYPE_runstate_update_flag;
    const uint32_t hvm = 1U << VMASST_TYPE_runstate_update_flag;
    struct domain *d = current->domain;

    if ((uint32_t)type >= 32 || !((d->is_hvm ? hvm : pv) >> (uint32_t)type & 1))
        return -EINVAL;
    switch ((uint32_t)cmd) {
    case VMASST_CMD_enable: set_bit((uint32_t)type, &d->vm_assist); return 0;
    case VMASST_CMD_disable: clear_bit((uint32_t)type, &d->vm_assist); return 0;
    default: return -ENOSYS;
    }
}
