/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compiler attributes, and the barriers that the compiler must respect. */
#ifndef POLDER_LIB_COMPILER_H
#define POLDER_LIB_COMPILER_H

#define __must_check __attribute__((__warn_unused_result__))
#define __printf(fmt, first) __attribute__((__format__(__printf__, fmt, first)))
#define __packed __attribute__((__packed__))
#define __aligned(n) __attribute__((__aligned__(n)))
#define __noreturn __attribute__((__noreturn__))
#define __used __attribute__((__used__))
#define __cold __attribute__((__cold__))
/*
 * What a PV guest's system calls, faults, and calls for its page tables run through. It stands together in the image: each
 * load of CR3 empties the TLB, and the fewer pages such a way touches, the less it has to fetch again.
 */
#define __hot __attribute__((__hot__))
#define __hot_entry __section(".text.entry") __hot      /* of these, what nearly every entry needs */
#define __hot_data __section(".data.hot") __aligned(64) /* written on such ways: a cache line of its own */
#define __section(name) __attribute__((__section__(name)))
#define __init __section(".init.text") __cold
#define __initdata __section(".init.data")
#define __read_mostly __section(".data.read_mostly")
#define __percpu __section(".data.percpu")
#define noinline __attribute__((__noinline__))
#define fallthrough __attribute__((__fallthrough__))

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define barrier() __asm__ volatile("" ::: "memory")

#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define MIN(a, b)                                                                                                      \
    ({                                                                                                                 \
        __typeof__(a) _a = (a);                                                                                        \
        __typeof__(b) _b = (b);                                                                                        \
        _a < _b ? _a : _b;                                                                                             \
    })
#define MAX(a, b)                                                                                                      \
    ({                                                                                                                 \
        __typeof__(a) _a = (a);                                                                                        \
        __typeof__(b) _b = (b);                                                                                        \
        _a > _b ? _a : _b;                                                                                             \
    })
#define ROUND_UP(x, n) (((x) + (n)-1) & ~((__typeof__(x))(n)-1))
#define ROUND_DOWN(x, n) ((x) & ~((__typeof__(x))(n)-1))
#define DIV_ROUND_UP(x, n) (((x) + (n)-1) / (n))
#define BIT(n) (1UL << (n))
#define KB(n) ((uint64_t)(n) << 10)
#define MB(n) ((uint64_t)(n) << 20)
#define GB(n) ((uint64_t)(n) << 30)

#endif
