/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the emulator: rows of the opcode tables, the state of one execution,
 * and the helpers that the exec_*.c files share.
 */
#ifndef POLDER_EMUL_EXEC_H
#define POLDER_EMUL_EXEC_H

#include "../cpu/regs.h"
#include "../lib/string.h"
#include "emul.h"

struct exec;
typedef int (*exec_fn)(struct exec *x);

/* Where an operand is. */
enum operand {
    O_NONE,
    O_E, /* ModRM.rm: register or memory; or memory named by moffs */
    O_G, /* ModRM.reg */
    O_R, /* the opcode's low three bits */
    O_A, /* accumulator */
    O_I, /* immediate */
    O_1, /* the constant 1 */
    O_CL,
};

/* Immediate bytes after ModRM. */
enum imm {
    IMM_NONE,
    IMM_S8, /* one byte, sign-extended */
    IMM_U8,
    IMM_U16,
    IMM_Z,     /* operand size, at most 4 bytes, sign-extended */
    IMM_V,     /* operand size, 8 bytes as well */
    IMM_MOFFS, /* an address of the address size: the memory operand */
    IMM_FAR,   /* offset of the operand size, then a selector */
    IMM_ENTER, /* 16 bits, then 8 bits */
};

#define F_BYTE 0x0001 /* operand size is one byte */
#define F_MODRM 0x0002
#define F_READ 0x0004   /* the destination is read */
#define F_WRITE 0x0008  /* and written */
#define F_LOCK 0x0010   /* LOCK is legal with a memory destination */
#define F_NO64 0x0020   /* #UD in 64-bit mode */
#define F_D64 0x0040    /* operand size is 64 bits in 64-bit mode; 66 makes it 16 */
#define F_NEAR 0x0080   /* near branch: as F_D64, but Intel ignores 66 */
#define F_F64 0x0100    /* operand size is that of the mode (CR, DR moves): 32 or 64 */
#define F_PRIV 0x0200   /* #GP(0) at CPL > 0 */
#define F_MEM 0x0400    /* #UD with a register operand */
#define F_REG 0x0800    /* ModRM.rm is a register whatever mod says */
#define F_PROT 0x1000   /* #UD in real and virtual-8086 mode */
#define F_MEM16 0x2000  /* a memory operand has 16 bits, a register operand the operand size */
#define F_BITOFF 0x4000 /* memory operand's address moves by the bit offset in the source register */
#define F_PFX 0x8000    /* group is indexed by the mandatory prefix: none, 66, F3, F2 */
#define F_Y 0x10000     /* operand size is 64 bits with REX.W, else 32; 66 does not count */
#define RW (F_READ | F_WRITE)

#define BYTES_NONE 0xff

struct emul_opcode {
    exec_fn exec; /* NULL: its length is known, but it is not emulated */
    uint8_t dst, src, imm;
    uint8_t bytes; /* size of operand E where it is not the operand size; BYTES_NONE: no data access */
    uint32_t flags;
    const struct emul_opcode *group; /* rows by ModRM.reg, or by prefix (F_PFX) */
};

extern const struct emul_opcode emul_map1[256]; /* after 0F */
extern const struct emul_opcode emul_arpl_row;  /* opcode 63 outside 64-bit mode */
const struct emul_opcode *emul_lookup(unsigned map, unsigned opcode);

/* The state of one execution. Only a successful one is copied back. */
struct exec {
    struct emul_ctxt *c;
    const struct emul_insn *i;
    const struct emul_opcode *op;
    struct cpu_user_regs r; /* working copy; rip: the next instruction */
    unsigned bytes;         /* operand size */
    uint64_t dst, src;      /* operand values, zero-extended */
    uint64_t dst_old;       /* dst as it was read */
    uint64_t mem_off;
    bool no_write; /* the handler wants no write-back of dst */
    bool stay;     /* rip stays: the rest of a REP is done later */
    bool new_tf;   /* a single step's #DB comes if TF is set after the instruction, not before it */
    uint8_t cpl;   /* after the instruction */
};

enum cpu_mode { MODE_REAL, MODE_VM86, MODE_PROT /* and long */ };

