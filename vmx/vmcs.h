/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtual machine control structure: encodings of its fields, and the bits
 * of its controls.  Intel SDM 3C, chapter 25 "Virtual Machine Control
 * Structures"; 3D, appendix B "Field Encoding in VMCS".
 */
#ifndef POLDER_VMX_VMCS_H
#define POLDER_VMX_VMCS_H

#include "../vmm/lib/printk.h"
#include "../vmm/lib/types.h"

enum vmcs_field {
    /* 16 bits */
    VIRTUAL_PROCESSOR_ID = 0x0000,
    POSTED_INTERRUPT_VECTOR = 0x0002,
    GUEST_INTERRUPT_STATUS = 0x0810, /* RVI in bits 7:0, SVI in 15:8 */
    GUEST_ES_SELECTOR = 0x0800,      /* CS, SS, DS, FS, GS, LDTR, TR follow, each 2 higher: enum hvm_segment */
    HOST_ES_SELECTOR = 0x0c00,
    HOST_CS_SELECTOR = 0x0c02,
    HOST_SS_SELECTOR = 0x0c04,
    HOST_DS_SELECTOR = 0x0c06,
    HOST_FS_SELECTOR = 0x0c08,
    HOST_GS_SELECTOR = 0x0c0a,
    HOST_TR_SELECTOR = 0x0c0c,
    /* 64 bits */
    MSR_BITMAP = 0x2004,
    TSC_OFFSET = 0x2010,
    VIRTUAL_APIC_PAGE_ADDR = 0x2012,
    APIC_ACCESS_ADDR = 0x2014,
    POSTED_INTERRUPT_ADDR = 0x2016,
    EPT_POINTER = 0x201a,
    EOI_EXIT_BITMAP0 = 0x201c, /* and three more, each 2 higher */
    XSS_EXIT_BITMAP = 0x202c,
    TSC_MULTIPLIER = 0x2032,
    GUEST_PHYSICAL_ADDRESS = 0x2400,
    VMCS_LINK_POINTER = 0x2800,
    GUEST_IA32_DEBUGCTL = 0x2802,
    GUEST_IA32_PAT = 0x2804,
    GUEST_IA32_EFER = 0x2806,
    GUEST_PDPTE0 = 0x280a,
    HOST_IA32_PAT = 0x2c00,
    HOST_IA32_EFER = 0x2c02,
    /* 32 bits */
    PIN_BASED_CONTROLS = 0x4000,
    PROC_BASED_CONTROLS = 0x4002,
    EXCEPTION_BITMAP = 0x4004,
    PAGE_FAULT_ERROR_CODE_MASK = 0x4006,
    PAGE_FAULT_ERROR_CODE_MATCH = 0x4008,
    CR3_TARGET_COUNT = 0x400a,
    VM_EXIT_CONTROLS = 0x400c,
    VM_EXIT_MSR_STORE_COUNT = 0x400e,
    VM_EXIT_MSR_LOAD_COUNT = 0x4010,
    VM_ENTRY_CONTROLS = 0x4012,
    VM_ENTRY_MSR_LOAD_COUNT = 0x4014,
    VM_ENTRY_INTR_INFO = 0x4016,
    VM_ENTRY_EXCEPTION_ERROR_CODE = 0x4018,
    VM_ENTRY_INSTRUCTION_LEN = 0x401a,
    TPR_THRESHOLD = 0x401c,
    PROC_BASED_CONTROLS2 = 0x401e,
    PLE_GAP = 0x4020,
    PLE_WINDOW = 0x4022,
    VM_INSTRUCTION_ERROR = 0x4400,
    VM_EXIT_REASON = 0x4402,
    VM_EXIT_INTR_INFO = 0x4404,
    VM_EXIT_INTR_ERROR_CODE = 0x4406,
    IDT_VECTORING_INFO = 0x4408,
    IDT_VECTORING_ERROR_CODE = 0x440a,
    VM_EXIT_INSTRUCTION_LEN = 0x440c,
    VM_EXIT_INSTRUCTION_INFO = 0x440e,
    GUEST_ES_LIMIT = 0x4800,         /* ... TR, GDTR, IDTR */
    GUEST_ES_ACCESS_RIGHTS = 0x4814, /* ... TR */
    GUEST_INTERRUPTIBILITY = 0x4824,
    GUEST_ACTIVITY_STATE = 0x4826,
    GUEST_SYSENTER_CS = 0x482a,
    PREEMPTION_TIMER_VALUE = 0x482e,
    HOST_SYSENTER_CS = 0x4c00,
    /* as wide as a register */
    CR0_GUEST_HOST_MASK = 0x6000,
    CR4_GUEST_HOST_MASK = 0x6002,
    CR0_READ_SHADOW = 0x6004,
    CR4_READ_SHADOW = 0x6006,
    EXIT_QUALIFICATION = 0x6400,
    GUEST_LINEAR_ADDRESS = 0x640a,
    GUEST_CR0 = 0x6800,
    GUEST_CR3 = 0x6802,
    GUEST_CR4 = 0x6804,
    GUEST_ES_BASE = 0x6806, /* ... TR, GDTR, IDTR */
    GUEST_DR7 = 0x681a,
    GUEST_RSP = 0x681c,
    GUEST_RIP = 0x681e,
    GUEST_RFLAGS = 0x6820,
    GUEST_PENDING_DEBUG = 0x6822,
    GUEST_SYSENTER_ESP = 0x6824,
    GUEST_SYSENTER_EIP = 0x6826,
    HOST_CR0 = 0x6c00,
    HOST_CR3 = 0x6c02,
    HOST_CR4 = 0x6c04,
    HOST_FS_BASE = 0x6c06,
    HOST_GS_BASE = 0x6c08,
    HOST_TR_BASE = 0x6c0a,
    HOST_GDTR_BASE = 0x6c0c,
    HOST_IDTR_BASE = 0x6c0e,
    HOST_SYSENTER_ESP = 0x6c10,
    HOST_SYSENTER_EIP = 0x6c12,
    HOST_RSP = 0x6c14,
    HOST_RIP = 0x6c16,
};

