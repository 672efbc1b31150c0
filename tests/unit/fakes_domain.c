/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Domains of two kinds, guest memory that is the test's own, and continuations. */
#include "fakes.h"

#include "vmm/domain/grant.h"
#include "vmm/domain/memory.h"
#include "vmm/boot/boot.h"
#include "vmm/mm/pgtable.h"

#define MAX_FAKES 8
#define MAX_MAPPINGS 64
#define DOMAIN_ORDER 2
_Static_assert(sizeof(struct domain) <= PAGE_SIZE << DOMAIN_ORDER, "DOMAIN_ORDER");

struct fake {
    struct domain *d;
    uint64_t *p2m;
    struct fake_mapping mapping[MAX_MAPPINGS];
};
static struct fake fakes[MAX_FAKES];
struct domain *dom0, *dom_xen, *dom_io, *idle_domain;
struct list_head domain_list = LIST_HEAD_INIT(domain_list);
spinlock_t domlist_lock;
struct boot_info boot_info;
pte_t idle_pgd[PT_ENTRIES];

static struct fake *fake_of(const struct domain *d)
{
    for (unsigned i = 0; i < MAX_FAKES; i++)
        if (fakes[i].d == d)
            return &fakes[i];
    fail_msg("no such domain");
    return NULL;
}

/* -- guest operations
 * --------------------------------------------------------------------------------------------------- */
static mfn_t fake_gfn_to_mfn(struct domain *d, gfn_t gfn)
{
    if (!d->is_hvm)
        return mfn_valid(MFN(gfn.v)) ? MFN(gfn.v) : INVALID_MFN;
    return gfn.v < FAKE_P2M_SIZE && fake_of(d)->p2m[gfn.v] ? MFN(fake_of(d)->p2m[gfn.v]) : INVALID_MFN;
}

void (*fake_get_page_hook)(struct domain *d, gfn_t gfn);
static struct page_info *fake_get_page(struct domain *d, gfn_t gfn, bool write, int *err)
{
    mfn_t mfn = fake_gfn_to_mfn(d, gfn);
    struct page_info *pg = page_get_from_mfn(mfn, d);

    assert_int_equal(fake_locks_held, 0); /* it may take the p2m's lock */
    *err = -EINVAL;
    if (pg && write && page_get_type(pg, PGT_writable_page)) {
        page_put(pg);
        return NULL;
    }
    if (fake_get_page_hook)
        fake_get_page_hook(d, gfn);
    return pg;
}

mfn_t fake_dirtied;
static void fake_mark_dirty(struct domain *d, mfn_t mfn)
{
    assert_int_equal(fake_locks_held, 0); /* it takes the p2m's lock */
    assert_ptr_equal(page_owner(mfn_to_page(mfn)), d);
    fake_dirtied = mfn;
}

static int fake_physmap_add(struct domain *d, gfn_t gfn, mfn_t mfn, unsigned order)
{
    for (uint64_t i = 0; i < 1UL << order; i++) {
        if (d->is_hvm && gfn.v + i >= FAKE_P2M_SIZE)
            return -EINVAL;
        if (d->is_hvm)
            fake_of(d)->p2m[gfn.v + i] = mfn.v + i;
        m2p_set(mfn_add(mfn, i), gfn.v + i);
    }
    return 0;
}

static int fake_physmap_remove(struct domain *d, gfn_t gfn, mfn_t mfn, unsigned order)
{
    for (uint64_t i = 0; i < 1UL << order; i++) {
        if (d->is_hvm)
            fake_of(d)->p2m[gfn.v + i] = 0;
        m2p_set(mfn_add(mfn, i), M2P_INVALID);
    }
    return 0;
}

int fake_grant_map_error;
static int fake_grant_map(struct domain *d, uint64_t host_addr, mfn_t mfn, unsigned flags, unsigned cache)
{
    struct fake *f = fake_of(d);

    (void)cache;
    assert_int_equal(fake_locks_held, 0);
    if (fake_grant_map_error)
        return fake_grant_map_error;
    for (unsigned i = 0; i < MAX_MAPPINGS; i++)
        if (!f->mapping[i].host_addr) {
            f->mapping[i] = (struct fake_mapping){host_addr, mfn, flags};
            return 0;
        }
    return -ENOMEM;
}

