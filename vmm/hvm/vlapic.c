/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC's core: request, service and priority; life and save records.
 * Any CPU may request an interrupt, in requested[] and TMR; all else belongs to
 * the vCPU itself, and while its guest runs, to the hardware where that has a
 * part in it.  Intel SDM 3A, 11.8.
 */
#include "../boot/boot.h"
#include "../cpu/cpu.h"
#include "../cpu/irq.h"
#include "../cpu/regs.h"
#include "../sched/sched.h"
#include "p2m.h"
#include "vlapic.h"

#define LAPIC_BASE 0xfee00000U

bool hvm_apicv_allowed = true, hvm_posting_allowed;

static int parse_apicv(const char *value)
{
    hvm_posting_allowed = strcmp(value, "posted") == 0;
    if (!hvm_posting_allowed)
        return parse_bool(value, &hvm_apicv_allowed);
    hvm_apicv_allowed = true; /* an apicv=no before it is overruled */
    return 0;
}
BOOT_PARAM("apicv", parse_apicv);

/* 256-bit registers: 32 bits in every 16 bytes. */
static bool vector_test(const struct vlapic *l, unsigned reg, uint8_t vec)
{
    return (vlapic_reg(l, reg + (vec / 32) * 16) >> (vec % 32)) & 1;
}
static void vector_set(struct vlapic *l, unsigned reg, uint8_t vec)
{
    set_bit(vec % 32, l->regs + reg + (vec / 32) * 16);
}
static void vector_clear(struct vlapic *l, unsigned reg, uint8_t vec)
{
    clear_bit(vec % 32, l->regs + reg + (vec / 32) * 16);
}

static int vector_highest(const struct vlapic *l, unsigned reg)
{
    for (int word = 7; word >= 0; word--) {
        uint32_t bits = vlapic_reg(l, reg + (unsigned)word * 16);

        if (bits)
            return word * 32 + (int)fls64(bits);
    }
    return -1;
}

static void take_requests(struct vlapic *l, uint32_t requested[8])
{
    for (unsigned word = 0; word < 8; word++) {
        unsigned reg = APIC_IRR + word * 16;

        if (READ_ONCE(requested[word]))
            vlapic_set_reg(l, reg, vlapic_reg(l, reg) | __atomic_exchange_n(&requested[word], 0, __ATOMIC_ACQUIRE));
    }
}

void vlapic_take_requests(struct vlapic *l)
{
    if (READ_ONCE(l->any_requested)) {
        (void)__atomic_exchange_n(&l->any_requested, false, __ATOMIC_ACQUIRE);
        take_requests(l, l->requested);
    }
    if (hvm_backend->posted_interrupts && READ_ONCE(l->posted.notified)) {
        (void)__atomic_exchange_n(&l->posted.notified, 0, __ATOMIC_ACQUIRE);
        take_requests(l, l->posted.requested);
    }
}

int vlapic_highest_irr(struct vlapic *l)
{
    vlapic_take_requests(l);
    return vector_highest(l, APIC_IRR);
}

int vlapic_highest_isr(const struct vlapic *l) { return vector_highest(l, APIC_ISR); }

/* SDM 3A, 11.8.3.1 "Task and Processor Priorities" */
uint8_t vlapic_ppr(struct vcpu *v)
{
    const struct vlapic *l = v->hvm->vlapic;
    int isr = vlapic_highest_isr(l);
    uint8_t tpr = vlapic_reg(l, APIC_TPR) & 0xff, isrv = isr < 0 ? 0 : (uint8_t)isr;

    return (tpr & 0xf0) >= (isrv & 0xf0) ? tpr : isrv & 0xf0;
}

int vlapic_pending(struct vlapic *l)
{
    int irr;

    if (!vlapic_enabled(l))
        return -1;
    irr = vlapic_highest_irr(l);
    return irr >= 0 && (irr & 0xf0) > (vlapic_ppr(l->v) & 0xf0) ? irr : -1;
}

/* The EOIs that the IOAPICs have to hear of are those of level-triggered vectors. */
static void push_eoi_exits(struct vlapic *l)
{
    uint64_t vectors[4];

    for (unsigned i = 0; i < 4; i++)
        vectors[i] = vlapic_reg(l, APIC_TMR + i * 0x20) | (uint64_t)vlapic_reg(l, APIC_TMR + i * 0x20 + 0x10) << 32;
    hvm_backend->set_eoi_exits(l->v, vectors);
}

