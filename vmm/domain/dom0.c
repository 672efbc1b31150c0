/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What Dom0 is to be, whatever its type: its options, read once at boot. */
#include "../boot/boot.h"
#include "../cpu/cpu.h"
#include "../lib/string.h"
#include "../mm/alloc.h"
#include "dom0.h"

#define DOM0_RESERVE_MAX MB(128) /* kept by default for the hypervisor, at most a sixteenth of what there is */
#define DOM0_MIN MB(64)

/* -- memory -------------------------------------------------------------------------------------------------------- */

/* A size in dom0_mem=; negative: what is to be left over. */
struct mem_size {
    bool set, negative;
    uint64_t bytes;
};
static struct mem_size opt_size, opt_min, opt_max;

static int parse_mem_size(const char **s, struct mem_size *out)
{
    struct mem_size m = {.set = true};

    if (**s == '-') {
        m.negative = true;
        (*s)++;
    }
    if (parse_size(s, &m.bytes)) {
        return -EINVAL;
    }
    *out = m;
    return 0;
}

static int parse_dom0_mem(const char *value)
{
    while (*value) {
        struct mem_size *which = &opt_size;

        if (!strncmp(value, "min:", 4)) {
            which = &opt_min;
        } else if (!strncmp(value, "max:", 4)) {
            which = &opt_max;
        }
        if (which != &opt_size) {
            value += 4;
        }
        if (parse_mem_size(&value, which) || (*value && *value != ',')) {
            return -EINVAL;
        }
        value += *value == ',';
    }
    return 0;
}
BOOT_PARAM("dom0_mem", parse_dom0_mem);

static uint64_t size_in_pages(const struct mem_size *m, uint64_t avail, uint64_t unset)
{
    uint64_t pages = m->bytes >> PAGE_SHIFT;

    if (!m->set) {
        return unset;
    }
    if (!m->negative) {
        return pages;
    }
    return avail > pages ? avail - pages : 0;
}

uint64_t dom0_memory_pages(uint64_t *max_pages)
{
    uint64_t avail = avail_heap_pages(), reserve = MIN(avail / 16, DOM0_RESERVE_MAX >> PAGE_SHIFT);
    uint64_t nr = size_in_pages(&opt_size, avail, avail - reserve);
    uint64_t min = size_in_pages(&opt_min, avail, 0), max = size_in_pages(&opt_max, avail, ~0ULL >> PAGE_SHIFT);

    nr = MIN(MAX(nr, min), max);
    if (nr > avail - reserve) {
        printk("Dom0 cannot have %lu MiB: it gets the %lu MiB that are free\n", nr >> 8, (avail - reserve) >> 8);
        nr = avail - reserve;
    }
    if (nr < DOM0_MIN >> PAGE_SHIFT) {
        panic("Dom0 would have %lu MiB of memory; give it at least %lu with dom0_mem=", nr >> 8, DOM0_MIN >> 20);
    }
    *max_pages = max;
    return nr;
}

/* -- type and vCPUs ------------------------------------------------------------------------------------------------ */

static unsigned opt_vcpus_min = 1, opt_vcpus_max = MAX_VCPUS;
static bool opt_pvh;

/* N, MIN-MAX, MIN- or -MAX */
static int parse_dom0_max_vcpus(const char *value)
{
    char *end;
    unsigned long long min, max;

    min = *value == '-' ? 1 : strtoull(value, &end, 0);
    if (*value == '-') {
        end = (char *)value;
    }
    max = min;
    if (*end == '-') {
        max = end[1] ? strtoull(end + 1, &end, 0) : MAX_VCPUS;
        end += *end == '-';
    }
    if (*end || !min || min > max || max > MAX_VCPUS) {
        return -EINVAL;
    }
    opt_vcpus_min = (unsigned)min;
    opt_vcpus_max = (unsigned)max;
    return 0;
}
BOOT_PARAM("dom0_max_vcpus", parse_dom0_max_vcpus);

static int parse_dom0(const char *value)
{
    while (*value) {
        size_t len = strchr(value, ',') ? (size_t)(strchr(value, ',') - value) : strlen(value);

        if (len == 3 && !strncmp(value, "pvh", len)) {
            opt_pvh = true;
        } else if (len == 2 && !strncmp(value, "pv", len)) {
            opt_pvh = false;
        } else {
            return -EINVAL;
        }
        value += len + (value[len] == ',');
    }
    return 0;
}
BOOT_PARAM("dom0", parse_dom0);

bool dom0_is_pvh(void) { return opt_pvh; }

unsigned dom0_vcpus(void)
{
    unsigned cpu, online = 0;

    for_each_online_cpu(cpu) {
        online++;
    }
    return MAX(MIN(online, opt_vcpus_max), opt_vcpus_min);
}

int (*hvm_dom0_construct)(struct domain *d, const void *kernel, size_t kernel_len, const void *initrd,
                          size_t initrd_len, const char *cmdline);
