/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The static ACPI tables: MADT, FADT, HPET, MCFG.  ACPI 6.4, chapter 5.  Read
 * once at boot; a table is mapped while it is read and copied from.
 */
#include "../boot/boot.h"
#include "../lib/errno.h"
#include "../lib/printk.h"
#include "../lib/string.h"
#include "../mm/pgtable.h"
#include "acpi.h"
#include "asm.h"

struct acpi_info acpi_info = {.reset = {.space = 255}, .has_8259 = true};

struct rsdp {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
    uint8_t ext_checksum, reserved[3];
} __packed;

struct sdt {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem[6], oem_table[8];
    uint32_t oem_revision, creator, creator_revision;
} __packed;
_Static_assert(sizeof(struct sdt) == 36, "table header");

static uint8_t sum(const void *p, size_t n)
{
    uint8_t s = 0;

    for (size_t i = 0; i < n; i++)
        s += ((const uint8_t *)p)[i];
    return s;
}

/* Reads of any alignment at an offset of a table; 0 beyond its end. */
static uint64_t field(const struct sdt *t, unsigned offset, unsigned size)
{
    uint64_t v = 0;

    if (offset + size <= t->length)
        memcpy(&v, (const uint8_t *)t + offset, size);
    return v;
}

static paddr_t find_rsdp(paddr_t start, size_t len)
{
    const uint8_t *p = ioremap_cache(start, len, 0);
    paddr_t found = 0;

    for (size_t i = 0; p && i + 20 <= len && !found; i += 16) {
        if (!memcmp(p + i, "RSD PTR ", 8) && sum(p + i, 20) == 0)
            found = start + i;
    }
    if (p)
        iounmap((void *)p);
    return found;
}

static paddr_t search_rsdp(void)
{
    const uint16_t *bda = ioremap_cache(0, PAGE_SIZE, 0);
    paddr_t ebda = bda ? (paddr_t)bda[0x40e / 2] << 4 : 0, found = 0;

    if (bda)
        iounmap((void *)bda);
    if (ebda >= 0x80000 && ebda < 0xa0000)
        found = find_rsdp(ebda, 1024);
    return found ? found : find_rsdp(0xe0000, 0x20000);
}

static void add_override(const struct sdt *t, unsigned o)
{
    unsigned flags = field(t, o + 8, 2);
    struct acpi_override *ov = &acpi_info.override[acpi_info.nr_overrides];

    if (acpi_info.nr_overrides == ARRAY_SIZE(acpi_info.override))
        return;
    /* 0: as the bus has it, which is ISA here: edge, high. ACPI 6.4, 5.2.12.5. */
    *ov = (struct acpi_override){.isa_irq = field(t, o + 3, 1),
                                 .gsi = field(t, o + 4, 4),
                                 .level = (flags >> 2 & 3) == 3,
                                 .active_low = (flags & 3) == 3};
    acpi_info.nr_overrides++;
}

static void add_cpu(uint32_t apic_id, uint32_t acpi_id, uint32_t flags)
{
    if (acpi_info.nr_cpus == ARRAY_SIZE(acpi_info.cpu) || apic_id == ~0U)
        return;
    acpi_info.cpu[acpi_info.nr_cpus++] = (struct acpi_cpu){apic_id, acpi_id, flags & 1};
}

static void add_ioapic(const struct sdt *t, unsigned o)
{
    if (acpi_info.nr_ioapics == ARRAY_SIZE(acpi_info.ioapic))
        return;
    acpi_info.ioapic[acpi_info.nr_ioapics++] =
        (struct acpi_ioapic){field(t, o + 2, 1), field(t, o + 4, 4), field(t, o + 8, 4)};
}

static void parse_madt(const struct sdt *t)
{
    acpi_info.lapic_addr = field(t, 36, 4);
    acpi_info.has_8259 = field(t, 40, 4) & 1;
    for (unsigned o = 44, len; o + 2 <= t->length; o += len) {
        len = field(t, o + 1, 1);
        if (len < 2)
            break;
        switch (field(t, o, 1)) {
        case 0: /* local APIC; 255 marks one that is not there */
            if (field(t, o + 3, 1) != 255)
                add_cpu(field(t, o + 3, 1), field(t, o + 2, 1), field(t, o + 4, 4));
            break;
        case 1: add_ioapic(t, o); break;
        case 2: add_override(t, o); break;
        case 5: acpi_info.lapic_addr = field(t, o + 4, 8); break;
        case 9: /* local x2APIC */ add_cpu(field(t, o + 4, 4), field(t, o + 12, 4), field(t, o + 8, 4)); break;
        }
    }
}

