/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the compression libraries expect of a C library and of the CPU, for as
 * long as Dom0's kernel is being expanded.  Boot CPU only; no locks.
 */
#include "decompress.h"
#include "../cpu/asm.h"
#include "../cpu/regs.h"
#include "../lib/printk.h"
#include "../lib/string.h"
#include "../mm/alloc.h"

void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void free(void *p);
void __stack_chk_fail(void) __noreturn;
unsigned long long ZSTD_trace_decompress_begin(const void *ctx);
void ZSTD_trace_decompress_end(unsigned long long trace, const void *what);

/* -- heap: whole pages each; the libraries ask a few times only ---------------------------------------------------- */
#define BLOCKS_MAX 64
static struct {
    void *p;
    unsigned order;
} blocks[BLOCKS_MAX];

void *malloc(size_t size)
{
    unsigned order = 0;

    while (order <= MAX_ORDER && PAGE_SIZE << order < size) {
        order++;
    }
    for (unsigned i = 0; order <= MAX_ORDER && i < BLOCKS_MAX; i++) {
        if (!blocks[i].p) {
            blocks[i].p = alloc_xenheap_pages(order);
            blocks[i].order = order;
            return blocks[i].p;
        }
    }
    return NULL;
}

void *calloc(size_t n, size_t size)
{
    void *p = size && n > SIZE_MAX / size ? NULL : malloc(n * size);

    if (p) {
        memset(p, 0, n * size);
    }
    return p;
}

void free(void *p)
{
    for (unsigned i = 0; p && i < BLOCKS_MAX; i++) {
        if (blocks[i].p == p) {
            free_xenheap_pages(p, blocks[i].order);
            blocks[i].p = NULL;
            return;
        }
    }
}

void __stack_chk_fail(void) { panic("A compression library has overrun its stack"); }

/* Hooks that libzstd calls where they are linked in; a weak reference would not reach from the image to address 0. */
unsigned long long ZSTD_trace_decompress_begin(const void *ctx) { return 0; /* no trace wanted */ }
void ZSTD_trace_decompress_end(unsigned long long trace, const void *what) {}

/* -- CPU state ----------------------------------------------------------------------------------------------------- */
/* Thread-local storage as the x86-64 ABI has it: FS:0x28 is the guard that stack protectors compare with. */
static uint64_t thread_block[8];
#define STACK_GUARD 0x595e9fbd94fda766UL

static uint64_t saved_cr0, saved_cr4, saved_fs;

typedef void (*constructor)(void);
extern const constructor libs_init_start[], libs_init_end[]; /* tools/make/libs.lds */

void libs_enter(void)
{
    static bool constructed;

    saved_cr0 = read_cr0();
    saved_cr4 = read_cr4();
    saved_fs = rdmsr(MSR_FS_BASE);
    write_cr0((saved_cr0 & ~(uint64_t)(CR0_TS | CR0_EM)) | CR0_MP);
    write_cr4(saved_cr4 | CR4_OSFXSR | CR4_OSXMMEXCPT);
    thread_block[0] = (uint64_t)thread_block;
    thread_block[0x28 / 8] = STACK_GUARD;
    wrmsr(MSR_FS_BASE, (uint64_t)thread_block);
    if (!constructed) {
        constructed = true;
        for (const constructor *c = libs_init_start; c < libs_init_end; c++) {
            (*c)();
        }
    }
}

void libs_leave(void)
{
    wrmsr(MSR_FS_BASE, saved_fs);
    write_cr4(saved_cr4);
    write_cr0(saved_cr0);
    for (unsigned i = 0; i < BLOCKS_MAX; i++) {
        free(blocks[i].p);
    }
}