static inline uint64_t mask_of(unsigned bytes) { return bytes >= 8 ? ~0ULL : (1ULL << (bytes * 8)) - 1; }
static inline uint64_t sign_of(unsigned bytes) { return 1ULL << (bytes * 8 - 1); }
static inline int64_t sext(uint64_t v, unsigned bytes) { return (int64_t)(v << (64 - bytes * 8)) >> (64 - bytes * 8); }
static inline bool is_canonical(uint64_t a) { return (uint64_t)((int64_t)(a << 16) >> 16) == a; }
static inline bool mode64(const struct exec *x) { return x->c->addr_size == 64; }
static inline unsigned iopl(const struct exec *x) { return x->r.rflags >> 12 & 3; }

#define ARITH_FLAGS (EFLAGS_CF | EFLAGS_PF | EFLAGS_AF | EFLAGS_ZF | EFLAGS_SF | EFLAGS_OF)
static inline void set_flags(struct exec *x, uint64_t which, uint64_t value)
{
    x->r.rflags = (x->r.rflags & ~which) | (value & which);
}
/* SF, ZF and PF of a result. */
static inline uint64_t result_flags(uint64_t res, unsigned bytes)
{
    res &= mask_of(bytes);
    return (res & sign_of(bytes) ? EFLAGS_SF : 0) | (res ? 0 : EFLAGS_ZF) |
           (__builtin_popcount(res & 0xff) & 1 ? 0 : EFLAGS_PF);
}

static inline int raise_ud(struct exec *x) { return emul_raise(x->c, X86_TRAP_UD, EMUL_NO_ERROR_CODE); }
static inline int raise_gp(struct exec *x, unsigned sel) { return emul_raise(x->c, X86_TRAP_GP, sel & 0xfffc); }
int raise_software(struct exec *x, uint8_t vector, enum emul_event_type type);

/* operands.c: registers, memory and stack.  reg_get(x, n, 1) knows AH-BH. */
uint64_t reg_get(const struct exec *x, unsigned n, unsigned bytes);
void reg_set(struct exec *x, unsigned n, uint64_t value, unsigned bytes);
int mem_read(struct exec *x, enum emul_seg seg, uint64_t off, uint64_t *value, unsigned bytes);
int mem_write(struct exec *x, enum emul_seg seg, uint64_t off, uint64_t value, unsigned bytes);
int push(struct exec *x, uint64_t value, unsigned bytes);
int pop(struct exec *x, uint64_t *value, unsigned bytes);
int stack_read(struct exec *x, uint64_t disp, uint64_t *value, unsigned bytes); /* at rsp + disp */
void stack_adjust(struct exec *x, uint64_t add);
int load_operands(struct exec *x);
int store_operand(struct exec *x);
unsigned operand_e_bytes(const struct exec *x);
void commit_progress(struct exec *x); /* string registers and flags of finished iterations */

/* state.c: what the CPU's mode allows */
int cpu_mode(struct exec *x, enum cpu_mode *mode);
int read_cr(struct exec *x, unsigned cr, uint64_t *value);
int read_msr(struct exec *x, uint32_t msr, uint64_t *value);
int read_segment(struct exec *x, enum emul_seg seg, struct emul_segment *reg);
int write_segment(struct exec *x, enum emul_seg seg, const struct emul_segment *reg);
int check_io(struct exec *x, uint16_t port, unsigned bytes);
int set_rip(struct exec *x, uint64_t rip); /* near branch target, operand size x->bytes */
bool condition(const struct exec *x, unsigned cc);

/* descriptor.c: loads from descriptor tables */
enum cs_load { CS_JUMP, CS_CALL, CS_RETURN };
/* Checks and makes the hidden part; changes no register. */
int prepare_data_segment(struct exec *x, enum emul_seg seg, uint16_t sel, struct emul_segment *reg, unsigned cpl);
int prepare_code_segment(struct exec *x, uint16_t sel, enum cs_load how, struct emul_segment *reg, unsigned *cpl);
int load_data_segment(struct exec *x, enum emul_seg seg, uint16_t sel);
void null_segment(struct emul_segment *reg, uint16_t sel);
/* The descriptor of sel, checked against its table's limit only: *found, or false. */
int descriptor_peek(struct exec *x, uint16_t sel, uint64_t *raw, bool *found);
int descriptor_read(struct exec *x, uint16_t sel, uint64_t *raw); /* #GP(sel) beyond the limit */
void descriptor_segment(uint64_t raw, uint16_t sel, struct emul_segment *reg);
/* Sets type bits (accessed, busy) in the table and in reg. */
int descriptor_mark(struct exec *x, uint16_t sel, uint64_t raw, unsigned bits, struct emul_segment *reg);
static inline unsigned descriptor_dpl(uint64_t raw) { return raw >> 45 & 3; }
static inline unsigned descriptor_type(uint64_t raw) { return raw >> 40 & 0x1f; } /* with S as bit 4 */
static inline bool descriptor_present(uint64_t raw) { return raw >> 47 & 1; }
void real_segment(uint16_t sel, struct emul_segment *reg, bool vm86);

