/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The CMOS clock (MC146818), read once at boot; Dom0 keeps the time from then on. rtc_lock guards its index port. */
#include "../lib/spinlock.h"
#include "asm.h"
#include "time.h"

#define RTC_SECONDS 0
#define RTC_MINUTES 2
#define RTC_HOURS 4
#define RTC_DAY 7
#define RTC_MONTH 8
#define RTC_YEAR 9
#define RTC_A 10
#define RTC_A_UIP 0x80
#define RTC_B 11
#define RTC_B_24H 0x02
#define RTC_B_BINARY 0x04
#define RTC_HOURS_PM 0x80

static DEFINE_SPINLOCK(rtc_lock);

static uint8_t cmos_read(uint8_t reg)
{
    outb(0x70, reg);
    return inb(0x71);
}

/* Seconds since 1970 of a date of the Gregorian calendar. */
static uint64_t seconds_of(unsigned year, unsigned month, unsigned day, unsigned hour, unsigned min, unsigned sec)
{
    /* The year begins in March, so that the leap day is its last. */
    unsigned y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;
    uint64_t days = 365UL * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;

    return ((days * 24 + hour) * 60 + min) * 60 + sec;
}

struct rtc_fields {
    uint8_t sec, min, hour, day, month, year;
};

static struct rtc_fields read_fields(void)
{
    return (struct rtc_fields){cmos_read(RTC_SECONDS), cmos_read(RTC_MINUTES), cmos_read(RTC_HOURS),
                               cmos_read(RTC_DAY),     cmos_read(RTC_MONTH),   cmos_read(RTC_YEAR)};
}

static uint8_t from_bcd(uint8_t v) { return (uint8_t)((v >> 4) * 10 + (v & 15)); }

uint64_t rtc_read_seconds(void)
{
    unsigned long flags = spin_lock_irqsave(&rtc_lock);
    struct rtc_fields f, again;
    bool pm;
    uint8_t b;

    /* Until no update ran between two equal readings, but not for ever. */
    for (unsigned i = 0; i < 100000; i++) {
        while (cmos_read(RTC_A) & RTC_A_UIP && ++i < 100000)
            cpu_relax();
        f = read_fields();
        again = read_fields();
        if (!(cmos_read(RTC_A) & RTC_A_UIP) && f.sec == again.sec && f.min == again.min && f.hour == again.hour)
            break;
    }
    b = cmos_read(RTC_B);
    spin_unlock_irqrestore(&rtc_lock, flags);

    pm = f.hour & RTC_HOURS_PM;
    f.hour &= (uint8_t)~RTC_HOURS_PM;
    if (!(b & RTC_B_BINARY))
        f = (struct rtc_fields){from_bcd(f.sec), from_bcd(f.min),   from_bcd(f.hour),
                                from_bcd(f.day), from_bcd(f.month), from_bcd(f.year)};
    if (!(b & RTC_B_24H))
        f.hour = (uint8_t)(f.hour % 12 + (pm ? 12 : 0));
    return seconds_of(f.year + (f.year < 70 ? 2000U : 1900U), f.month, f.day, f.hour, f.min, f.sec);
}
