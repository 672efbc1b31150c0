/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small machine for unit tests: 16 MiB of RAM at the addresses of a host
 * build, one CPU, domains with a map of their frames, and hypercalls whose
 * guest pointers are the test's own.  Locks check order and balance.
 */
#ifndef POLDER_TESTS_FAKES_H
#define POLDER_TESTS_FAKES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vmm/cpu/percpu.h"
#include "vmm/domain/domain.h"
#include "vmm/domain/hypercall.h"
#include "vmm/lib/string.h"
#include "vmm/mm/alloc.h"

/* -- fakes_machine.c ---------------------------------------------------------------------------------------------- */
#define FAKE_FRAMES 4096U
#define FAKE_FIRST_FREE 256U   /* frames below are not the heap's */
void fake_machine_start(void); /* once */
/* A guest's bug must not reach this: it ends the test program. With fake_panic_expected set it returns to there. */
extern jmp_buf fake_panic_jump;
extern bool fake_panic_expected;
#define assert_panics(call)                                                                                            \
    do {                                                                                                               \
        fake_panic_expected = true;                                                                                    \
        if (!setjmp(fake_panic_jump)) {                                                                                \
            call;                                                                                                      \
            fail_msg("no panic: %s", #call);                                                                           \
        }                                                                                                              \
        fake_panic_expected = false;                                                                                   \
    } while (0)
extern time_ns_t fake_now;
extern unsigned fake_locks_held, fake_tlb_flushes;
extern uint32_t fake_tlb_clock; /* what tlb_clock() says */
extern unsigned fake_local_flushes; /* full flushes of this CPU's TLB */
extern time_ns_t fake_hw_timer; /* what was programmed last */
/* The last message, without its level. */
extern char fake_last_message[256];

/* -- fakes_heap.c: xzalloc over the host's allocator ----------------------------------------------------------------
 */
extern int fake_heap_fail_after; /* so many allocations succeed, then one fails; -1: none fails */
extern unsigned fake_heap_objects;

/* -- fakes_domain.c ------------------------------------------------------------------------------------------------ */
struct domain *fake_domain(domid_t id, bool hvm, unsigned vcpus); /* max_pages 1024, no pages; with shared_info */
void fake_domain_free(struct domain *d);                          /* asserts that nobody holds a reference */
void fake_run(struct vcpu *v);                                    /* becomes current */
/* One frame of d's memory; gfn: where an HVM domain has it. */
struct page_info *fake_page(struct domain *d, uint64_t gfn);
/* What a domain has mapped by its grant_map; NULL: nothing at this address. */
struct fake_mapping {
    uint64_t host_addr;
    mfn_t mfn;
    unsigned flags;
};
struct fake_mapping *fake_mapping_at(struct domain *d, uint64_t host_addr);
extern int fake_grant_map_error;
/* Called as get_page succeeds: what another vCPU does before the caller goes on. */
extern void (*fake_get_page_hook)(struct domain *d, gfn_t gfn);
extern mfn_t fake_dirtied; /* the last frame of an HVM domain that was said to be written to */
#define FAKE_P2M_SIZE 1024U
void fake_p2m_set(struct domain *d, uint64_t gfn, mfn_t mfn);

extern uint64_t fake_fault_at; /* guest accesses that touch this address fail; 0: none */
extern int fake_preempt_after; /* so many preemption checks say no, then one says yes, and again; -1: never */
extern unsigned fake_continuations;
/* Does a hypercall with all its continuations. */
long fake_hypercall(hypercall_fn fn, uint64_t a1, uint64_t a2, uint64_t a3);

/* setup and teardown for each test: the latter asserts that nothing was leaked. */
int fake_setup(void **state);
int fake_teardown(void **state);
#define UNIT_TEST(fn) cmocka_unit_test_setup_teardown(fn, fake_setup, fake_teardown)

#endif
