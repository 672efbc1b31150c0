# Unit tests: the hypervisor's logic, compiled for the host with sanitizers.
# Each tests/unit/test_X.c is a program; it links what it uses of the archives
# of code under test and of fakes.  The emulator's have rules of their own
# (emul-tests.mk).
UNIT_DIR := $(BUILD)/unit
UNIT_WARN := -Wall -Wextra -Werror -Wno-unused-parameter -Wno-missing-field-initializers
UNIT_SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
UNIT_CFLAGS := -std=gnu11 -O1 -g -DPOLDER_HOST -I. $(UNIT_WARN) $(UNIT_SAN) -fno-strict-aliasing -fwrapv \
    -Dsnprintf=polder_snprintf -Dvsnprintf=polder_vsnprintf \
    -D__init_params_start=__start_init_params -D__init_params_end=__stop_init_params

# Code under test. What talks to the machine itself is not among it.
UNIT_SRC := $(addprefix vmm/lib/,bitops.c snprintf.c string.c) \
    $(addprefix vmm/mm/,page.c page_types.c page_alloc.c domain_pages.c) \
    $(wildcard vmm/domain/grant*.c vmm/domain/memory*.c vmm/domain/evtchn*.c vmm/domain/rangeset.c) \
    $(wildcard vmm/cpu/policy*.c) vmm/cpu/hypervisor_leaves.c vmm/sched/timer.c vmm/boot/cmdline.c
UNIT_FAKES := $(wildcard tests/unit/fakes*.c)
UNIT_TESTS := $(filter-out tests/unit/test_emul%,$(wildcard tests/unit/test_*.c))
UNIT_BINS := $(UNIT_TESTS:tests/unit/%.c=$(UNIT_DIR)/%)

UNIT_OBJ := $(UNIT_SRC:%.c=$(UNIT_DIR)/%.o)
UNIT_FAKE_OBJ := $(UNIT_FAKES:%.c=$(UNIT_DIR)/%.o)

$(UNIT_DIR)/%.o: %.c
	@mkdir -p $(@D)
	@[ -e /usr/include/cmocka.h ] || { echo "error: cmocka.h is missing: apt-get install libcmocka-dev" >&2; exit 1; }
	$(HOSTCC) $(UNIT_CFLAGS) -MMD -MP -c $< -o $@
# The memory and string functions once more as the hypervisor has them, under names that are not the host's.
UNIT_FREESTANDING := memcpy memmove memset memcmp memchr strlen strnlen strcmp strncmp strchr strstr strtoull
$(UNIT_DIR)/string_freestanding.o: vmm/lib/string.c vmm/lib/string.h
	@mkdir -p $(@D)
	$(HOSTCC) -std=gnu11 -O1 -g -I. $(UNIT_SAN) -ffreestanding $(foreach f,$(UNIT_FREESTANDING),-D$(f)=fs_$(f)) \
	    -Dpolder_strlcpy=fs_strlcpy -c $< -o $@
$(UNIT_DIR)/under_test.a: $(UNIT_OBJ)
	rm -f $@ && ar rcs $@ $^
$(UNIT_DIR)/fakes.a: $(UNIT_FAKE_OBJ)
	rm -f $@ && ar rcs $@ $^
$(UNIT_DIR)/test_lib: $(UNIT_DIR)/string_freestanding.o
$(UNIT_DIR)/test_heap: $(UNIT_DIR)/vmm/mm/heap.o
$(UNIT_DIR)/test_vtick: $(UNIT_DIR)/vmm/hvm/vtick.o
$(UNIT_DIR)/test_svm_inject: $(UNIT_DIR)/svm/inject.o
$(UNIT_DIR)/test_logdirty: $(patsubst %,$(UNIT_DIR)/vmm/hvm/%.o,p2m p2m_pt p2m_logdirty shadow_op)
$(UNIT_DIR)/test_save_cpu: $(UNIT_DIR)/vmm/hvm/save_cpu.o
$(UNIT_DIR)/test_vlapic_timer: $(UNIT_DIR)/vmm/hvm/vlapic_timer.o
$(UNIT_DIR)/test_image: $(patsubst %,$(UNIT_DIR)/vmm/boot/%.o,image elf bzimage decompress decompress_libs xz) \
    $(UNIT_DIR)/lzma_sdk.o
$(UNIT_DIR)/lzma_sdk.o: $(LZMA_SDK)
	@mkdir -p $(@D)
	$(HOSTCC) -O2 -w -c $< -o $@
$(UNIT_DIR)/test_xz: $(UNIT_DIR)/vmm/boot/xz.o $(UNIT_DIR)/lzma_sdk.o
$(UNIT_DIR)/test_xz: UNIT_LIBS := -llzma
$(UNIT_DIR)/test_image: UNIT_LIBS := -llzma -lz -lzstd -llz4
$(UNIT_DIR)/test_%: $(UNIT_DIR)/tests/unit/test_%.o $(UNIT_DIR)/under_test.a $(UNIT_DIR)/fakes.a
	$(HOSTCC) $(UNIT_SAN) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -lcmocka $(UNIT_LIBS)

.PHONY: test-unit test-unit-logic
test-unit: test-unit-logic unit-emul ## run the unit tests on this machine
test-unit-logic: $(UNIT_BINS)
	@set -e; for t in $^; do echo "== $${t##*/}"; UBSAN_OPTIONS=print_stacktrace=1 timeout 300 $$t; done

-include $(UNIT_OBJ:.o=.d) $(UNIT_FAKE_OBJ:.o=.d) $(UNIT_TESTS:%.c=$(UNIT_DIR)/%.d)
.SECONDARY: $(UNIT_TESTS:%.c=$(UNIT_DIR)/%.o)
