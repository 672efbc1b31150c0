/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Error numbers of the ABI (public header errno.h), by their plain names. */
#ifndef POLDER_LIB_ERRNO_H
#define POLDER_LIB_ERRNO_H

#ifdef POLDER_HOST /* host unit tests: the host's numbers are the same */
#include <errno.h>
#else
#define XEN_ERRNO(name, value) name = value,
enum {
#include <xen/errno.h>
};
#undef XEN_ERRNO
#endif

/* Internal: a long operation was preempted; the caller arranges a continuation. Never shown to a guest. */
#define ERESTART 85

#endif
