/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hypervisor's console for Dom0: writing to it, and reading what was typed for Dom0 (public header xen.h, CONSOLEIO_*). */
#include "../boot/console.h"
#include "../cpu/percpu.h"
#include "hypercall.h"

#define CONSOLE_CHUNK 128

static long console_write_guest(uint64_t count, uint64_t buf)
{
    char text[CONSOLE_CHUNK];
    bool first = true;

    for (; count; first = false) {
        size_t n = MIN(count, (uint64_t)sizeof(text));

        if (!first && hypercall_preempt_check()) /* each try gets on by a chunk at least */
            return hypercall_continue(__HYPERVISOR_console_io, 3, (uint64_t)CONSOLEIO_write, count, buf);
        if (copy_from_guest_bytes(text, buf, n))
            return -EFAULT;
        console_write(text, n);
        count -= n;
        buf += n;
    }
    return 0;
}

static long console_read_guest(uint64_t count, uint64_t buf)
{
    char text[CONSOLE_CHUNK];
    uint64_t done = 0;

    while (done < count) {
        size_t n = console_read(text, (size_t)MIN(count - done, (uint64_t)sizeof(text)));

        if (!n)
            break;
        if (copy_to_guest_bytes(buf + done, text, n))
            return -EFAULT;
        done += n;
    }
    return (long)done;
}

long do_console_io(uint64_t cmd, uint64_t count, uint64_t buf, uint64_t a4, uint64_t a5)
{
    if (!current->domain->is_hardware)
        return -EPERM;
    switch ((uint32_t)cmd) {
    case CONSOLEIO_write: return console_write_guest((uint32_t)count, buf);
    case CONSOLEIO_read: return console_read_guest((uint32_t)count, buf);
    default: return -ENOSYS;
    }
}
