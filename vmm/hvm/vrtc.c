/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's MC146818 clock: the first 14 bytes of CMOS memory (the rest is
 * the device model's).  Time is the host's wall clock with the domain's
 * offset; periodic, alarm and update interrupts are on ISA IRQ 8.  Own lock.
 */
#include "devices.h"

#define NS_PER_SEC 1000000000LL
#define RTC_SECONDS 0
#define RTC_SECONDS_ALARM 1
#define RTC_MINUTES 2
#define RTC_MINUTES_ALARM 3
#define RTC_HOURS 4
#define RTC_HOURS_ALARM 5
#define RTC_DAY_OF_WEEK 6
#define RTC_DAY 7
#define RTC_MONTH 8
#define RTC_YEAR 9
#define RTC_A 10
#define RTC_B 11
#define RTC_C 12
#define RTC_D 13
#define A_UIP 0x80
#define A_DIVIDER 0x70
#define A_DIVIDER_32K 0x20
#define A_RATE 0x0f
#define B_SET 0x80
#define B_PIE 0x40
#define B_AIE 0x20
#define B_UIE 0x10
#define B_BINARY 0x04
#define B_24H 0x02
#define C_IRQF 0x80
#define C_PF 0x40
#define C_AF 0x20
#define C_UF 0x10
#define UIP_NS 244000 /* update in progress shows so long before the second turns */

struct vrtc {
    spinlock_t lock;
    struct domain *d;
    struct hvm_hw_rtc hw;
    struct vtick periodic, second;
};

static int to_field(const struct vrtc *r, int value)
{
    return r->hw.cmos_data[RTC_B] & B_BINARY ? value : value / 10 << 4 | value % 10;
}
static int from_field(const struct vrtc *r, uint8_t value)
{
    return r->hw.cmos_data[RTC_B] & B_BINARY ? value : (value >> 4) * 10 + (value & 15);
}

