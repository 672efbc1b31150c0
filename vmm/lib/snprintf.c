/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bounded formatting, the part of C's that messages need. */
#include "printk.h"
#include "string.h"

struct out {
    char *buf;
    size_t size, len; /* len may pass size: it is what the whole text needs */
};

struct spec {
    bool left, zero, plus, space, alt, upper;
    int width, precision; /* precision -1: none given */
    int length;           /* -2 hh, -1 h, 0, 1 l/z, 2 ll */
};

static void put(struct out *o, char c)
{
    if (o->len + 1 < o->size)
        o->buf[o->len] = c;
    o->len++;
}

static void put_n(struct out *o, char c, int n)
{
    while (n-- > 0)
        put(o, c);
}

static void put_string(struct out *o, const struct spec *sp, const char *s)
{
    int n;

    if (!s)
        s = "(null)";
    n = (int)strnlen(s, sp->precision >= 0 ? (size_t)sp->precision : 4096);
    if (!sp->left)
        put_n(o, ' ', sp->width - n);
    for (int i = 0; i < n; i++)
        put(o, s[i]);
    if (sp->left)
        put_n(o, ' ', sp->width - n);
}

static void put_number(struct out *o, const struct spec *sp, uint64_t v, unsigned base, char sign)
{
    char digits[24];
    int n = 0, zeros, prefix = sp->alt && base == 16 && v ? 2 : 0, total;

    if (v || sp->precision != 0)
        do
            digits[n++] = (sp->upper ? "0123456789ABCDEF" : "0123456789abcdef")[v % base];
        while (v /= base);
    zeros = sp->precision > n ? sp->precision - n : 0;
    total = n + zeros + prefix + (sign != 0);
    if (sp->zero && !sp->left && sp->precision < 0 && sp->width > total) {
        zeros += sp->width - total;
        total = sp->width;
    }
    if (!sp->left)
        put_n(o, ' ', sp->width - total);
    if (sign)
        put(o, sign);
    if (prefix) {
        put(o, '0');
        put(o, sp->upper ? 'X' : 'x');
    }
    put_n(o, '0', zeros);
    while (n)
        put(o, digits[--n]);
    if (sp->left)
        put_n(o, ' ', sp->width - total);
}

static int parse_number(const char **f)
{
    int n = 0;

    while (**f >= '0' && **f <= '9')
        n = n * 10 + *(*f)++ - '0';
    return n;
}

/* Flags, length modifiers; width and precision that are '*' come from the caller. */
static void parse_flags(struct spec *sp, const char **f)
{
    *sp = (struct spec){.precision = -1};
    for (;; (*f)++) {
        switch (**f) {
        case '-': sp->left = true; break;
        case '0': sp->zero = true; break;
        case '+': sp->plus = true; break;
        case ' ': sp->space = true; break;
        case '#': sp->alt = true; break;
        default: return;
        }
    }
}

static void parse_length(struct spec *sp, const char **f)
{
    for (;; (*f)++) {
        if (**f == 'h')
            sp->length--;
        else if (**f == 'l')
            sp->length++;
        else if (**f == 'z' || **f == 'j' || **f == 't')
            sp->length = 1;
        else
            return;
    }
}

static uint64_t narrow(uint64_t v, int length, bool is_signed)
{
    switch (length) {
    case -2: return is_signed ? (uint64_t)(int8_t)v : (uint8_t)v;
    case -1: return is_signed ? (uint64_t)(int16_t)v : (uint16_t)v;
    case 0: return is_signed ? (uint64_t)(int32_t)v : (uint32_t)v;
    default: return v;
    }
}

static void put_signed(struct out *o, const struct spec *sp, int64_t v)
{
    char sign = v < 0 ? '-' : sp->plus ? '+' : sp->space ? ' ' : 0;

    put_number(o, sp, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, sign);
}

int vsnprintf(char *buf, size_t size, const char *f, va_list args)
{
    struct out o = {buf, size, 0};
    struct spec sp;

    for (; *f; f++) {
        if (*f != '%') {
            put(&o, *f);
            continue;
        }
        f++;
        parse_flags(&sp, &f);
        if (*f == '*') {
            sp.width = va_arg(args, int);
            sp.left |= sp.width < 0;
            sp.width = sp.width < 0 ? -sp.width : sp.width;
            f++;
        } else {
            sp.width = parse_number(&f);
        }
        if (*f == '.') {
            f++;
            sp.precision = *f == '*' ? (f++, va_arg(args, int)) : parse_number(&f);
        }
        parse_length(&sp, &f);
        switch (*f) {
        case 'd':
        case 'i':
            put_signed(
                &o, &sp,
                (int64_t)narrow(sp.length > 0 ? va_arg(args, uint64_t) : va_arg(args, unsigned), sp.length, true));
            break;
        case 'u':
        case 'x':
        case 'X':
            sp.upper = *f == 'X';
            put_number(&o, &sp,
                       narrow(sp.length > 0 ? va_arg(args, uint64_t) : va_arg(args, unsigned), sp.length, false),
                       *f == 'u' ? 10 : 16, 0);
            break;
        case 'p':
            sp.precision = 16;
            put_number(&o, &sp, va_arg(args, uint64_t), 16, 0);
            break;
        case 'c': put(&o, (char)va_arg(args, int)); break;
        case 's': put_string(&o, &sp, va_arg(args, const char *)); break;
        case '%': put(&o, '%'); break;
        case '\0': f--; break;
        default: put(&o, '?'); break; /* a mistake in the format, not a reason to stop */
        }
    }
    if (size)
        buf[o.len < size ? o.len : size - 1] = '\0';
    return (int)o.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(buf, size, fmt, args);
    va_end(args);
    return n;
}
