/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A 16550 UART as a console ("PC16550D" data sheet): polled transmission in bursts of what its FIFO holds, interrupts for
 * reception.  Option com1=BAUD[,DPS[,IOBASE[,IRQ]]].  Transmission is guarded by the console's lock.
 */
#include "boot.h"
#include "console.h"
#include "../cpu/asm.h"
#include "../cpu/irq.h"
#include "../lib/errno.h"
#include "../lib/printk.h"
#include "../lib/string.h"

enum { RBR, IER, FCR, LCR, MCR, LSR, MSR, SCR };
#define IIR FCR
#define LCR_DLAB 0x80
#define LSR_DATA 0x01
#define LSR_THRE 0x20
#define CLOCK_HZ 1843200
#define FIFO_SIZE 16
#define PATIENCE 2000000 /* reads of LSR: longer than 16 characters at 300 baud take; then nothing drains it */

static struct {
    uint16_t base;
    int irq;
    uint32_t baud; /* 0: as the firmware left it */
    uint8_t lcr;
    unsigned burst;
    bool dead;
    char last;
} uart = {.base = 0x3f8, .irq = 4, .baud = 115200, .lcr = 3, .burst = 1};

/* D: 5 to 8 bits, P: parity n o e m s, S: 1 or 2 stop bits. */
static int parse_frame(const char *s)
{
    const char *parity = "n\0o\0e\0m\0s";
    unsigned p;

    if (s[0] < '5' || s[0] > '8' || (s[2] != '1' && s[2] != '2') || (s[3] && s[3] != ','))
        return -EINVAL;
    for (p = 0; p < 5 && parity[p * 2] != s[1]; p++)
        ;
    if (p == 5)
        return -EINVAL;
    uart.lcr = (uint8_t)((s[0] - '5') | (s[2] == '2') << 2 | (p ? p * 2 - 1 : 0) << 3);
    return 0;
}

static int com1_parse(const char *value)
{
    bool automatic = strncmp(value, "auto", 4) == 0;
    const char *end = value + 4;
    uint64_t v = automatic ? 0 : strtoull(value, (char **)&end, 10);

    if ((!v && !automatic) || v > 115200 * 8 || (*end && *end != ','))
        return -EINVAL;
    uart.baud = (uint32_t)v;
    if (!*end)
        return 0;
    if (end[1] && end[1] != ',' && parse_frame(end + 1))
        return -EINVAL;
    end = strchr(end + 1, ',');
    if (!end)
        return 0;
    v = strtoull(end + 1, (char **)&end, 0);
    if (v > 0xfff8 || (*end && *end != ','))
        return -EINVAL;
    uart.base = v ? (uint16_t)v : uart.base;
    if (*end) {
        v = strtoull(end + 1, (char **)&end, 0);
        if (v > 255 || *end)
            return -EINVAL;
        uart.irq = (int)v;
    }
    return 0;
}
BOOT_PARAM("com1", com1_parse);

static uint8_t reg_read(unsigned r) { return inb((uint16_t)(uart.base + r)); }
static void reg_write(unsigned r, uint8_t v) { outb((uint16_t)(uart.base + r), v); }

static bool serial_init(void)
{
    reg_write(SCR, 0x5a);
    if (reg_read(SCR) != 0x5a)
        return false;
    reg_write(IER, 0);
    if (uart.baud) {
        unsigned divisor = CLOCK_HZ / 16 / uart.baud ?: 1;

        reg_write(LCR, LCR_DLAB);
        reg_write(RBR, divisor & 0xff);
        reg_write(IER, (uint8_t)(divisor >> 8));
    }
    reg_write(LCR, uart.lcr);
    reg_write(FCR, 0xc7); /* FIFOs on, emptied; an interrupt at 14 characters, or where no more follow at once */
    reg_write(MCR, 0x0b); /* DTR, RTS, and OUT2, which lets interrupts through */
    uart.burst = (reg_read(IIR) & 0xc0) == 0xc0 ? FIFO_SIZE : 1;
    return true;
}

static bool wait_transmitter(void)
{
    for (unsigned i = 0; i < PATIENCE; i++) {
        if (reg_read(LSR) & LSR_THRE) {
            uart.dead = false;
            return true;
        }
        if (uart.dead)
            return false; /* it did not drain last time: ask once, do not wait again */
        cpu_relax();
    }
    uart.dead = true;
    return false;
}

static void serial_write(const char *s, size_t n)
{
    unsigned room = 0;

    for (; n; s++, n--) {
        if (room < 2) {
            if (!wait_transmitter())
                return;
            room = uart.burst == 1 ? 2 : uart.burst;
        }
        if (*s == '\n' && uart.last != '\r') {
            reg_write(RBR, '\r');
            room--;
            if (uart.burst == 1 && !wait_transmitter())
                return;
        }
        reg_write(RBR, (uint8_t)*s);
        room = uart.burst == 1 ? 0 : room - 1;
        uart.last = *s;
    }
}

struct console_device serial_console = {.name = "com1", .init = serial_init, .write = serial_write};

static void serial_irq(int irq, void *data)
{
    char buf[FIFO_SIZE * 4];
    size_t n = 0;

    reg_read(IIR);
    while (n < sizeof(buf) && (reg_read(LSR) & LSR_DATA))
        buf[n++] = (char)reg_read(RBR);
    if (n)
        console_rx(buf, n);
}

void serial_init_irq(void)
{
    int rc;

    if (!serial_console.enabled || !uart.irq)
        return;
    rc = request_irq(isa_irq_to_gsi(uart.irq), serial_irq, NULL, "com1");
    if (rc) {
        printk(LOG_ERR "com1: no interrupt (error %d): the console takes no input\n", rc);
        return;
    }
    while (reg_read(LSR) & LSR_DATA)
        reg_read(RBR);
    reg_write(IER, 0x01);
    reg_read(IIR);
}

/* The ports of the UART that is in use, for those who must keep away from it. */
bool serial_ports(uint16_t *first, uint16_t *last)
{
    *first = uart.base;
    *last = uart.base + SCR;
    return serial_console.enabled;
}
