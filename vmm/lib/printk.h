/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages to the console and its ring, and the ways to stop the machine. */
#ifndef POLDER_LIB_PRINTK_H
#define POLDER_LIB_PRINTK_H

#include <stdarg.h>

#include "types.h"

/* Levels, as the option loglvl= names them (all, info, warning, error). */
#define LOG_ERR "\0010"
#define LOG_WARN "\0011"
#define LOG_INFO "\0012"
#define LOG_DEBUG "\0013"
#define LOG_GUEST "\001G" /* followed by a level: rate-limited and subject to guest_loglvl= */

/* A format string may begin with a level; without one it is a warning. */
void printk(const char *fmt, ...) __printf(1, 2);
void vprintk(const char *fmt, va_list args);

/* Bounded formatting. Conversions: d i u x X p s c %, with - 0 + # width .precision, hh h l ll z. Returns the length
 * that the whole text has, as C's snprintf does. */
int snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
int vsnprintf(char *buf, size_t size, const char *fmt, va_list args);

/* Prints the message, registers, a stack trace and the current domain, and stops or reboots the machine. */
void panic(const char *fmt, ...) __printf(1, 2) __noreturn;

#define BUG() panic("BUG at %s:%d", __FILE__, __LINE__)
#define BUG_ON(cond)                                                                                                   \
    do {                                                                                                               \
        if (unlikely(cond))                                                                                            \
            panic("BUG at %s:%d: %s", __FILE__, __LINE__, #cond);                                                      \
    } while (0)
#ifdef NDEBUG
#define ASSERT(cond) ((void)sizeof(cond))
#else
#define ASSERT(cond) BUG_ON(!(cond))
#endif

#endif
