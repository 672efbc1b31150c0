/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The console: serial port and VGA text out, the ring that `xl dmesg` reads,
 * and input, which three Ctrl-a switch between Dom0 and the debug keys.
 */
#ifndef POLDER_BOOT_CONSOLE_H
#define POLDER_BOOT_CONSOLE_H

#include "../lib/types.h"

/* One device. */
struct console_device {
    const char *name;                       /* as console= has it */
    bool (*init)(void);                     /* false: not there */
    void (*write)(const char *s, size_t n); /* raw; called with the console lock, or after a panic */
    bool enabled;
};
extern struct console_device serial_console, vga_console;
bool serial_ports(uint16_t *first, uint16_t *last); /* false: it is not a console */
void serial_init_irq(void);                         /* receive interrupts */
void console_rx(const char *s, size_t n);           /* from a device's interrupt handler */

/* The ring's producer, under the console lock. conring.c */
void conring_put(const char *s, size_t n);
void conring_resize(void); /* once the heap is there: conring_size= */
void conring_replay(void (*write)(const char *s, size_t n));
void keyhandler_init(void);

void console_early_init(void); /* before the command line: nothing is printed, all is kept */
void console_init(void);       /* devices that console= and com1= name; prints what was kept */
void console_init_irq(void);   /* serial interrupts, once interrupts work */

void console_vga_release(void); /* Dom0 has the screen from here on, unless vga=keep */
void console_panic_begin(void); /* from here on nothing waits for the console's lock */

/* For guests: raw text to the console devices, without a level or prefix. */
void console_write(const char *s, size_t n);
/* Dom0's input queue: up to n characters; returns how many. */
size_t console_read(char *buf, size_t n);

/* The ring. Copies from *index on; advances *index; returns the bytes copied. Clears when asked. For sysctl readconsole. */
size_t conring_read(char *dst, size_t n, uint32_t *index, bool incremental, bool clear);

/* One press of a debug key, also from sysctl debug_keys. */
void keyhandler_run(char key);
void keyhandler_register(char key, const char *help, void (*fn)(char key));

/* Symbols of the image, for stack traces: name and offset of an address; NULL if not in the text. */
const char *symbol_lookup(uint64_t addr, uint64_t *offset);

#endif
