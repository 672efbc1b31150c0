/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hypercalls: the table, guest memory access, and continuations.
 *
 * A handler returns what the guest gets in RAX. Long work checks
 * hypercall_preempt_check() and returns hypercall_continue(...), which makes
 * the guest execute the instruction again with these arguments.
 */
#ifndef POLDER_DOMAIN_HYPERCALL_H
#define POLDER_DOMAIN_HYPERCALL_H

#include "domain.h"

/* Arguments as 64-bit numbers; guest pointers are linear addresses of the current vCPU. */
typedef long (*hypercall_fn)(uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);
/* Each handler is named do_NAME, in the file of its subject; the table in hypercall.c holds them all. */
void hypercall_register_pv(unsigned nr, hypercall_fn fn); /* those that only PV (HVM) guests have: vmm/pv, vmm/hvm */
void hypercall_register_hvm(unsigned nr, hypercall_fn fn);

/*
 * Called by vmm/pv and vmm/hvm with a hypercall in regs (RAX, RDI RSI RDX R10 R8; 32-bit HVM: EAX, EBX ECX EDX ESI EDI).
 * Stores the result in regs->rax, or, if the call is to be restarted, returns true with the arguments updated and
 * leaves RIP to the caller, who must not advance it (PV: moves it back over SYSCALL).
 */
bool hypercall_dispatch(struct cpu_user_regs *regs, bool is_64bit) __must_check;

bool hypercall_preempt_check(void);                        /* a softirq or (for PV) an event waits */
long hypercall_continue(unsigned nr, unsigned nargs, ...); /* uint64_t arguments */

/* True while the current hypercall came from 32-bit HVM code: structures have the 32-bit layout (compat.c). */
bool hypercall_is_compat(void);

/* -- guest memory: all return 0 or -EFAULT; sizes are in elements and checked for overflow ----------------------- */
int copy_from_guest_bytes(void *dst, uint64_t gva, size_t n) __must_check;
int copy_to_guest_bytes(uint64_t gva, const void *src, size_t n) __must_check;
int clear_guest_bytes(uint64_t gva, size_t n) __must_check;
#define copy_from_guest(dst, gva) copy_from_guest_bytes((dst), (gva), sizeof(*(dst)))
#define copy_to_guest(gva, src) copy_to_guest_bytes((gva), (src), sizeof(*(src)))
#define guest_elem(gva, type, i) ((gva) + (uint64_t)(i) * sizeof(type))
/* The address in a guest handle of a public structure. */
#define handle_gva(h) ((uint64_t)(uintptr_t)(h).p)
/* Null-handle test as the ABI means it. */
#define handle_is_null(h) ((h).p == NULL)
/* Copies a string of at most size - 1 bytes that the guest terminated. -EFAULT, -ENOBUFS. */
int copy_string_from_guest(char *dst, uint64_t gva, size_t size) __must_check;

/* -- handlers that other folders' tables or tests call ------------------------------------------------------------- */
long do_memory_op(uint64_t cmd, uint64_t arg, uint64_t, uint64_t, uint64_t);
long do_grant_table_op(uint64_t cmd, uint64_t uop, uint64_t count, uint64_t, uint64_t);
long do_event_channel_op(uint64_t cmd, uint64_t arg, uint64_t, uint64_t, uint64_t);
long do_sched_op(uint64_t cmd, uint64_t arg, uint64_t, uint64_t, uint64_t);
long do_vcpu_op(uint64_t cmd, uint64_t vcpu, uint64_t arg, uint64_t, uint64_t);
long do_set_timer_op(uint64_t deadline, uint64_t, uint64_t, uint64_t, uint64_t);
long do_xen_version(uint64_t cmd, uint64_t arg, uint64_t, uint64_t, uint64_t);
long do_console_io(uint64_t cmd, uint64_t count, uint64_t buf, uint64_t, uint64_t);
long do_physdev_op(uint64_t cmd, uint64_t arg, uint64_t, uint64_t, uint64_t);
long do_platform_op(uint64_t arg, uint64_t, uint64_t, uint64_t, uint64_t);
long do_multicall(uint64_t list, uint64_t n, uint64_t, uint64_t, uint64_t);
long do_domctl(uint64_t arg, uint64_t, uint64_t, uint64_t, uint64_t);
long do_sysctl(uint64_t arg, uint64_t, uint64_t, uint64_t, uint64_t);
long do_vm_assist(uint64_t cmd, uint64_t type, uint64_t, uint64_t, uint64_t);
long do_hvm_op(uint64_t op, uint64_t arg, uint64_t, uint64_t, uint64_t);
long do_dm_op(uint64_t domid, uint64_t nr_bufs, uint64_t bufs, uint64_t, uint64_t);
long do_xsm_op(uint64_t arg, uint64_t, uint64_t, uint64_t, uint64_t);
long do_hypfs_op(uint64_t cmd, uint64_t a, uint64_t b, uint64_t c, uint64_t d);

/* Domctls that only the guest type knows (HVM context, mmio mapping, PV page-frame info): -ENOSYS if not its own. */
long pv_domctl(struct domain *d, struct xen_domctl *op, bool *copyback);
long hvm_domctl(struct domain *d, struct xen_domctl *op, bool *copyback, uint64_t u_domctl);

#endif