/* Flags that POPF and IRET of the operand size may change at this privilege. */
uint64_t writable_flags(const struct exec *x, unsigned bytes);

#define EXEC(name) int exec_##name(struct exec *x)
/* clang-format off */
EXEC(add); EXEC(or); EXEC(adc); EXEC(sbb); EXEC(and); EXEC(sub); EXEC(xor); EXEC(cmp); EXEC(test); EXEC(inc);
EXEC(dec); EXEC(not); EXEC(neg); EXEC(mul); EXEC(imul1); EXEC(imul); EXEC(imul3); EXEC(div); EXEC(idiv); EXEC(daa);
EXEC(das); EXEC(aaa); EXEC(aas); EXEC(aam); EXEC(aad); EXEC(xadd); EXEC(cmpxchg); EXEC(cmpxchg8b); EXEC(rol); EXEC(ror);
EXEC(rcl); EXEC(rcr); EXEC(shl); EXEC(shr); EXEC(sar); EXEC(shld); EXEC(shrd); EXEC(bt); EXEC(bts); EXEC(btr);
EXEC(btc); EXEC(bsf); EXEC(bsr); EXEC(popcnt); EXEC(bswap); EXEC(setcc); EXEC(cmov); EXEC(crc32); EXEC(movbe);
EXEC(mov); EXEC(movsx); EXEC(movsxd); EXEC(xchg); EXEC(lea); EXEC(push); EXEC(pop); EXEC(pusha); EXEC(popa);
EXEC(pushf); EXEC(popf); EXEC(cbw); EXEC(cwd); EXEC(lahf); EXEC(sahf); EXEC(xlat); EXEC(salc); EXEC(enter);
EXEC(leave); EXEC(nop); EXEC(carry); EXEC(direction); EXEC(pop_e); EXEC(xchg_a); EXEC(ins); EXEC(outs); EXEC(movs);
EXEC(cmps); EXEC(stos); EXEC(lods); EXEC(scas); EXEC(jcc); EXEC(loop); EXEC(jmp); EXEC(jmp_e); EXEC(call);
EXEC(call_e); EXEC(ret); EXEC(int3); EXEC(int1); EXEC(int); EXEC(into); EXEC(bound); EXEC(ud); EXEC(jmp_far);
EXEC(call_far); EXEC(jmp_far_e); EXEC(call_far_e); EXEC(ret_far); EXEC(iret); EXEC(push_seg); EXEC(pop_seg);
EXEC(mov_from_seg); EXEC(mov_to_seg); EXEC(load_far_pointer); EXEC(arpl); EXEC(lar); EXEC(lsl); EXEC(sldt); EXEC(str);
EXEC(lldt); EXEC(ltr); EXEC(verr); EXEC(verw); EXEC(sgdt); EXEC(sidt); EXEC(lgdt); EXEC(lidt); EXEC(in); EXEC(out);
EXEC(cli); EXEC(sti); EXEC(hlt); EXEC(clts); EXEC(smsw); EXEC(lmsw); EXEC(mov_from_cr); EXEC(mov_to_cr);
EXEC(mov_from_dr); EXEC(mov_to_dr); EXEC(rdmsr); EXEC(wrmsr); EXEC(rdtsc); EXEC(rdpmc); EXEC(cpuid); EXEC(invlpg);
EXEC(wbinvd); EXEC(group7); EXEC(fence); EXEC(ldmxcsr); EXEC(stmxcsr); EXEC(fwait); EXEC(emms); EXEC(sse_load);
EXEC(sse_load_aligned); EXEC(sse_store); EXEC(sse_store_aligned); EXEC(sse_load_high); EXEC(sse_store_high);
EXEC(sse_load_low); EXEC(movd_load); EXEC(movd_store); EXEC(mmx_load); EXEC(mmx_store); EXEC(mmx_movd_load);
EXEC(mmx_movd_store); EXEC(x87); EXEC(syscall); EXEC(sysret); EXEC(sysenter); EXEC(sysexit);
/* clang-format on */
#undef EXEC

#endif
