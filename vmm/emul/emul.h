/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x86 instruction decoder and emulator.  Pure: the state is in struct
 * emul_ctxt, every effect outside the registers goes through struct emul_ops.
 * No globals, no locks; it runs on the host under test as it is.
 *
 * A caller fills the inputs of a context (zero the rest) and calls
 * emul_one(), or emul_decode() and, if it likes what it sees, emul_execute().
 * AMD APM 3 "General-Purpose and System Instructions"; Intel SDM 2.
 */
#ifndef POLDER_EMUL_EMUL_H
#define POLDER_EMUL_EMUL_H

#include "../lib/types.h"
#include "../lib/abi.h"

#define EMUL_INSN_MAX 15 /* bytes of the longest instruction */

enum emul_rc {
    EMUL_OKAY,           /* done; registers are updated */
    EMUL_UNHANDLEABLE,   /* not an instruction (or use of it) that is emulated; nothing was changed */
    EMUL_EXCEPTION,      /* deliver ctxt->event; rip still points at the instruction */
    EMUL_RETRY,          /* a callback cannot answer yet; execute again later (see "Retrying" below) */
    EMUL_CMPXCHG_FAILED, /* only from ops->cmpxchg: memory differed, *old has what it held */
};
/*
 * Retrying.  No register changes before the last access of an instruction (or
 * of one iteration of a REP string instruction) has succeeded.  So after
 * EMUL_RETRY the same instruction does the same accesses again, in the same
 * order: a caller whose accesses have side effects (MMIO) remembers the
 * completed ones until the instruction ends, and answers them from memory.
 */

/* Numbered as in the instruction set; the system segments follow. */
enum emul_seg {
    EMUL_SEG_ES,
    EMUL_SEG_CS,
    EMUL_SEG_SS,
    EMUL_SEG_DS,
    EMUL_SEG_FS,
    EMUL_SEG_GS,
    EMUL_SEG_LDTR,
    EMUL_SEG_TR,
    EMUL_SEG_GDTR,
    EMUL_SEG_IDTR,
    EMUL_SEG_NONE, /* the offset is a linear address */
};

/*
 * A segment register with its hidden part: the same fields, numbers and bits
 * as vmm/hvm/backend.h's struct segment_reg.  limit is in bytes whatever the
 * granularity; attr is in the access-rights form of VT-x (SDM 3C, 25.4.1).
 */
struct emul_segment {
    uint16_t sel;
    uint32_t attr;
    uint32_t limit;
    uint64_t base;
};
#define EMUL_ATTR_TYPE 0x0fU /* code/data: 1 accessed, 2 writable/readable, 4 expand-down/conforming, 8 code */
#define EMUL_ATTR_S 0x10U
#define EMUL_ATTR_DPL(a) (((a) >> 5) & 3)
#define EMUL_ATTR_P 0x80U
#define EMUL_ATTR_AVL 0x1000U
#define EMUL_ATTR_L 0x2000U
#define EMUL_ATTR_DB 0x4000U
#define EMUL_ATTR_G 0x8000U
#define EMUL_ATTR_UNUSABLE 0x10000U

enum emul_vendor { EMUL_VENDOR_INTEL, EMUL_VENDOR_AMD };

enum emul_event_type { /* numbered as VMX and SVM number injected events */
                       EMUL_EVENT_HW_EXCEPTION = 3,
                       EMUL_EVENT_SW_INT = 4,       /* INT n */
                       EMUL_EVENT_PRIV_SW = 5,      /* INT1 (ICEBP) */
                       EMUL_EVENT_SW_EXCEPTION = 6, /* INT3, INTO */
};
#define EMUL_NO_ERROR_CODE (-1)

struct emul_event {
    uint8_t vector;
    uint8_t type;       /* enum emul_event_type */
    uint8_t insn_len;   /* software events: the return address is rip + insn_len */
    int32_t error_code; /* EMUL_NO_ERROR_CODE: none is pushed */
    uint64_t cr2;       /* page faults; set by the callback */
};

/* What emul_decode() found. */
struct emul_insn {
    uint8_t len;
    uint8_t map;      /* 0: one byte; 1: 0F; 2: 0F 38; 3: 0F 3A */
    uint8_t opcode;   /* last opcode byte */
    uint8_t op_bytes; /* operand size: 1, 2, 4, 8 (16 and others for SSE) */
    uint8_t ad_bytes; /* address size: 2, 4, 8 */
    uint8_t rex;      /* 0 or 0x40-0x4f */
    uint8_t rep;      /* 0, 0xf2, 0xf3: the last such prefix */
    bool lock;
    bool opsize; /* prefix 66 present */
    uint8_t seg; /* enum emul_seg of the override, or EMUL_SEG_NONE */
    bool has_modrm;
    uint8_t modrm;
    uint8_t reg; /* modrm.reg with REX.R */
    uint8_t rm;  /* modrm.rm with REX.B (register form) */
    /* A memory operand named by ModRM or moffs (not those of string and stack instructions) */
    bool mem;
    bool mem_write;                  /* it is written (perhaps read as well) */
    uint8_t mem_seg;                 /* enum emul_seg */
    uint8_t mem_bytes;               /* 0: not a data access (LEA, INVLPG), or varies */
    uint64_t mem_off;                /* offset in the segment, wrapped to the address size */
    uint64_t imm;                    /* sign-extended to the operand size where the instruction does so */
    uint64_t imm2;                   /* ENTER's level, a far pointer's selector */
    const struct emul_opcode *entry; /* private: row of the opcode table */
};