static int fake_grant_unmap(struct domain *d, uint64_t host_addr, mfn_t mfn, unsigned flags, uint64_t new_addr)
{
    struct fake_mapping *m = fake_mapping_at(d, host_addr);

    (void)flags, (void)new_addr;
    assert_int_equal(fake_locks_held, 0);
    if (!m || m->mfn.v != mfn.v)
        return -EINVAL;
    m->host_addr = 0;
    return 0;
}

#define COMMON_OPS                                                                                                     \
    .get_page = fake_get_page, .gfn_to_mfn = fake_gfn_to_mfn, .physmap_add = fake_physmap_add,                         \
    .physmap_remove = fake_physmap_remove, .grant_map = fake_grant_map, .grant_unmap = fake_grant_unmap
static const struct guest_ops fake_pv_ops = {.name = "PV", COMMON_OPS};
static const struct guest_ops fake_hvm_ops = {.name = "HVM", .mark_dirty = fake_mark_dirty, COMMON_OPS};

struct fake_mapping *fake_mapping_at(struct domain *d, uint64_t host_addr)
{
    struct fake *f = fake_of(d);

    for (unsigned i = 0; i < MAX_MAPPINGS; i++)
        if (f->mapping[i].host_addr == host_addr)
            return &f->mapping[i];
    return NULL;
}

void fake_p2m_set(struct domain *d, uint64_t gfn, mfn_t mfn)
{
    assert_true(gfn < FAKE_P2M_SIZE);
    fake_of(d)->p2m[gfn] = mfn.v;
}

/* -- life
 * ----------------------------------------------------------------------------------------------------------------- */
struct domain *fake_domain(domid_t id, bool hvm, unsigned vcpus)
{
    struct domain *d = alloc_xenheap_pages(DOMAIN_ORDER);
    struct fake *f = fakes;

    while (f->d)
        f++;
    assert_true(f < fakes + MAX_FAKES);
    memset(d, 0, sizeof(*d));
    *f = (struct fake){.d = d, .p2m = calloc(FAKE_P2M_SIZE, sizeof(uint64_t))};
    d->id = id;
    d->is_hvm = hvm;
    d->is_privileged = d->is_hardware = id == 0;
    d->ops = hvm ? &fake_hvm_ops : &fake_pv_ops;
    d->refcount = 1;
    d->max_pages = 1024;
    spin_lock_init(&d->lock, LOCK_DOMAIN);
    spin_lock_init(&d->page_lock, LOCK_PAGE);
    spin_lock_init(&d->evtchn.lock, LOCK_EVTCHN);
    d->page_list = d->extra_list = (struct page_list)PAGE_LIST_INIT;
    d->shared_info = alloc_zeroed_page();
    share_heap_page(d->shared_info, d, true);
    d->max_vcpus = vcpus;
    d->vcpu = calloc(vcpus ? vcpus : 1, sizeof(d->vcpu[0]));
    for (unsigned i = 0; i < vcpus; i++) {
        struct vcpu *v = aligned_alloc(16, ROUND_UP(sizeof(*v), 16));

        memset(v, 0, sizeof(*v));
        v->id = i;
        v->domain = d;
        v->ops = d->ops;
        v->info = (struct vcpu_info *)&d->shared_info->vcpu_info[i];
        d->vcpu[i] = v;
    }
    if (id == 0)
        dom0 = d;
    return d;
}

void fake_domain_free(struct domain *d)
{
    struct fake *f = fake_of(d);

    assert_int_equal(domain_relinquish_memory(d, &d->page_list), 0);
    assert_int_equal(d->page_list.count, 0);
    assert_int_equal(d->refcount, 1);
    for (unsigned i = 0; i < d->max_vcpus; i++)
        free(d->vcpu[i]);
    free(d->vcpu);
    free(f->p2m);
    free_xenheap_pages(d->shared_info, 0);
    if (dom0 == d)
        dom0 = NULL;
    free_xenheap_pages(d, DOMAIN_ORDER);
    *f = (struct fake){0};
}

struct page_info *fake_page(struct domain *d, uint64_t gfn)
{
    struct page_info *pg = alloc_domain_pages(d, 0, 0, 0);