/* Days since 1970 of a civil date, and back; the year begins in March so that leap days come last. */
static int64_t days_of(int64_t year, int month, int day)
{
    int64_t y = year - (month <= 2), era = y / 400, yoe = y % 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void civil_of(int64_t days, int64_t *year, int *month, int *day)
{
    int64_t z = days + 719468, era = z / 146097, doe = z % 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int mp = (int)((5 * doy + 2) / 153);

    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = mp < 10 ? mp + 3 : mp - 9;
    *year = yoe + era * 400 + (*month <= 2);
}

static int64_t host_seconds(uint32_t *ns_into_second)
{
    uint64_t sec;
    uint32_t nsec;
    uint64_t t;

    wallclock_get(&sec, &nsec);
    t = (uint64_t)now() + nsec;
    if (ns_into_second)
        *ns_into_second = t % NS_PER_SEC;
    return (int64_t)(sec + t / NS_PER_SEC);
}

static int64_t guest_seconds(const struct vrtc *r, uint32_t *ns)
{
    return host_seconds(ns) + r->hw.rtc_offset + r->d->wc_sec_offset;
}

/* The time of day into the CMOS bytes, in the form that register B asks for. */
static void rtc_fill_time(struct vrtc *r)
{
    int64_t t = guest_seconds(r, NULL), days = t / 86400, year;
    int secs = (int)(t % 86400), hour = secs / 3600, month, day;
    uint8_t *c = r->hw.cmos_data;

    if (c[RTC_B] & B_SET)
        return;
    civil_of(days, &year, &month, &day);
    c[RTC_SECONDS] = (uint8_t)to_field(r, secs % 60);
    c[RTC_MINUTES] = (uint8_t)to_field(r, secs / 60 % 60);
    if (c[RTC_B] & B_24H)
        c[RTC_HOURS] = (uint8_t)to_field(r, hour);
    else
        c[RTC_HOURS] = (uint8_t)(to_field(r, hour % 12 ?: 12) | (hour >= 12 ? 0x80 : 0));
    c[RTC_DAY_OF_WEEK] = (uint8_t)to_field(r, (int)((days + 4) % 7) + 1);
    c[RTC_DAY] = (uint8_t)to_field(r, day);
    c[RTC_MONTH] = (uint8_t)to_field(r, month);
    c[RTC_YEAR] = (uint8_t)to_field(r, (int)(year % 100));
}

/* The guest wrote the time: its distance from the host's is the new offset. */
static void rtc_take_time(struct vrtc *r)
{
    const uint8_t *c = r->hw.cmos_data;
    int hour = from_field(r, c[RTC_HOURS] & 0x7f), year = from_field(r, c[RTC_YEAR]);
    int month = from_field(r, c[RTC_MONTH]), day = from_field(r, c[RTC_DAY]);
    int64_t t;

    if (!(c[RTC_B] & B_24H))
        hour = hour % 12 + (c[RTC_HOURS] & 0x80 ? 12 : 0);
    if (month < 1 || month > 12 || day < 1 || day > 31)
        return;
    t = days_of(year < 70 ? 2000 + year : 1900 + year, month, day) * 86400 + hour * 3600 +
        from_field(r, c[RTC_MINUTES]) * 60 + from_field(r, c[RTC_SECONDS]);
    r->hw.rtc_offset = t - (host_seconds(NULL) + r->d->wc_sec_offset);
}

static void rtc_raise(struct vrtc *r, uint8_t flags)
{
    uint8_t *c = r->hw.cmos_data;

    c[RTC_C] |= flags;
    if (!(c[RTC_C] & c[RTC_B] & (B_PIE | B_AIE | B_UIE)) || (c[RTC_C] & C_IRQF))
        return;
    c[RTC_C] |= C_IRQF;
    if (!vhpet_is_legacy(r->d))
        hvm_isa_irq_assert(r->d, ISA_IRQ_RTC);
}

static void rtc_periodic(struct domain *d, void *data)
{
    struct vrtc *r = data;

    spin_lock(&r->lock);
    rtc_raise(r, C_PF);
    spin_unlock(&r->lock);
}

static bool rtc_alarm_matches(const struct vrtc *r)
{
    static const uint8_t pairs[][2] = {
        {RTC_SECONDS, RTC_SECONDS_ALARM}, {RTC_MINUTES, RTC_MINUTES_ALARM}, {RTC_HOURS, RTC_HOURS_ALARM}};

    for (unsigned i = 0; i < ARRAY_SIZE(pairs); i++) {
        uint8_t alarm = r->hw.cmos_data[pairs[i][1]];

        if ((alarm & 0xc0) != 0xc0 && alarm != r->hw.cmos_data[pairs[i][0]])
            return false;
    }
    return true;
}

static void rtc_second(struct domain *d, void *data)
{
    struct vrtc *r = data;

    if (r->second.extra)
        return; /* no second has ended, and an alarm would come twice */
    spin_lock(&r->lock);
    rtc_fill_time(r);
    rtc_raise(r, C_UF | (rtc_alarm_matches(r) ? C_AF : 0));
    spin_unlock(&r->lock);
}

/* Starts what registers A and B ask for; the once-a-second tick only while it can interrupt. */
static void rtc_arm(struct vrtc *r)
{
    uint8_t a = r->hw.cmos_data[RTC_A], b = r->hw.cmos_data[RTC_B];
    unsigned rate = a & A_RATE;
    uint32_t ns;

    if ((b & B_PIE) && rate && (a & A_DIVIDER) == A_DIVIDER_32K) {
        time_ns_t period = (time_ns_t)muldiv64(1U << ((rate <= 2 ? rate + 7 : rate) - 1), NS_PER_SEC, 32768);

        if (r->periodic.period != period)
            vtick_start(&r->periodic, now() + period, period);
    } else {
        vtick_stop(&r->periodic);
    }
    if ((b & (B_UIE | B_AIE)) && !(b & B_SET)) {
        guest_seconds(r, &ns);
        if (!r->second.period)
            vtick_start(&r->second, now() + NS_PER_SEC - ns, NS_PER_SEC);
    } else {
        vtick_stop(&r->second);
    }
}

static void rtc_write(struct vrtc *r, unsigned index, uint8_t value)
{
    uint8_t *c = r->hw.cmos_data;
    uint8_t old = c[index];

    switch (index) {
    case RTC_C:
    case RTC_D: return;
    case RTC_A: c[RTC_A] = value & ~A_UIP; break;
    case RTC_B:
        if (!(old & B_SET) && (value & B_SET))
            rtc_fill_time(r); /* what the guest then reads, and may change in part */
        c[RTC_B] = value;
        if ((old & B_SET) && !(value & B_SET))
            rtc_take_time(r);
        rtc_raise(r, 0);
        break;
    case RTC_SECONDS_ALARM:
    case RTC_MINUTES_ALARM:
    case RTC_HOURS_ALARM: c[index] = value; return;
    default:
        rtc_fill_time(r);
        c[index] = value;
        if (!(c[RTC_B] & B_SET))
            rtc_take_time(r);
        return;
    }
    rtc_arm(r);
}

static uint8_t rtc_read(struct vrtc *r, unsigned index)
{
    uint8_t *c = r->hw.cmos_data, value;
    uint32_t ns;

    switch (index) {
    case RTC_A: guest_seconds(r, &ns); return c[RTC_A] | (!(c[RTC_B] & B_SET) && ns > NS_PER_SEC - UIP_NS ? A_UIP : 0);
    case RTC_C: /* reading clears it, and the line */
        value = c[RTC_C];
        c[RTC_C] = 0;
        hvm_isa_irq_deassert(r->d, ISA_IRQ_RTC);
        return value;
    case RTC_D: return 0x80; /* battery good */
    case RTC_B:
    case RTC_SECONDS_ALARM:
    case RTC_MINUTES_ALARM:
    case RTC_HOURS_ALARM: return c[index];
    default: rtc_fill_time(r); return c[index];
    }
}

/* Index and data; bytes beyond the clock are the device model's, which sees the index too. */
static enum hvm_result vrtc_pio(struct vcpu *v, bool write, uint16_t port, unsigned bytes, uint32_t *value)
{
    struct vrtc *r = v->domain->hvm->vrtc;
    enum hvm_result rc = HVM_UNHANDLEABLE;

    if (bytes != 1)
        return HVM_UNHANDLEABLE;
    spin_lock(&r->lock);
    if (!(port & 1)) {
        if (write) {
            r->hw.cmos_index = *value & 0x7f;
            rc = r->hw.cmos_index < RTC_CMOS_SIZE ? HVM_OKAY : HVM_UNHANDLEABLE;
        }
    } else if (r->hw.cmos_index < RTC_CMOS_SIZE) {
        if (write)
            rtc_write(r, r->hw.cmos_index, (uint8_t)*value);
        else
            *value = rtc_read(r, r->hw.cmos_index);
        rc = HVM_OKAY;
    }
    spin_unlock(&r->lock);
    return rc;
}

void vrtc_reset(struct domain *d)
{
    struct vrtc *r = d->hvm->vrtc;

    spin_lock(&r->lock);
    r->hw.cmos_data[RTC_A] = A_DIVIDER_32K | 6; /* 1024 Hz, off */
    r->hw.cmos_data[RTC_B] = B_24H;
    r->hw.cmos_data[RTC_C] = 0;
    rtc_fill_time(r);
    rtc_arm(r);
    spin_unlock(&r->lock);
}

/* The domain's own offset is added where the time is read, so there is nothing to recompute but what shows now. */
void vrtc_update_offset(struct domain *d)
{
    if (!d->hvm->vrtc)
        return;
    spin_lock(&d->hvm->vrtc->lock);
    rtc_fill_time(d->hvm->vrtc);
    spin_unlock(&d->hvm->vrtc->lock);
}

int vrtc_init(struct domain *d)
{
    struct vrtc *r = xzalloc(struct vrtc);

    if (!r)
        return -ENOMEM;
    r->d = d;
    d->hvm->vrtc = r;
    spin_lock_init(&r->lock, LOCK_UNORDERED);
    vtick_init(&r->periodic, d, rtc_periodic, r);
    vtick_init(&r->second, d, rtc_second, r);
    vrtc_reset(d);
    return hvm_register_pio(d, 0x70, 2, vrtc_pio);
}

void vrtc_free(struct domain *d)
{
    if (!d->hvm->vrtc)
        return;
    vtick_kill(&d->hvm->vrtc->periodic);
    vtick_kill(&d->hvm->vrtc->second);
    xfree(d->hvm->vrtc);
    d->hvm->vrtc = NULL;
}

static int vrtc_save(struct vcpu *v, struct hvm_save_buf *b)
{
    if (!v->domain->hvm->vrtc)
        return 0;
    return hvm_save_put(b, HVM_SAVE_CODE(RTC), 0, &v->domain->hvm->vrtc->hw, sizeof(struct hvm_hw_rtc));
}

static int vrtc_load(struct domain *d, unsigned instance, const void *body, uint32_t len)
{
    struct vrtc *r = d->hvm->vrtc;
    const struct hvm_hw_rtc *in = body;

    if (!r)
        return -ENODEV;
    if (in->cmos_index > 0x7f)
        return -EINVAL;
    spin_lock(&r->lock);
    r->hw = *in;
    rtc_fill_time(r);
    rtc_arm(r);
    spin_unlock(&r->lock);
    return 0;
}

static HVM_SAVE_RECORD(record_rtc) = {HVM_SAVE_CODE(RTC), false, sizeof(struct hvm_hw_rtc), vrtc_save, vrtc_load};
