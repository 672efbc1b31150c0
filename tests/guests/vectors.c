/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program for Linux guests: are vector registers kept while others use the CPU?
 *
 *   vectors SECONDS SPINS    again and again fills the widest registers that the system lets a program use, waits for
 *                            SPINS turns of a loop, and compares
 *
 * Prints "VECTORS width=BITS bad=N"; exit status 1 where N is not 0.
 */
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef void round_fn(const void *in, void *out, unsigned long spins);
round_fn round_128, round_256, round_512;

/* XCR0's components, Intel SDM 1, 13.1. */
#define AVX_STATE 0x6U
#define AVX512_STATE 0xe6U

static unsigned widest(void)
{
    unsigned a, b, c, d, xcr0;

    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
        return 128;
    __asm__ volatile("xgetbv" : "=a"(xcr0), "=d"(d) : "c"(0));
    if ((xcr0 & AVX512_STATE) == AVX512_STATE)
        return 512;
    return (xcr0 & AVX_STATE) == AVX_STATE ? 256 : 128;
}

int main(int argc, char **argv)
{
    static unsigned char in[32 * 64 + 8 * 2], out[sizeof(in)];
    unsigned width = widest(), bad = 0;
    round_fn *one = width == 512 ? round_512 : width == 256 ? round_256 : round_128;
    size_t size = width == 512 ? sizeof(in) : 16 * width / 8;
    time_t end;

    if (argc != 3)
        return 2;
    srand((unsigned)getpid());
    end = time(NULL) + atol(argv[1]);
    while (time(NULL) < end) {
        for (size_t i = 0; i < size; i++)
            in[i] = (unsigned char)(rand() >> 8);
        memset(out, 0, sizeof(out));
        one(in, out, strtoul(argv[2], NULL, 0));
        bad += memcmp(in, out, size) != 0;
    }
    printf("VECTORS width=%u bad=%u\n", width, bad);
    return bad != 0;
}
