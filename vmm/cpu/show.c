/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers and call traces in words, for panics and debug keys. No locks: it runs when all else fails. */
#include "../boot/console.h"
#include "../domain/domain.h"
#include "asm.h"
#include "cpu.h"

static void show_symbol(uint64_t addr)
{
    uint64_t offset;
    const char *name = symbol_lookup(addr, &offset);

    if (name)
        printk(LOG_ERR "   [<%016lx>] %s+%#lx\n", addr, name, offset);
    else
        printk(LOG_ERR "   [<%016lx>]\n", addr);
}

void show_registers(const struct cpu_user_regs *regs)
{
    bool guest = regs->cs & 3;

    printk(LOG_ERR "CPU %u, %s, vector %u, error code %04x\n", smp_processor_id(), guest ? "guest" : "hypervisor",
           regs->entry_vector, regs->error_code);
    printk(LOG_ERR "RIP: %04x:%016lx RFLAGS: %016lx RSP: %04x:%016lx\n", regs->cs, (uint64_t)regs->rip,
           (uint64_t)regs->rflags, regs->ss, (uint64_t)regs->rsp);
    printk(LOG_ERR "rax: %016lx rbx: %016lx rcx: %016lx rdx: %016lx\n", (uint64_t)regs->rax, (uint64_t)regs->rbx,
           (uint64_t)regs->rcx, (uint64_t)regs->rdx);
    printk(LOG_ERR "rsi: %016lx rdi: %016lx rbp: %016lx r8:  %016lx\n", (uint64_t)regs->rsi, (uint64_t)regs->rdi,
           (uint64_t)regs->rbp, (uint64_t)regs->r8);
    printk(LOG_ERR "r9:  %016lx r10: %016lx r11: %016lx r12: %016lx\n", (uint64_t)regs->r9, (uint64_t)regs->r10,
           (uint64_t)regs->r11, (uint64_t)regs->r12);
    printk(LOG_ERR "r13: %016lx r14: %016lx r15: %016lx\n", (uint64_t)regs->r13, (uint64_t)regs->r14,
           (uint64_t)regs->r15);
    printk(LOG_ERR "cr0: %016lx cr2: %016lx cr3: %016lx cr4: %016lx\n", read_cr0(), read_cr2(), read_cr3(), read_cr4());
    if (!guest)
        show_symbol(regs->rip);
}

/* Follows the frame pointers while they stay on this CPU's stack and rise. */
void show_stack_trace(const struct cpu_user_regs *regs)
{
    uint64_t top = (uint64_t)get_cpu_info(), bottom = ROUND_DOWN(top, STACK_SIZE);
    uint64_t fp = regs ? (uint64_t)regs->rbp : (uint64_t)__builtin_frame_address(0);

    printk(LOG_ERR "Call trace:\n");
    for (unsigned depth = 0; depth < 32; depth++) {
        const uint64_t *frame = (const uint64_t *)fp;

        if (fp < bottom || fp > top - 16 || fp % 8)
            return;
        show_symbol(frame[1]);
        if (frame[0] <= fp)
            return;
        fp = frame[0];
    }
}

void show_execution_state(const struct cpu_user_regs *regs)
{
    const struct vcpu *v = current;

    show_registers(regs);
    if (v && v->domain)
        printk(LOG_ERR "Current: d%dv%u\n", (int16_t)v->domain->id, v->id);
    if (!(regs->cs & 3))
        show_stack_trace(regs);
}