/* v is about to enter its guest. */
void vlapic_prepare_entry(struct vlapic *l)
{
    int irr, isr;

    if (!hvm_backend->set_virtual_interrupts)
        return;
    irr = vlapic_highest_irr(l); /* before the look at TMR: what is taken has its trigger there */
    if (READ_ONCE(l->trigger_changed) && __atomic_exchange_n(&l->trigger_changed, false, __ATOMIC_ACQUIRE))
        push_eoi_exits(l);
    isr = vlapic_highest_isr(l);
    hvm_backend->set_virtual_interrupts(l->v, (uint8_t)(vlapic_enabled(l) ? MAX(irr, 0) : 0), (uint8_t)MAX(isr, 0));
}

/* It came of vlapic_highest_irr(): a request that came since is another interrupt. */
void vlapic_acknowledge(struct vlapic *l, uint8_t vector)
{
    vector_clear(l, APIC_IRR, vector);
    vector_set(l, APIC_ISR, vector);
}

void vlapic_eoi(struct vlapic *l)
{
    int vector = vlapic_highest_isr(l);

    if (vector < 0)
        return;
    vector_clear(l, APIC_ISR, (uint8_t)vector);
    if (vector_test(l, APIC_TMR, (uint8_t)vector))
        vioapic_eoi(l->v->domain, (uint8_t)vector);
}

void vlapic_eoi_exit(struct vcpu *v, uint8_t vector) { vioapic_eoi(v->domain, vector); }

/*
 * A guest that runs takes it at once; one that does not, at its entry. Level-triggered vectors do not come this way: an exit
 * has to tell the hardware first that their EOI exits.
 */
static void post(struct vlapic *l, uint8_t vector)
{
    struct vcpu *v = l->v;
    uint32_t notified;

    set_bit(vector % 32, &l->posted.requested[vector / 32]);
    notified = __atomic_exchange_n(&l->posted.notified, 1, __ATOMIC_SEQ_CST);
    vcpu_unblock(v);
    if (!notified && v != current && READ_ONCE(v->is_running))
        apic_send_ipi(READ_ONCE(v->processor), VECTOR_POSTED_INTR);
}

void vlapic_set_irq(struct vcpu *v, uint8_t vector, bool level)
{
    struct vlapic *l = v->hvm->vlapic;

    if (vector < 16) {
        vlapic_error(l, ESR_RECV_ILLEGAL);
        return;
    }
    if (level != vector_test(l, APIC_TMR, vector)) {
        (level ? vector_set : vector_clear)(l, APIC_TMR, vector);
        __atomic_store_n(&l->trigger_changed, true, __ATOMIC_RELEASE);
    } else if (!level && hvm_backend->posted_interrupts) {
        post(l, vector);
        return;
    }
    set_bit(vector % 32, &l->requested[vector / 32]);
    __atomic_store_n(&l->any_requested, true, __ATOMIC_RELEASE);
    vcpu_kick(v);
}

void vlapic_error(struct vlapic *l, uint32_t bits)
{
    uint32_t lvt = vlapic_reg(l, APIC_LVTERR);
    bool first = !(__atomic_fetch_or(&l->esr_latched, bits, __ATOMIC_SEQ_CST) & bits);

    if (first && !(lvt & LVT_MASKED) && (lvt & 0xff) >= 16)
        vlapic_set_irq(l->v, lvt & 0xff, false);
}

/* The PICs' output comes in on LINT0, in ExtINT mode, or past an APIC that is off; or by the IOAPIC's pin 0. */
bool vlapic_accepts_pic(struct vcpu *v)
{
    const struct vlapic *l = v->hvm->vlapic;
    uint32_t lint0 = vlapic_reg(l, APIC_LVT0);
    const struct vioapic *io = v->domain->hvm->vioapic;

    if (v->id != 0)
        return false;
    if (!vlapic_hw_enabled(l))
        return true;
    if (!(lint0 & LVT_MASKED) && LVT_MODE(lint0) == APIC_EXTINT)
        return true;
    return io && !io->hw.redirtbl[0].fields.mask && io->hw.redirtbl[0].fields.delivery_mode == APIC_EXTINT &&
           io->hw.redirtbl[0].fields.dest_id == vlapic_id(v);
}

uint32_t vlapic_id(const struct vcpu *v) { return v->id * 2; }
uint8_t vlapic_get_tpr(struct vcpu *v) { return vlapic_reg(v->hvm->vlapic, APIC_TPR) & 0xff; }
void vlapic_set_tpr(struct vcpu *v, uint8_t tpr) { vlapic_set_reg(v->hvm->vlapic, APIC_TPR, tpr); }