static void parse_fadt(const struct sdt *t)
{
    struct acpi_info *a = &acpi_info;
    uint32_t flags = field(t, 112, 4);

    a->sci = field(t, 46, 2);
    a->pm1a_evt = field(t, 56, 4);
    a->pm1a_cnt = field(t, 64, 4);
    a->pm1b_cnt = field(t, 68, 4);
    a->pm_timer_port = field(t, 76, 4);
    a->pm_timer_32bit = flags & BIT(8);
    a->vga_absent = field(t, 109, 2) & BIT(2);
    if ((flags & BIT(10)) && t->length >= 129) {
        a->reset.space = field(t, 116, 1);
        a->reset.addr = field(t, 120, 8);
        a->reset.value = field(t, 128, 1);
    }
    /* The 64-bit forms, where they are I/O ports and given. */
    if (field(t, 148, 1) == 1 && field(t, 152, 8))
        a->pm1a_evt = field(t, 152, 8);
    if (field(t, 172, 1) == 1 && field(t, 176, 8))
        a->pm1a_cnt = field(t, 176, 8);
    if (field(t, 184, 1) == 1 && field(t, 188, 8))
        a->pm1b_cnt = field(t, 188, 8);
    if (field(t, 208, 1) == 1 && field(t, 212, 8))
        a->pm_timer_port = field(t, 212, 8);
}

static void parse_mcfg(const struct sdt *t)
{
    for (unsigned o = 44; o + 16 <= t->length && acpi_info.nr_mcfg < ARRAY_SIZE(acpi_info.mcfg); o += 16)
        acpi_info.mcfg[acpi_info.nr_mcfg++] =
            (struct acpi_mcfg){field(t, o, 8), field(t, o + 8, 2), field(t, o + 10, 1), field(t, o + 11, 1)};
}

static void parse_table(paddr_t pa)
{
    struct sdt *t = ioremap_cache(pa, sizeof(*t), 0);
    uint32_t len = t ? t->length : 0;

    if (!t)
        return;
    iounmap(t);
    if (len < sizeof(*t) || len > MB(1) || !(t = ioremap_cache(pa, len, 0)))
        return;
    if (sum(t, len) != 0)
        printk(LOG_WARN "ACPI: table %.4s has a bad checksum\n", t->signature);
    if (!memcmp(t->signature, "APIC", 4))
        parse_madt(t);
    else if (!memcmp(t->signature, "FACP", 4))
        parse_fadt(t);
    else if (!memcmp(t->signature, "HPET", 4) && field(t, 40, 1) == 0)
        acpi_info.hpet_addr = field(t, 44, 8);
    else if (!memcmp(t->signature, "MCFG", 4))
        parse_mcfg(t);
    iounmap(t);
}

void acpi_parse(void)
{
    const struct rsdp *r;
    const struct sdt *root;
    paddr_t root_pa;
    unsigned entry;
    uint32_t len;

    acpi_info.rsdp = boot_info.rsdp ? boot_info.rsdp : search_rsdp();
    if (!acpi_info.rsdp || !(r = ioremap_cache(acpi_info.rsdp, sizeof(*r), 0))) {
        printk(LOG_WARN "ACPI: no tables found\n");
        return;
    }
    entry = r->revision >= 2 && r->xsdt ? 8 : 4;
    root_pa = entry == 8 ? r->xsdt : r->rsdt;
    iounmap((void *)r);

    root = ioremap_cache(root_pa, sizeof(*root), 0);
    len = root ? root->length : 0;
    if (root)
        iounmap((void *)root);
    if (len < sizeof(*root) || len > MB(1) || !(root = ioremap_cache(root_pa, len, 0)))
        return;
    for (unsigned o = sizeof(*root); o + entry <= len; o += entry)
        parse_table(field(root, o, entry));
    iounmap((void *)root);
    printk(LOG_INFO "ACPI: %u CPUs, %u IOAPICs, %u overrides, HPET %#lx, PM timer %#x\n", acpi_info.nr_cpus,
           acpi_info.nr_ioapics, acpi_info.nr_overrides, acpi_info.hpet_addr, acpi_info.pm_timer_port);
}

#define PM1_SLP_TYP 0x1c00
#define PM1_SLP_EN 0x2000
#define PM1_WAK_STS 0x8000

int acpi_enter_sleep(uint8_t state, uint16_t pm1a_val, uint16_t pm1b_val)
{
    /* Suspend to memory would need the state of every CPU and device saved: only soft off is done. */
    if (state != 5 || !acpi_info.pm1a_cnt)
        return -EINVAL;
    if (((pm1a_val ^ PM1_SLP_EN) | (acpi_info.pm1b_cnt ? pm1b_val ^ PM1_SLP_EN : 0)) & ~(PM1_SLP_TYP | 0x3ff))
        return -EINVAL;
    printk("ACPI: entering S5\n");
    local_irq_disable();
    wbinvd();
    if (acpi_info.pm1a_evt)
        outw(acpi_info.pm1a_evt, PM1_WAK_STS);
    outw(acpi_info.pm1a_cnt, pm1a_val);
    if (acpi_info.pm1b_cnt)
        outw(acpi_info.pm1b_cnt, pm1b_val);
    for (;;)
        __asm__ volatile("hlt");
}
