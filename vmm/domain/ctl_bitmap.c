/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bitmaps in the tools' memory (public header xen.h, struct xenctl_bitmap), byte by byte as the ABI lays them out. */
#include "domctl.h"

#include "../lib/string.h"

int ctl_bitmap_to_guest(const struct xenctl_bitmap *to, const void *bits, unsigned nr_bits)
{
    size_t have = nr_bits / 8, want = DIV_ROUND_UP((size_t)to->nr_bits, 8), n = MIN(have, want);
    uint8_t last;

    if (!n)
        return 0;
    if (copy_to_guest_bytes(handle_gva(to->bitmap), bits, n))
        return -EFAULT;
    if (n == want && to->nr_bits % 8) {
        last = ((const uint8_t *)bits)[n - 1] & (uint8_t)((1U << to->nr_bits % 8) - 1);
        if (copy_to_guest_bytes(handle_gva(to->bitmap) + n - 1, &last, 1))
            return -EFAULT;
    }
    return want > n ? clear_guest_bytes(handle_gva(to->bitmap) + n, MIN(want - n, PAGE_SIZE)) : 0;
}

int ctl_bitmap_from_guest(void *bits, unsigned nr_bits, const struct xenctl_bitmap *from)
{
    size_t have = DIV_ROUND_UP((size_t)from->nr_bits, 8), room = nr_bits / 8, n = MIN(have, room);

    memset(bits, 0, room);
    if (n && copy_from_guest_bytes(bits, handle_gva(from->bitmap), n))
        return -EFAULT;
    if (n == have && from->nr_bits % 8)
        ((uint8_t *)bits)[n - 1] &= (uint8_t)((1U << from->nr_bits % 8) - 1);
    return 0;
}