uint64_t vlapic_apicbase(struct vcpu *v) { return v->hvm->vlapic->hw.apic_base_msr; }

static void vlapic_x2apic_ids(struct vlapic *l)
{
    uint32_t id = vlapic_id(l->v);

    vlapic_set_reg(l, APIC_ID, id);
    vlapic_set_reg(l, APIC_LDR, (id >> 4) << 16 | 1U << (id & 15));
}

/* SDM 3A, 11.12.5 "x2APIC State Transitions": x2APIC is left only by way of disabled. */
bool vlapic_set_apicbase(struct vcpu *v, uint64_t value)
{
    struct vlapic *l = v->hvm->vlapic;
    const uint64_t mode = APICBASE_ENABLE | APICBASE_EXTD;
    uint64_t old = l->hw.apic_base_msr;

    if (value & ~(uint64_t)(LAPIC_BASE | mode | APICBASE_BSP | 0xffffff000UL))
        return false;
    if ((value & mode) == APICBASE_EXTD || ((old & mode) == mode && (value & mode) == APICBASE_ENABLE))
        return false;
    if (!(old & APICBASE_ENABLE) && (value & mode) == mode)
        return false;
    if ((value & 0xffffff000UL) != LAPIC_BASE)
        return false; /* the page does not move */

    l->hw.apic_base_msr = value;
    if (!(value & APICBASE_ENABLE)) {
        vlapic_reset(v);
        l->hw.apic_base_msr = value;
        l->hw.disabled |= VLAPIC_DISABLED_HW;
    } else {
        l->hw.disabled &= ~VLAPIC_DISABLED_HW;
    }
    if ((value & mode) == mode && (old & mode) != mode)
        vlapic_x2apic_ids(l);
    vlapic_mode_changed(l);
    return true;
}

void vlapic_mode_changed(struct vlapic *l)
{
    enum hvm_apic_mode mode = vlapic_x2apic(l) ? APIC_MODE_X2APIC : APIC_MODE_XAPIC;

    if (hvm_backend->set_apic_mode)
        hvm_backend->set_apic_mode(l->v, vlapic_hw_enabled(l) ? mode : APIC_MODE_OFF);
}

/* SDM 3A, 11.4.7.1 "Local APIC State After Power-Up or Reset"; after INIT the base register stays. */
void vlapic_reset(struct vcpu *v)
{
    static const uint16_t lvts[] = {APIC_CMCI, APIC_LVTT, APIC_LVTTHMR, APIC_LVTPC, APIC_LVT0, APIC_LVT1, APIC_LVTERR};
    struct vlapic *l = v->hvm->vlapic;

    vlapic_timer_stop(l);
    memset(l->regs, 0, PAGE_SIZE);
    memset(l->requested, 0, sizeof(l->requested));
    memset(&l->posted, 0, sizeof(l->posted));
    l->trigger_changed = true;
    l->timer_mode = 0;
    l->esr_latched = 0;
    vlapic_set_reg(l, APIC_ID, vlapic_id(v) << 24);
    vlapic_set_reg(l, APIC_LVR, APIC_VERSION);
    vlapic_set_reg(l, APIC_DFR, 0xffffffff);
    vlapic_set_reg(l, APIC_SPIV, 0xff);
    for (unsigned i = 0; i < ARRAY_SIZE(lvts); i++)
        vlapic_set_reg(l, lvts[i], LVT_MASKED);
    l->hw.disabled |= VLAPIC_DISABLED_SW;
    l->hw.tdt_msr = 0;
    vlapic_set_divisor(l);
    if (vlapic_x2apic(l))
        vlapic_x2apic_ids(l);
}

void *hvm_apic_page(struct vcpu *v) { return v->hvm->vlapic->regs; }
paddr_t hvm_posted_interrupts(struct vcpu *v) { return virt_to_paddr(&v->hvm->vlapic->posted); }
paddr_t hvm_apic_access_page(struct domain *d) { return virt_to_paddr(d->hvm->apic_access_page); }

/*
 * What d's vCPUs have at the APIC's address. Where the hardware does accesses to it, a page is mapped there; it is the domain's
 * own, since a vCPU whose APIC is off or in x2APIC mode reads and writes the page itself.
 */
