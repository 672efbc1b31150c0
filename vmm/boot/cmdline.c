/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line: words that are options of the modules that registered them with BOOT_PARAM. */
#include "boot.h"
#include "../lib/errno.h"
#include "../lib/printk.h"
#include "../lib/string.h"

extern const struct boot_param __init_params_start[], __init_params_end[];

int parse_bool(const char *value, bool *out)
{
    static const char *const yes[] = {"", "1", "yes", "true", "on", "enable"};
    static const char *const no[] = {"0", "no", "false", "off", "disable"};

    for (unsigned i = 0; i < ARRAY_SIZE(yes); i++)
        if (strcmp(value, yes[i]) == 0) {
            *out = true;
            return 0;
        }
    for (unsigned i = 0; i < ARRAY_SIZE(no); i++)
        if (strcmp(value, no[i]) == 0) {
            *out = false;
            return 0;
        }
    return -EINVAL;
}

int parse_uint(const char *value, uint64_t *out)
{
    char *end;
    uint64_t v = strtoull(value, &end, 0);

    if (*value < '0' || *value > '9' || *end)
        return -EINVAL;
    *out = v;
    return 0;
}

int parse_size(const char **value, uint64_t *out)
{
    char *end;
    uint64_t v = strtoull(*value, &end, 0);
    unsigned shift = 10;

    if (**value < '0' || **value > '9')
        return -EINVAL;
    switch (*end) {
    case 'B':
    case 'b':
        shift = 0;
        end++;
        break;
    case 'K':
    case 'k': end++; break;
    case 'M':
    case 'm':
        shift = 20;
        end++;
        break;
    case 'G':
    case 'g':
        shift = 30;
        end++;
        break;
    case 'T':
    case 't':
        shift = 40;
        end++;
        break;
    default: break;
    }
    if (v > ~0ULL >> shift)
        return -EINVAL;
    *out = v << shift;
    *value = end;
    return 0;
}

/* Words that boot scripts for Xen add and that mean nothing here. */
static int ignore_parse(const char *value) { return 0; }
BOOT_PARAM("placeholder", ignore_parse);
static int real_mode_parse(const char *value) { return 0; }
BOOT_PARAM("real-mode", real_mode_parse);
static int edd_parse(const char *value) { return 0; }
BOOT_PARAM("edd", edd_parse);

static const struct boot_param *__init find_param(const char *name)
{
    for (const struct boot_param *p = __init_params_start; p < __init_params_end; p++)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

static void __init parse_word(char *word)
{
    char *value = strchr(word, '=');
    const struct boot_param *p;

    if (value)
        *value++ = '\0';
    p = find_param(word);
    if (!p && !value && strncmp(word, "no-", 3) == 0) {
        value = "no";
        p = find_param(word + 3);
    }
    if (!p)
        printk(LOG_WARN "Command line: option '%s' is not known and is ignored\n", word);
    else if (p->parse(value ? value : "") != 0)
        printk(LOG_WARN "Command line: '%s' is not a value for option '%s': ignored\n", value ? value : "", p->name);
}

void __init cmdline_parse(const char *cmdline)
{
    char word[256];

    while (*cmdline) {
        size_t n = 0;
        bool quoted = false;

        while (*cmdline == ' ')
            cmdline++;
        for (; *cmdline && (quoted || *cmdline != ' '); cmdline++) {
            if (*cmdline == '"')
                quoted = !quoted;
            else if (n < sizeof(word) - 1)
                word[n++] = *cmdline;
        }
        word[n] = '\0';
        if (n)
            parse_word(word);
    }
}