/* The legacy region of FXSAVE/XSAVE (64-bit format). */
struct emul_fxsave {
    uint16_t fcw, fsw;
    uint8_t ftw, rsvd0; /* abridged tag word: bit n set: physical register n is in use */
    uint16_t fop;
    uint64_t fip, fdp;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t st[8][16]; /* ST(0) first */
    uint8_t xmm[16][16];
    uint8_t rsvd1[96];
};
_Static_assert(sizeof(struct emul_fxsave) == 512, "FXSAVE area");

struct emul_ctxt;

/*
 * All return an emul_rc.  A callback that returns EMUL_EXCEPTION has set
 * ctxt->event first (emul_raise() does).  NULL where optional: instructions
 * that need it are EMUL_UNHANDLEABLE.
 */
struct emul_ops {
    /*
     * Data access of 1-16 bytes at an offset in a segment.  Where insn.mem_write is set, a read at insn.mem_off is
     * the first half of a read-modify-write: a fault says "write".  The callback does the segment's checks
     * (emul_linear() does them), translation and access. Segments LDTR..IDTR are the CPU's own reads of descriptor
     * tables: supervisor accesses at any CPL.  Required: read, write.
     */
    int (*read)(enum emul_seg seg, uint64_t offset, void *buf, unsigned bytes, struct emul_ctxt *c);
    int (*write)(enum emul_seg seg, uint64_t offset, const void *buf, unsigned bytes, struct emul_ctxt *c);
    /*
     * Instruction bytes at CS:offset: never across a page's end by linear address (with read_segment; else by
     * offset).  At first more than the instruction may have; if that fails, again for no more than it must have.
     */
    int (*insn_fetch)(uint64_t offset, void *buf, unsigned bytes, struct emul_ctxt *c);
    /*
     * Atomically: if memory equals old, store new; else *old = memory and
     * EMUL_CMPXCHG_FAILED.  1-16 bytes.  NULL: LOCK is done by read and write.
     */
    int (*cmpxchg)(enum emul_seg seg, uint64_t offset, void *old, const void *new, unsigned bytes, struct emul_ctxt *c);

    /*
     * Optional fast forms of REP INS/OUTS/MOVS/STOS.  *reps: in, how many are
     * wanted (>= 1, offsets do not wrap); out, how many were done, also where
     * the result is not EMUL_OKAY.  Direction: regs->rflags.DF.
     * EMUL_UNHANDLEABLE: done one by one through the others.
     */
    int (*rep_ins)(uint16_t port, enum emul_seg seg, uint64_t offset, unsigned bytes, uint64_t *reps,
                   struct emul_ctxt *c);
    int (*rep_outs)(enum emul_seg seg, uint64_t offset, uint16_t port, unsigned bytes, uint64_t *reps,
                    struct emul_ctxt *c);
    int (*rep_movs)(enum emul_seg src, uint64_t src_off, enum emul_seg dst, uint64_t dst_off, unsigned bytes,
                    uint64_t *reps, struct emul_ctxt *c);
    int (*rep_stos)(const void *value, enum emul_seg seg, uint64_t offset, unsigned bytes, uint64_t *reps,
                    struct emul_ctxt *c);
    /* Optional: true ends a long REP early: EMUL_OKAY with ctxt->rep_pending and rip at the instruction. */
    bool (*preempt)(struct emul_ctxt *c);

    /* Optional filter after decoding: false is EMUL_UNHANDLEABLE. */
    bool (*allow)(const struct emul_insn *insn, struct emul_ctxt *c);

    int (*read_segment)(enum emul_seg seg, struct emul_segment *reg, struct emul_ctxt *c);
    int (*write_segment)(enum emul_seg seg, const struct emul_segment *reg, struct emul_ctxt *c);

    /* Ports: 1, 2 or 4 bytes. The TSS bitmap was checked if CPL > IOPL. */
    int (*read_io)(uint16_t port, unsigned bytes, uint32_t *value, struct emul_ctxt *c);
    int (*write_io)(uint16_t port, unsigned bytes, uint32_t value, struct emul_ctxt *c);

