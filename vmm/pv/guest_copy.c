/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copies to and from the current PV vCPU's address space, which is the one in
 * CR3.  A fault ends the copy through the exception table.
 */
#include "mm.h"
#include "../cpu/asm.h"
#include "../cpu/cpu.h"
#include "../cpu/extable.h"
#include "../cpu/percpu.h"
#include "../cpu/regs.h"

#define COPY_MAX (1UL << 40) /* below the hypervisor's hole in the address space, which so cannot be stepped over */

static bool range_ok(uint64_t gva, size_t n)
{
    return n <= COPY_MAX && is_guest_va(gva) && gva + n - 1 >= gva && is_guest_va(gva + n - 1);
}

/* Guest pages are user pages: with SMAP on, access is opened around the copy. AMD APM 2, 5.6.3; Intel SDM 3A, 4.6 */
static void smap_open(void)
{
    if (mmu_cr4_features & CR4_SMAP) {
        INSN("stac" ::: "memory");
    }
}

static void smap_close(void)
{
    if (mmu_cr4_features & CR4_SMAP) {
        INSN("clac" ::: "memory");
    }
}

static __hot_entry int copy(void *dst, const void *src, size_t n)
{
    int rc;

    smap_open();
    rc = copy_bytes_safe(dst, src, n);
    smap_close();
    return rc;
}

__hot_entry int pv_copy_from_guest(void *dst, uint64_t gva, size_t n)
{
    if (!n) {
        return 0;
    }
    return range_ok(gva, n) ? copy(dst, (const void *)gva, n) : -EFAULT;
}

__hot_entry int pv_copy_to_guest(uint64_t gva, const void *src, size_t n)
{
    if (!n) {
        return 0;
    }
    return range_ok(gva, n) ? copy((void *)gva, src, n) : -EFAULT;
}