static int vlapic_domain_init(struct domain *d)
{
    int rc = hvm_register_mmio(d, &vlapic_mmio_ops);

    if (rc || !hvm_backend->set_apic_mode)
        return rc;
    d->hvm->apic_access_page = alloc_zeroed_page();
    if (!d->hvm->apic_access_page)
        return -ENOMEM;
    return p2m_set(d, gpa_to_gfn(GPA(LAPIC_BASE)), virt_to_mfn(d->hvm->apic_access_page), 0, P2M_apic_access);
}

void vlapic_domain_free(struct domain *d)
{
    if (d->hvm->apic_access_page)
        free_xenheap_pages(d->hvm->apic_access_page, 0);
    d->hvm->apic_access_page = NULL;
}

int vlapic_init(struct vcpu *v)
{
    struct vlapic *l = xzalloc(struct vlapic);

    if (!l)
        return -ENOMEM;
    l->regs = alloc_zeroed_page();
    if (!l->regs) {
        xfree(l);
        return -ENOMEM;
    }
    l->v = v;
    v->hvm->vlapic = l;
    vlapic_timer_init(l);
    l->hw.apic_base_msr = LAPIC_BASE | APICBASE_ENABLE | (v->id == 0 ? APICBASE_BSP : 0);
    vlapic_reset(v);
    return v->id == 0 ? vlapic_domain_init(v->domain) : 0;
}

void vlapic_free(struct vcpu *v)
{
    struct vlapic *l = v->hvm->vlapic;

    if (!l)
        return;
    timer_kill(&l->timer);
    free_xenheap_pages(l->regs, 0);
    xfree(l);
    v->hvm->vlapic = NULL;
}

/* -- save records -------------------------------------------------------------------------------------------------- */

static int vlapic_save_hidden(struct vcpu *v, struct hvm_save_buf *b)
{
    return hvm_save_put(b, HVM_SAVE_CODE(LAPIC), v->id, &v->hvm->vlapic->hw, sizeof(struct hvm_hw_lapic));
}

static int vlapic_save_regs(struct vcpu *v, struct hvm_save_buf *b)
{
    struct vlapic *l = v->hvm->vlapic;

    vlapic_take_requests(l);
    vlapic_set_reg(l, APIC_TMCCT, vlapic_timer_count(l));
    return hvm_save_put(b, HVM_SAVE_CODE(LAPIC_REGS), v->id, l->regs, sizeof(struct hvm_hw_lapic_regs));
}

static int vlapic_load_hidden(struct domain *d, unsigned instance, const void *body, uint32_t len)
{
    const struct hvm_hw_lapic *in = body;
    struct vlapic *l;

    if (instance >= d->max_vcpus || !d->vcpu[instance])
        return -EINVAL;
    l = d->vcpu[instance]->hvm->vlapic;
    if ((in->apic_base_msr & 0xffffff000UL) != LAPIC_BASE ||
        (in->apic_base_msr & (APICBASE_ENABLE | APICBASE_EXTD)) == APICBASE_EXTD ||
        (in->disabled & ~(VLAPIC_DISABLED_HW | VLAPIC_DISABLED_SW)))
        return -EINVAL;
    l->hw = *in;
    vlapic_set_divisor(l);
    vlapic_mode_changed(l);
    return 0;
}

static int vlapic_load_regs(struct domain *d, unsigned instance, const void *body, uint32_t len)
{
    struct vlapic *l;

    if (instance >= d->max_vcpus || !d->vcpu[instance])
        return -EINVAL;
    l = d->vcpu[instance]->hvm->vlapic;
    memcpy(l->regs, body, sizeof(struct hvm_hw_lapic_regs));
    vlapic_set_reg(l, APIC_LVR, APIC_VERSION);
    vlapic_set_reg(l, APIC_ID, vlapic_x2apic(l) ? vlapic_id(l->v) : vlapic_id(l->v) << 24);
    l->timer_mode = vlapic_reg(l, APIC_LVTT) & LVT_TIMER_MODE;
    l->trigger_changed = true;
    vlapic_set_divisor(l);
    vlapic_timer_resume(l);
    return 0;
}

static HVM_SAVE_RECORD(record_lapic) = {HVM_SAVE_CODE(LAPIC), true, sizeof(struct hvm_hw_lapic), vlapic_save_hidden,
                                        vlapic_load_hidden};
static HVM_SAVE_RECORD(record_lapic_regs) = {HVM_SAVE_CODE(LAPIC_REGS), true, sizeof(struct hvm_hw_lapic_regs),
                                             vlapic_save_regs, vlapic_load_regs};