/* Pin-based controls: 25.6.1 */
#define PIN_EXTERNAL_INTERRUPT BIT(0)
#define PIN_NMI BIT(3)
#define PIN_VIRTUAL_NMIS BIT(5)
#define PIN_PREEMPTION_TIMER BIT(6)
#define PIN_POSTED_INTERRUPTS BIT(7)

/* Primary processor-based controls: 25.6.2 */
#define PROC_INTERRUPT_WINDOW BIT(2)
#define PROC_TSC_OFFSETTING BIT(3)
#define PROC_HLT BIT(7)
#define PROC_INVLPG BIT(9)
#define PROC_MWAIT BIT(10)
#define PROC_RDPMC BIT(11)
#define PROC_RDTSC BIT(12)
#define PROC_CR3_LOAD BIT(15)
#define PROC_CR3_STORE BIT(16)
#define PROC_CR8_LOAD BIT(19)
#define PROC_CR8_STORE BIT(20)
#define PROC_TPR_SHADOW BIT(21)
#define PROC_NMI_WINDOW BIT(22)
#define PROC_MOV_DR BIT(23)
#define PROC_UNCONDITIONAL_IO BIT(24)
#define PROC_IO_BITMAPS BIT(25)
#define PROC_MONITOR_TRAP BIT(27)
#define PROC_MSR_BITMAPS BIT(28)
#define PROC_MONITOR BIT(29)
#define PROC_PAUSE BIT(30)
#define PROC_SECONDARY BIT(31)

/* Secondary ones */
#define PROC2_APIC_ACCESSES BIT(0)
#define PROC2_EPT BIT(1)
#define PROC2_RDTSCP BIT(3)
#define PROC2_X2APIC BIT(4)
#define PROC2_VPID BIT(5)
#define PROC2_WBINVD BIT(6)
#define PROC2_UNRESTRICTED_GUEST BIT(7)
#define PROC2_APIC_REGISTERS BIT(8)
#define PROC2_VIRTUAL_INTERRUPTS BIT(9)
#define PROC2_PAUSE_LOOP BIT(10)
#define PROC2_INVPCID BIT(12)
#define PROC2_XSAVES BIT(20)
#define PROC2_TSC_SCALING BIT(25)

/* VM-exit controls: 25.7.1 */
#define EXIT_SAVE_DEBUG BIT(2)
#define EXIT_HOST_64BIT BIT(9)
#define EXIT_ACK_INTERRUPT BIT(15)
#define EXIT_LOAD_PAT BIT(19)
#define EXIT_SAVE_EFER BIT(20)
#define EXIT_LOAD_EFER BIT(21)

/* VM-entry controls: 25.8.1 */
#define ENTRY_LOAD_DEBUG BIT(2)
#define ENTRY_IA32E_MODE BIT(9)
#define ENTRY_LOAD_PAT BIT(14)
#define ENTRY_LOAD_EFER BIT(15)

/* Interruption information (entry, exit, IDT-vectoring): 25.8.3, 25.9.2 */
#define INTR_INFO_VECTOR(i) ((uint8_t)(i))
#define INTR_INFO_TYPE_SHIFT 8
#define INTR_INFO_TYPE(i) (((i) >> INTR_INFO_TYPE_SHIFT) & 7)
#define INTR_INFO_ERROR_CODE BIT(11)
#define INTR_INFO_NMI_UNBLOCKED BIT(12) /* by an IRET that faulted: 28.2.3 */
#define INTR_INFO_VALID BIT(31)

