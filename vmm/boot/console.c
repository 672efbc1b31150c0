/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages and guests' text to the devices and the ring; input from the devices to Dom0 or the debug keys.  console_lock
 * guards output and is taken with interrupts off; who cannot have it (an NMI on its holder, a panic) writes without it.
 */
#include "boot.h"
#include "console.h"
#include "../cpu/asm.h"
#include "../cpu/percpu.h"
#include "../cpu/time.h"
#include "../domain/evtchn.h"
#include "../lib/errno.h"
#include "../lib/printk.h"
#include "../lib/spinlock.h"
#include "../lib/string.h"
#include "../sched/softirq.h"

#define PREFIX "(polder) "
#define LINE_MAX 1024
#define GUEST_CHUNK 256

static DEFINE_SPINLOCK(console_lock);
static struct console_device *const devices[] = {&serial_console, &vga_console};
static bool started, irq_started, panic_mode;
static bool line_open; /* the last message did not end its line */

/* -- levels ---------------------------------------------------------------------------------------------------- */
enum { LEVEL_ERR, LEVEL_WARN, LEVEL_INFO, LEVEL_DEBUG, NR_LEVELS };
/* Levels below 'always' are printed, those below 'limited' at a limited rate. */
struct threshold {
    unsigned always, limited;
};
static struct threshold host_threshold = {LEVEL_INFO, LEVEL_INFO};
static struct threshold guest_threshold = {LEVEL_ERR, LEVEL_INFO}; /* errors and warnings, all limited */

static int parse_level(const char **s, unsigned *level)
{
    static const struct {
        const char *name;
        unsigned level;
    } names[] = {
        {"none", 0}, {"error", 1}, {"warning", 2}, {"info", 3}, {"debug", 4}, {"all", 4},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        size_t n = strlen(names[i].name);

        if (strncmp(*s, names[i].name, n) == 0 && (!(*s)[n] || (*s)[n] == '/')) {
            *level = names[i].level;
            *s += n;
            return 0;
        }
    }
    return -EINVAL;
}

static int parse_threshold(const char *s, struct threshold *out)
{
    struct threshold t;

    if (parse_level(&s, &t.always))
        return -EINVAL;
    t.limited = t.always;
    if (*s == '/' && (s++, parse_level(&s, &t.limited)))
        return -EINVAL;
    if (*s)
        return -EINVAL;
    t.limited = MAX(t.always, t.limited);
    *out = t;
    return 0;
}

static int loglvl_parse(const char *value) { return parse_threshold(value, &host_threshold); }
BOOT_PARAM("loglvl", loglvl_parse);
static int guest_loglvl_parse(const char *value) { return parse_threshold(value, &guest_threshold); }
BOOT_PARAM("guest_loglvl", guest_loglvl_parse);

/* At most 10 messages at once and 2 a second: a guest must not flood the log. */
static bool rate_allows(void)
{
    static const unsigned burst = 10;
    static const time_ns_t refill_ns = 500000000;
    static time_ns_t full_at; /* when the bucket will be full again */
    static unsigned lost;
    time_ns_t t = now(), full = MAX(READ_ONCE(full_at), t);

    if (full - t > (burst - 1) * refill_ns) {
        __atomic_fetch_add(&lost, 1, __ATOMIC_RELAXED);
        return false;
    }
    WRITE_ONCE(full_at, full + refill_ns);
    if (lost)
        printk(LOG_ERR "%u messages were left out\n", __atomic_exchange_n(&lost, 0, __ATOMIC_RELAXED));
    return true;
}

/* Takes the level off the format's front and tells whether to print. */
static bool wants_printing(const char **fmt)
{
    const char *s = *fmt;
    bool guest = s[0] == '\001' && s[1] == 'G';
    const struct threshold *t = guest ? &guest_threshold : &host_threshold;
    unsigned level = LEVEL_WARN;

    if (guest)
        s += 2;
    if (s[0] == '\001' && s[1] >= '0' && s[1] < '0' + NR_LEVELS) {
        level = (unsigned)(s[1] - '0');
        s += 2;
    }
    *fmt = s;
    if (panic_mode || !started)
        return true;
    return level < t->always || (level < t->limited && rate_allows());
}

/* -- output ---------------------------------------------------------------------------------------------------- */
struct lock_state {
    unsigned long flags;
    bool taken;
};

static struct lock_state lock_console(void)
{
    struct lock_state st = {.flags = local_irq_save()};

    if (READ_ONCE(console_lock.holder) == smp_processor_id() + 1)
        return st;
    if (!panic_mode) {
        spin_lock(&console_lock);
        st.taken = true;
    }
    for (unsigned i = 0; panic_mode && !st.taken && i < 1000000; i++) {
        st.taken = spin_trylock(&console_lock);
        cpu_relax();
    }
    return st;
}

static void unlock_console(struct lock_state st)
{
    if (st.taken)
        spin_unlock(&console_lock);
    local_irq_restore(st.flags);
}

static void write_devices(const char *s, size_t n)
{
    for (unsigned i = 0; i < ARRAY_SIZE(devices); i++)
        if (devices[i]->enabled)
            devices[i]->write(s, n);
}

static void emit(const char *s, size_t n)
{
    conring_put(s, n);
    if (started)
        write_devices(s, n);
}

