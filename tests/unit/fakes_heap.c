/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hypervisor's small objects from the host's allocator, where the sanitizer watches their bounds and their end. */
#include "fakes.h"

int fake_heap_fail_after = -1;
unsigned fake_heap_objects;

static bool heap_fails(void)
{
    if (fake_heap_fail_after < 0)
        return false;
    if (fake_heap_fail_after == 0)
        return true;
    fake_heap_fail_after--;
    return false;
}

void *xzalloc_bytes(size_t size)
{
    void *p = heap_fails() ? NULL : calloc(1, size ? size : 1);

    fake_heap_objects += p != NULL;
    return p;
}

void *xrealloc_bytes(void *p, size_t old_size, size_t new_size)
{
    void *n = xzalloc_bytes(new_size);

    if (!n)
        return NULL;
    if (p)
        memcpy(n, p, MIN(old_size, new_size));
    xfree(p);
    return n;
}

void xfree(void *p)
{
    fake_heap_objects -= p != NULL;
    free(p);
}