/* Interruptibility: 25.4.2 */
#define BLOCKING_BY_STI BIT(0)
#define BLOCKING_BY_MOV_SS BIT(1)
#define BLOCKING_BY_NMI BIT(3)

#define PENDING_DEBUG_BS BIT(14)
#define DR6_BD BIT(13)
#define DR6_BS BIT(14)
#define DR7_GD BIT(13)
#define DEBUGCTL_BTF BIT(1)

/* Basic exit reasons: appendix C */
enum vmx_exit_reason {
    VMX_EXIT_EXCEPTION_NMI = 0,
    VMX_EXIT_EXTERNAL_INTERRUPT = 1,
    VMX_EXIT_TRIPLE_FAULT = 2,
    VMX_EXIT_INIT = 3,
    VMX_EXIT_SIPI = 4,
    VMX_EXIT_INTERRUPT_WINDOW = 7,
    VMX_EXIT_NMI_WINDOW = 8,
    VMX_EXIT_TASK_SWITCH = 9,
    VMX_EXIT_CPUID = 10,
    VMX_EXIT_GETSEC = 11,
    VMX_EXIT_HLT = 12,
    VMX_EXIT_INVD = 13,
    VMX_EXIT_INVLPG = 14,
    VMX_EXIT_RDPMC = 15,
    VMX_EXIT_RDTSC = 16,
    VMX_EXIT_VMCALL = 18,
    VMX_EXIT_VMCLEAR = 19,
    VMX_EXIT_VMXON = 27,
    VMX_EXIT_CR_ACCESS = 28,
    VMX_EXIT_DR_ACCESS = 29,
    VMX_EXIT_IO = 30,
    VMX_EXIT_RDMSR = 31,
    VMX_EXIT_WRMSR = 32,
    VMX_EXIT_MWAIT = 36,
    VMX_EXIT_MONITOR_TRAP = 37,
    VMX_EXIT_MONITOR = 39,
    VMX_EXIT_PAUSE = 40,
    VMX_EXIT_TPR = 43,
    VMX_EXIT_APIC_ACCESS = 44,
    VMX_EXIT_EOI = 45,
    VMX_EXIT_EPT_VIOLATION = 48,
    VMX_EXIT_EPT_MISCONFIG = 49,
    VMX_EXIT_INVEPT = 50,
    VMX_EXIT_RDTSCP = 51,
    VMX_EXIT_PREEMPTION_TIMER = 52,
    VMX_EXIT_INVVPID = 53,
    VMX_EXIT_WBINVD = 54,
    VMX_EXIT_XSETBV = 55,
    VMX_EXIT_APIC_WRITE = 56,
    VMX_EXIT_INVPCID = 58,
    VMX_EXIT_VMFUNC = 59,
};
#define EXIT_REASON_ENTRY_FAILED BIT(31)

/*
 * Access to the current VMCS. A field that the CPU does not have is a defect of
 * this folder: what is optional is asked for only with its control.
 */
static inline uint64_t vmread(enum vmcs_field field)
{
    uint64_t value;
    bool failed;

    __asm__ volatile("vmread %2, %0" : "=rm"(value), "=@ccbe"(failed) : "r"((uint64_t)field));
    ASSERT(!failed);
    return value;
}

static inline void vmwrite(enum vmcs_field field, uint64_t value)
{
    bool failed;

    __asm__ volatile("vmwrite %2, %1" : "=@ccbe"(failed) : "r"((uint64_t)field), "rm"(value));
    ASSERT(!failed);
}

static inline void vmclear(paddr_t vmcs)
{
    bool failed;

    __asm__ volatile("vmclear %1" : "=@ccbe"(failed) : "m"(vmcs) : "memory");
    BUG_ON(failed);
}

static inline void vmptrld(paddr_t vmcs)
{
    bool failed;

    __asm__ volatile("vmptrld %1" : "=@ccbe"(failed) : "m"(vmcs) : "memory");
    BUG_ON(failed);
}

/* Invalidation: SDM 3C, chapter 31 */
struct vmx_inv {
    uint64_t first, second;
};
#define INVEPT_CONTEXT 1UL
#define INVEPT_ALL 2UL
#define INVVPID_CONTEXT 1UL
#define INVVPID_ALL 2UL

static inline void invept(uint64_t type, uint64_t eptp)
{
    struct vmx_inv d = {eptp, 0};
    bool failed;

    __asm__ volatile("invept %1, %2" : "=@ccbe"(failed) : "m"(d), "r"(type) : "memory");
    BUG_ON(failed);
}

static inline void invvpid(uint64_t type, uint16_t vpid)
{
    struct vmx_inv d = {vpid, 0};
    bool failed;

    __asm__ volatile("invvpid %1, %2" : "=@ccbe"(failed) : "m"(d), "r"(type) : "memory");
    BUG_ON(failed);
}

#endif