    int (*read_cr)(unsigned cr, uint64_t *value, struct emul_ctxt *c); /* CR0 and CR4 are wanted by many */
    int (*write_cr)(unsigned cr, uint64_t value, struct emul_ctxt *c); /* validates; raises #GP itself */
    int (*read_dr)(unsigned dr, uint64_t *value, struct emul_ctxt *c);
    int (*write_dr)(unsigned dr, uint64_t value, struct emul_ctxt *c);
    int (*read_xcr)(unsigned xcr, uint64_t *value, struct emul_ctxt *c);
    int (*write_xcr)(unsigned xcr, uint64_t value, struct emul_ctxt *c);
    int (*read_msr)(uint32_t msr, uint64_t *value, struct emul_ctxt *c); /* also RDTSC(P), SWAPGS, SYSENTER, ... */
    int (*write_msr)(uint32_t msr, uint64_t value, struct emul_ctxt *c);
    int (*read_pmc)(uint32_t counter, uint64_t *value, struct emul_ctxt *c);
    int (*cpuid)(uint32_t leaf, uint32_t subleaf, uint32_t out[4], struct emul_ctxt *c); /* eax ebx ecx edx */
    int (*wbinvd)(struct emul_ctxt *c);
    int (*invlpg)(enum emul_seg seg, uint64_t offset, struct emul_ctxt *c);
    /* VMMCALL or VMCALL. May change ctxt->regs (results); not rip, which the emulator then advances. */
    int (*vmmcall)(struct emul_ctxt *c);

    /*
     * The vCPU's x87/MMX/SSE state, saved to memory and (as XSTATE_BV may
     * say "initial") filled in.  Each successful get is followed by a put;
     * changed: load it back and mark x87 and SSE in XSTATE_BV.
     */
    int (*get_fpu)(struct emul_fxsave **state, struct emul_ctxt *c);
    void (*put_fpu)(bool changed, struct emul_ctxt *c);
};

struct emul_ctxt {
    /* Inputs */
    struct cpu_user_regs *regs; /* GPRs, rip and rflags are used and updated; selectors are not */
    const struct emul_ops *ops;
    void *opaque;
    uint8_t addr_size; /* of the code segment: 16, 32, 64 */
    uint8_t sp_size;   /* of the stack segment: 16, 32, 64 */
    uint8_t cpl;       /* 0 in real mode, 3 in virtual-8086 mode; updated by far transfers. PV kernel: say 0 */
    bool lma;          /* EFER.LMA */
    uint8_t vendor;    /* enum emul_vendor: where the two differ */
    /* Bytes at CS:rip that are known already (may be 0: all are fetched) */
    uint8_t fetched;
    uint8_t bytes[EMUL_INSN_MAX + 1];

    /* Outcome; valid after EMUL_EXCEPTION */
    struct emul_event event;
    /* Outcome; valid after EMUL_OKAY */
    struct {
        bool hlt;         /* HLT: the caller blocks the vCPU */
        bool mov_ss;      /* interrupts are held off for one instruction */
        bool sti;         /* the same, by STI that set IF */
        bool unblock_nmi; /* IRET ended */
        bool singlestep;  /* TF was set: #DB with DR6.BS is due */
    } retire;
    bool rep_pending; /* a REP instruction was left in the middle (EMUL_OKAY; rip still points at it) */
    struct emul_insn insn;
};

/* Decodes at CS:rip; needs insn_fetch (unless bytes[] suffices) only. Changes ctxt->insn, bytes and fetched. */
int __must_check emul_decode(struct emul_ctxt *c);
/* Executes what emul_decode() decoded. */
int __must_check emul_execute(struct emul_ctxt *c);
/* Both, with ops->allow between. */
int __must_check emul_one(struct emul_ctxt *c);

/* Sets ctxt->event to a hardware exception and returns EMUL_EXCEPTION. */
int emul_raise(struct emul_ctxt *c, uint8_t vector, int32_t error_code);
int emul_raise_page_fault(struct emul_ctxt *c, uint64_t cr2, uint32_t error_code);

enum emul_access { EMUL_READ, EMUL_WRITE, EMUL_FETCH };
/*
 * Offset to linear address with the checks of APM 2 "Segmentation" (4.5, 4.7,
 * 4.12): limits, types, canonical form; #GP(0) or #SS(0) otherwise.  For use
 * in callbacks; needs ops->read_segment.
 */
int emul_linear(struct emul_ctxt *c, enum emul_seg seg, uint64_t offset, unsigned bytes, enum emul_access access,
                uint64_t *linear);

/* Length of the instruction that starts bytes[0..n), mode 16, 32 or 64; -EINVAL: none, or it is longer than n. */
int emul_insn_length(const uint8_t *bytes, unsigned n, unsigned mode);

/* Register n (0-15, ModRM numbering) in a frame: its address. */
uint64_t *emul_gpr(struct cpu_user_regs *regs, unsigned n);

#endif