/* Each line gets the prefix where it begins. */
static void emit_lines(const char *s)
{
    while (*s) {
        const char *end = strchr(s, '\n');
        size_t n = end ? (size_t)(end - s) + 1 : strlen(s);

        if (!line_open)
            emit(PREFIX, sizeof(PREFIX) - 1);
        emit(s, n);
        line_open = !end;
        s += n;
    }
}

void vprintk(const char *fmt, va_list args)
{
    char text[LINE_MAX];
    struct lock_state st;

    if (!wants_printing(&fmt))
        return;
    vsnprintf(text, sizeof(text), fmt, args);
    st = lock_console();
    emit_lines(text);
    unlock_console(st);
    if (irq_started && !panic_mode)
        softirq_raise(SOFTIRQ_CONSOLE);
}

void printk(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vprintk(fmt, args);
    va_end(args);
}

void console_write(const char *s, size_t n)
{
    while (n) {
        size_t chunk = MIN(n, (size_t)GUEST_CHUNK);
        struct lock_state st = lock_console();

        write_devices(s, chunk);
        unlock_console(st);
        s += chunk;
        n -= chunk;
    }
}

void console_panic_begin(void)
{
    panic_mode = true;
    if (!started)
        console_init();
    line_open = false;
}

/* -- input ----------------------------------------------------------------------------------------------------- */
#define SWITCH_CHAR ('a' - 'a' + 1) /* Ctrl-a */
#define SWITCH_PRESSES 3
#define INPUT_SIZE 1024U /* a power of two */

struct input_ring {
    char buf[INPUT_SIZE];
    uint32_t produced, consumed;
};
static DEFINE_SPINLOCK(input_lock); /* both rings; taken by interrupt handlers */
static struct input_ring received, for_dom0;
static bool keys_to_hypervisor;

static bool input_put(struct input_ring *r, char c)
{
    if (r->produced - r->consumed == INPUT_SIZE)
        return false;
    r->buf[r->produced++ % INPUT_SIZE] = c;
    return true;
}

static bool input_get(struct input_ring *r, char *c)
{
    if (r->produced == r->consumed)
        return false;
    *c = r->buf[r->consumed++ % INPUT_SIZE];
    return true;
}

void console_rx(const char *s, size_t n)
{
    unsigned long flags = spin_lock_irqsave(&input_lock);

    while (n-- && input_put(&received, *s++))
        ;
    spin_unlock_irqrestore(&input_lock, flags);
    softirq_raise(SOFTIRQ_CONSOLE);
}

size_t console_read(char *buf, size_t n)
{
    unsigned long flags = spin_lock_irqsave(&input_lock);
    size_t got = 0;

    while (got < n && input_get(&for_dom0, buf + got))
        got++;
    spin_unlock_irqrestore(&input_lock, flags);
    return got;
}

static void announce_input(void)
{
    printk(LOG_ERR "*** Serial input to %s (type Ctrl-a three times to switch)\n",
           keys_to_hypervisor ? "the debug keys; 'h' lists them" : "Dom0");
}

/* One character that arrived; interrupts on, no lock held. True if Dom0 got it. */
static bool take_input(char c)
{
    static unsigned presses;
    unsigned long flags;

    presses = c == SWITCH_CHAR ? presses + 1 : 0;
    if (presses == SWITCH_PRESSES) {
        presses = 0;
        keys_to_hypervisor = !keys_to_hypervisor;
        announce_input();
        return false;
    }
    if (keys_to_hypervisor) {
        if (c != SWITCH_CHAR && c != '\r' && c != '\n')
            keyhandler_run(c);
        return false;
    }
    flags = spin_lock_irqsave(&input_lock);
    input_put(&for_dom0, c);
    spin_unlock_irqrestore(&input_lock, flags);
    return true;
}

/* What printing and receiving leave to be done where locks may be taken: telling Dom0, and the debug keys. */
static void console_softirq(void)
{
    bool dom0_input = false, any;
    char c;

    do {
        unsigned long flags = spin_lock_irqsave(&input_lock);

        any = input_get(&received, &c);
        spin_unlock_irqrestore(&input_lock, flags);
        if (any)
            dom0_input |= take_input(c);
    } while (any);
    if (!dom0)
        return;
    if (dom0_input)
        send_global_virq(VIRQ_CONSOLE);
    send_global_virq(VIRQ_CON_RING);
}

/* -- start ----------------------------------------------------------------------------------------------------- */
static char wanted[64] = "com1,vga";

static int console_parse(const char *value)
{
    if (strlen(value) >= sizeof(wanted))
        return -EINVAL;
    polder_strlcpy(wanted, value, sizeof(wanted));
    return 0;
}
BOOT_PARAM("console", console_parse);
/* Transmission always is synchronous. */
static int sync_console_parse(const char *value) { return 0; }
BOOT_PARAM("sync_console", sync_console_parse);

void console_early_init(void) { line_open = false; }

static bool list_has(const char *list, const char *name)
{
    const char *s = strstr(list, name);

    return s && (s == list || s[-1] == ',') && (!s[strlen(name)] || s[strlen(name)] == ',');
}

void console_init(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(devices); i++)
        if (list_has(wanted, devices[i]->name))
            devices[i]->enabled = devices[i]->init();
    started = true;
    conring_replay(write_devices);
}

void console_init_irq(void)
{
    struct lock_state st = lock_console();

    conring_resize();
    unlock_console(st);
    keyhandler_init();
    softirq_open(SOFTIRQ_CONSOLE, console_softirq);
    serial_init_irq();
    irq_started = true;
    announce_input();
}