    assert_non_null(pg);
    assert_int_equal(fake_physmap_add(d, GFN(gfn), page_to_mfn(pg), 0), 0);
    return pg;
}

struct domain *domain_get_by_id(domid_t id)
{
    if (id == DOMID_SELF)
        id = current->domain->id;
    for (unsigned i = 0; i < MAX_FAKES; i++)
        if (fakes[i].d && fakes[i].d->id == id) {
            fakes[i].d->refcount++;
            return fakes[i].d;
        }
    return NULL;
}

bool domain_get(struct domain *d)
{
    d->refcount++;
    return true;
}

void domain_put(struct domain *d)
{
    assert_int_equal(fake_locks_held, 0);
    assert_true(d->refcount > 1);
    d->refcount--;
}

int control_allowed(const struct domain *d)
{
    const struct domain *c = current->domain;

    return c->is_privileged || c == d || c->target == d ? 0 : -EPERM;
}

void fake_run(struct vcpu *v) { get_cpu_info()->current_vcpu = v; }

/* -- hypercalls
 * ---------------------------------------------------------------------------------------------------------- */
uint64_t fake_fault_at;
int fake_preempt_after = -1;
unsigned fake_continuations;
static int preempt_left;
static bool continued;
static uint64_t continue_args[5];

static bool faults(uint64_t gva, size_t n) { return gva < PAGE_SIZE || (fake_fault_at && fake_fault_at - gva < n); }

int copy_from_guest_bytes(void *dst, uint64_t gva, size_t n)
{
    assert_int_equal(fake_locks_held, 0);
    if (n && faults(gva, n))
        return -EFAULT;
    memcpy(dst, (void *)gva, n);
    return 0;
}

int copy_to_guest_bytes(uint64_t gva, const void *src, size_t n)
{
    assert_int_equal(fake_locks_held, 0);
    if (n && faults(gva, n))
        return -EFAULT;
    memcpy((void *)gva, src, n);
    return 0;
}

int clear_guest_bytes(uint64_t gva, size_t n)
{
    if (n && faults(gva, n))
        return -EFAULT;
    memset((void *)gva, 0, n);
    return 0;
}

bool hypercall_is_compat(void) { return false; }

bool hypercall_preempt_check(void)
{
    if (fake_preempt_after < 0)
        return false;
    if (preempt_left-- > 0)
        return false;
    preempt_left = fake_preempt_after;
    return true;
}

long hypercall_continue(unsigned nr, unsigned nargs, ...)
{
    va_list args;

    (void)nr;
    va_start(args, nargs);
    for (unsigned i = 0; i < nargs; i++)
        continue_args[i] = va_arg(args, uint64_t);
    va_end(args);
    continued = true;
    fake_continuations++;
    return 0;
}

long fake_hypercall(hypercall_fn fn, uint64_t a1, uint64_t a2, uint64_t a3)
{
    long rc;

    preempt_left = fake_preempt_after;
    memcpy(continue_args, (uint64_t[5]){a1, a2, a3}, sizeof(continue_args));
    do {
        continued = false;
        rc = fn(continue_args[0], continue_args[1], continue_args[2], continue_args[3], continue_args[4]);
        assert_int_equal(fake_locks_held, 0);
    } while (continued);
    return rc;
}

/* -- each test
 * ------------------------------------------------------------------------------------------------------------ */
static uint64_t frames_before;
static unsigned objects_before;
extern unsigned fake_heap_objects;
extern int fake_heap_fail_after;

int fake_setup(void **state)
{
    (void)state;
    fake_machine_start();
    frames_before = avail_heap_pages();
    objects_before = fake_heap_objects;
    fake_preempt_after = fake_heap_fail_after = -1;
    fake_fault_at = 0;
    fake_grant_map_error = 0;
    fake_get_page_hook = NULL;
    fake_dirtied = MFN(0);
    fake_continuations = fake_tlb_flushes = 0;
    fake_now = 0;
    dom_xen = alloc_zeroed_page(); /* an owner, no more */
    return 0;
}

int fake_teardown(void **state)
{
    (void)state;
    free_xenheap_pages(dom_xen, 0);
    assert_int_equal(fake_locks_held, 0);
    assert_int_equal(avail_heap_pages(), frames_before);
    assert_int_equal(fake_heap_objects, objects_before);
    return 0;
}
