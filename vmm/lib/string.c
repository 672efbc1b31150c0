/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory and string functions of C. GCC must not turn their loops into calls of themselves. */
#include "string.h"

#ifndef POLDER_HOST
#pragma GCC optimize("no-tree-loop-distribute-patterns")

/* A string instruction takes longer to start than so many bytes take with ordinary moves. */
#define SHORT_COPY 64

typedef uint64_t any_u64 __attribute__((may_alias, aligned(1)));
typedef uint32_t any_u32 __attribute__((may_alias, aligned(1)));

/* The last move may go over what the one before it has copied. */
static void copy_short(char *d, const char *s, size_t n)
{
    if (n >= 8) {
        for (size_t i = 0; i < n - 8; i += 8)
            *(any_u64 *)(d + i) = *(const any_u64 *)(s + i);
        *(any_u64 *)(d + n - 8) = *(const any_u64 *)(s + n - 8);
    } else if (n >= 4) {
        *(any_u32 *)d = *(const any_u32 *)s;
        *(any_u32 *)(d + n - 4) = *(const any_u32 *)(s + n - 4);
    } else {
        for (size_t i = 0; i < n; i++)
            d[i] = s[i];
    }
}

static void copy_forward(void *d, const void *s, size_t n)
{
    size_t words = n / 8, rest = n % 8;

    __asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(words)::"memory");
    __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(rest)::"memory");
}

void *memcpy(void *dst, const void *src, size_t n)
{
    if (n <= SHORT_COPY)
        copy_short(dst, src, n);
    else
        copy_forward(dst, src, n);
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    char *d = dst;
    const char *s = src;

    if (d <= s || d >= s + n) {
        copy_forward(dst, src, n);
        return dst;
    }
    while (n--)
        d[n] = s[n];
    return dst;
}

void *memset(void *dst, int c, size_t n)
{
    void *d = dst;
    size_t words = n / 8, rest = n % 8;
    uint64_t pattern = (uint8_t)c * 0x0101010101010101UL;

    __asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(pattern) : "memory");
    __asm__ volatile("rep stosb" : "+D"(d), "+c"(rest) : "a"(pattern) : "memory");
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;

    for (; n; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

void *memchr(const void *s, int c, size_t n)
{
    for (const uint8_t *p = s; n; n--, p++)
        if (*p == (uint8_t)c)
            return (void *)p;
    return NULL;
}

size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;

    while (n < max && s[n])
        n++;
    return n;
}

size_t strlen(const char *s) { return strnlen(s, SIZE_MAX); }

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n; n--, a++, b++)
        if (*a != *b || !*a)
            return (uint8_t)*a - (uint8_t)*b;
    return 0;
}

int strcmp(const char *a, const char *b) { return strncmp(a, b, SIZE_MAX); }

char *strchr(const char *s, int c)
{
    for (; *s != (char)c; s++)
        if (!*s)
            return NULL;
    return (char *)s;
}

char *strstr(const char *s, const char *sub)
{
    size_t n = strlen(sub);

    for (; *s; s++)
        if (strncmp(s, sub, n) == 0)
            return (char *)s;
    return n ? NULL : (char *)s;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

unsigned long long strtoull(const char *s, char **end, int base)
{
    const char *start = s;
    unsigned long long v = 0;
    bool negative, overflow = false, any = false;

    while (*s == ' ' || (*s >= '\t' && *s <= '\r'))
        s++;
    negative = *s == '-';
    if (*s == '-' || *s == '+')
        s++;
    if ((base == 0 || base == 16) && s[0] == '0' && (s[1] | 0x20) == 'x' && digit_value(s[2]) < 16) {
        s += 2;
        base = 16;
    } else if (base == 0) {
        base = *s == '0' ? 8 : 10;
    }
    for (; digit_value(*s) < base; s++, any = true)
        overflow |= __builtin_mul_overflow(v, (unsigned long long)base, &v) ||
                    __builtin_add_overflow(v, (unsigned long long)digit_value(*s), &v);
    if (end)
        *end = (char *)(any ? s : start);
    if (overflow)
        return ~0ULL;
    return negative ? -v : v;
}
#endif

#define PAGE_WORDS 512

void clear_page(void *page)
{
    uint64_t *p = page, *end = p + PAGE_WORDS;

    for (; p < end; p += 8)
        __asm__ volatile("movnti %1, (%0)\n\tmovnti %1, 8(%0)\n\tmovnti %1, 16(%0)\n\tmovnti %1, 24(%0)\n\t"
                         "movnti %1, 32(%0)\n\tmovnti %1, 40(%0)\n\tmovnti %1, 48(%0)\n\tmovnti %1, 56(%0)" ::"r"(p),
                         "r"(0UL)
                         : "memory");
    __asm__ volatile("sfence" ::: "memory"); /* MOVNTI's stores are weakly ordered: AMD APM 3, "MOVNTI" */
}

bool page_is_zero(const void *page)
{
    const uint64_t *p = page, *end = p + PAGE_WORDS;

    for (; p < end; p += 8)
        if (p[0] | p[1] | p[2] | p[3] | p[4] | p[5] | p[6] | p[7])
            return false;
    return true;
}

size_t polder_strlcpy(char *dst, const char *src, size_t size)
{
    size_t len = strlen(src), n = len < size ? len : size - 1;

    memcpy(dst, src, n);
    dst[n] = '\0';
    return len;
}
