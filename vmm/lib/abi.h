/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ABI that guests and tools see: the public headers of libxen-dev, as they
 * are.  __XEN_TOOLS__ makes domctl and sysctl visible and every interface the
 * newest.
 */
#ifndef POLDER_LIB_ABI_H
#define POLDER_LIB_ABI_H

#ifndef __XEN_TOOLS__
#define __XEN_TOOLS__ 1
#endif
#include "types.h"
#include <xen/xen.h>

#endif
