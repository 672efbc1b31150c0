/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The controls that vCPUs run with, as the capability MSRs allow them. */
#ifndef POLDER_VMX_CAPS_H
#define POLDER_VMX_CAPS_H

#include "vmcs.h"

struct vmx_caps {
    uint32_t revision; /* of the VMCS */
    uint32_t pin, proc, proc2, exit, entry;
    uint64_t cr0_fixed0, cr0_fixed1; /* bits that must be 1; bits that may be 1 */
    uint64_t cr4_fixed0, cr4_fixed1;
    unsigned timer_shift; /* the preemption timer counts in 2^this TSC ticks */
    bool apicv;           /* APIC-register virtualisation and virtual-interrupt delivery are used */
    bool ept_2m, ept_1g, invept_context, invvpid_context;
};
extern struct vmx_caps vmx_caps; /* the boot CPU's, which the others must equal */

/* Of this CPU. NULL, or what it lacks. */
const char *vmx_read_caps(struct vmx_caps *caps);

#endif
