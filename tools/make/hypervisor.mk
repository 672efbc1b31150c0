# The hypervisor: build/polder.elf (32-bit multiboot ELF), its .gz, and
# build/polder-syms (64-bit, with symbols, for gdb and addr2line).
HV_DIRS := vmm/boot vmm/lib vmm/mm vmm/cpu vmm/sched vmm/domain vmm/emul vmm/pv vmm/hvm svm vmx
HV_C := $(wildcard $(addsuffix /*.c,$(HV_DIRS)))
HV_S := $(filter-out %.lds.S,$(wildcard $(addsuffix /*.S,$(HV_DIRS))))
HV_OBJ := $(HV_C:%.c=$(BUILD)/hv/%.o) $(HV_S:%.S=$(BUILD)/hv/%.o)

HV_WARN := -Wall -Wextra -Werror -Wno-unused-parameter -Wstrict-prototypes -Wmissing-prototypes -Wvla
HV_CFLAGS := -std=gnu11 -O2 -g -m64 -ffreestanding -nostdinc \
    -isystem $(shell $(CC) -print-file-name=include) -isystem $(BUILD)/include \
    -mno-red-zone -mgeneral-regs-only -fno-pic -fno-pie -mcmodel=large \
    -fno-stack-protector -fno-asynchronous-unwind-tables -fno-omit-frame-pointer \
    -fno-strict-aliasing -fwrapv -fno-delete-null-pointer-checks -fno-common \
    -fcf-protection=none -mno-sse -ftrivial-auto-var-init=zero \
    -include vmm/lib/visibility.h $(HV_WARN) -DPOLDER_VERSION='"$(VERSION)"'
# Position-independent code reaches the image's addresses with short
# RIP-relative operands; the image itself is linked at a fixed place.
HV_CFLAGS := $(filter-out -fno-pic -fno-pie -mcmodel=large,$(HV_CFLAGS)) -fpie

.PHONY: hypervisor
hypervisor: $(BUILD)/polder.elf $(BUILD)/polder.elf.gz ## build build/polder.elf

# The public headers, without the rest of /usr/include.
$(BUILD)/include/xen:
	@[ -e /usr/include/xen/domctl.h ] || \
	    { echo "error: /usr/include/xen/domctl.h is missing: apt-get install libxen-dev (or run 'make setup')" >&2; exit 1; }
	@mkdir -p $(@D) && ln -sfn /usr/include/xen $@

$(BUILD)/hv/%.o: %.c | $(BUILD)/include/xen
	@mkdir -p $(@D)
	@echo "  CC      $@"; $(CC) $(HV_CFLAGS) -MMD -MP -c $< -o $@
$(BUILD)/hv/%.o: %.S | $(BUILD)/include/xen
	@mkdir -p $(@D)
	@echo "  CC      $@"; $(CC) $(HV_CFLAGS) -D__ASSEMBLY__ -MMD -MP -c $< -o $@

# Decompression of Dom0's kernel: the distribution's static libraries, of which one object keeps what is called.
# Only the shims that vmm/boot/libs_shim.c has may stay undefined.
HV_LIBS := lzma z zstd lz4
HV_LIB_FILES := $(foreach l,$(HV_LIBS),$(shell $(CC) -print-file-name=lib$(l).a))
HV_LIB_CALLS := inflateInit2_ inflate inflateEnd ZSTD_findFrameCompressedSize ZSTD_decompress ZSTD_isError LZ4_decompress_safe \
    lzma_stream_header_decode lzma_block_header_decode lzma_filters_free lzma_raw_decoder lzma_code lzma_end lzma_check_size \
    lzma_crc32 lzma_crc64 LzmaDec_AllocateProbs LzmaDec_FreeProbs LzmaDec_InitDicAndState LzmaDec_DecodeToDic
HV_LIB_OBJ := $(BUILD)/hv/libs.o
HV_SYSTEM_HEADERS := -idirafter /usr/include -idirafter /usr/include/$(shell $(CC) -print-multiarch)
$(addprefix $(BUILD)/hv/vmm/boot/,decompress_libs.o xz.o): HV_CFLAGS += $(HV_SYSTEM_HEADERS)
# The LZMA SDK comes as source: its decoder's loop in one page (xz.c).
LZMA_SDK := /usr/include/lzma/LzmaDec.c
HV_LZMA_SDK := $(BUILD)/hv/lzma_sdk.o
$(LZMA_SDK):
	@echo "error: $@ is missing: apt-get install lzma-dev (or run 'make setup')" >&2; exit 1
$(HV_LZMA_SDK): $(LZMA_SDK)
	@mkdir -p $(@D)
	$(CC) $(HV_CFLAGS) -w -falign-functions=4096 $(HV_SYSTEM_HEADERS) -c $< -o $@
$(HV_LIB_OBJ): tools/make/libs.lds $(HV_LZMA_SDK) tools/make/hypervisor.mk
	@mkdir -p $(@D)
	@for f in $(HV_LIB_FILES); do [ -e $$f ] || { echo "error: $$f is missing: apt-get install" \
	    "liblzma-dev zlib1g-dev libzstd-dev liblz4-dev (or run 'make setup')" >&2; exit 1; }; done
	ld -r --gc-sections $(HV_LIB_CALLS:%=-u %) -T $< -o $@.tmp $(HV_LZMA_SDK) $(HV_LIB_FILES)
	$(OBJCOPY) $(HV_LIB_CALLS:%=--keep-global-symbol=%) --keep-global-symbol=libs_init_start \
	    --keep-global-symbol=libs_init_end --strip-debug $@.tmp $@ && rm $@.tmp

$(BUILD)/polder.lds: vmm/boot/polder.lds.S vmm/mm/layout.h
	@mkdir -p $(@D)
	$(CC) -E -P -D__ASSEMBLY__ -x assembler-with-cpp $< -o $@

# Symbols for stack traces: link without them, list them, link again.
HV_LD = ld -nostdlib -static -z max-page-size=0x1000 -z noexecstack --no-warn-rwx-segments -T $(BUILD)/polder.lds
$(BUILD)/symbols0.S: tools/make/symbols.sh
	@mkdir -p $(@D)
	sh tools/make/symbols.sh < /dev/null > $@
$(BUILD)/polder-syms0: $(HV_OBJ) $(HV_LIB_OBJ) $(BUILD)/polder.lds $(BUILD)/symbols0.S
	$(CC) -c $(BUILD)/symbols0.S -o $(BUILD)/symbols0.o
	$(HV_LD) -o $@ $(HV_OBJ) $(HV_LIB_OBJ) $(BUILD)/symbols0.o
$(BUILD)/polder-syms: $(BUILD)/polder-syms0 tools/make/symbols.sh
	nm -n $< | sh tools/make/symbols.sh > $(BUILD)/symbols1.S
	$(CC) -c $(BUILD)/symbols1.S -o $(BUILD)/symbols1.o
	$(HV_LD) -o $@ $(HV_OBJ) $(HV_LIB_OBJ) $(BUILD)/symbols1.o

# A boot loader wants a 32-bit ELF file for a multiboot kernel: one segment
# with the flat image.
$(BUILD)/polder.elf: $(BUILD)/polder-syms tools/make/wrap.lds
	$(OBJCOPY) -O binary $< $(BUILD)/polder.bin
	cd $(BUILD) && $(OBJCOPY) -I binary -O elf32-i386 -B i386 --rename-section .data=.image,alloc,load,data,contents \
	    polder.bin polder.bin.o
	ld -m elf_i386 -T tools/make/wrap.lds --no-warn-rwx-segments \
	    --defsym=bss_bytes=0x$$(nm $< | awk '$$3 == "_bss_bytes" {print $$1}') \
	    --defsym=entry=0x$$(nm $< | awk '$$3 == "_entry_phys" {print $$1}') -o $@ $(BUILD)/polder.bin.o
$(BUILD)/polder.elf.gz: $(BUILD)/polder.elf
	gzip -9 -n -c $< > $@

-include $(HV_OBJ:.o=.d)
