# Unit tests of the emulator: every tests/unit/test_emul*.c is a program, linked with what its line
# "// sources: <files or patterns>" names, built for the host under ASan and UBSan.
EMUL_TEST_C := $(wildcard tests/unit/test_emul*.c)
EMUL_TEST_BIN := $(EMUL_TEST_C:tests/unit/%.c=$(BUILD)/unit-emul/%)
EMUL_TEST_CFLAGS := -std=gnu11 -O1 -g -DPOLDER_HOST -I. -D_GNU_SOURCE -fno-strict-aliasing -fwrapv -Wall -Wextra -Werror \
    -Wno-unused-parameter -Wno-missing-field-initializers -fsanitize=address,undefined -fno-sanitize-recover=undefined

emul_test_sources = $(wildcard $(shell sed -n 's|^// sources: ||p' $(1)))

$(BUILD)/unit-emul/obj/%.o: %.c
	@mkdir -p $(@D)
	$(HOSTCC) $(EMUL_TEST_CFLAGS) -MMD -MP -c $< -o $@

define emul_test_program
$(BUILD)/unit-emul/$(1): $(BUILD)/unit-emul/obj/tests/unit/$(1).o \
    $(patsubst %.c,$(BUILD)/unit-emul/obj/%.o,$(call emul_test_sources,tests/unit/$(1).c))
	$$(HOSTCC) -fsanitize=address,undefined $$^ -lcmocka -o $$@
endef
$(foreach t,$(EMUL_TEST_C:tests/unit/%.c=%),$(eval $(call emul_test_program,$(t))))

.PHONY: unit-emul
unit-emul: $(EMUL_TEST_BIN) ## run the unit tests of the emulator alone
	@set -e; for t in $^; do echo "== $$t"; timeout 300 $$t; done

-include $(shell find $(BUILD)/unit-emul/obj -name '*.d' 2>/dev/null)

# libFuzzer on the emulator: a corpus, then FUZZ_SECONDS of new inputs.
FUZZ_SECONDS ?= 20
FUZZ_EMUL_SRC := tests/fuzz/fuzz_emul.c $(wildcard vmm/emul/*.c)
$(BUILD)/fuzz/fuzz_emul: $(FUZZ_EMUL_SRC) $(wildcard vmm/emul/*.h)
	@mkdir -p $(@D)
	clang -std=gnu11 -O1 -g -DPOLDER_HOST -I. -fno-strict-aliasing -fwrapv -Wall -Wextra -Werror \
	    -Wno-unused-parameter -Wno-missing-field-initializers -fsanitize=fuzzer,address,undefined \
	    -fno-sanitize-recover=undefined $(FUZZ_EMUL_SRC) -o $@

.PHONY: fuzz fuzz-emul
fuzz: fuzz-emul ## fuzz what has a target
fuzz-emul: $(BUILD)/fuzz/fuzz_emul ## the emulator (FUZZ_SECONDS=20)
	@mkdir -p $(BUILD)/fuzz/corpus-emul
	timeout 600 $< -max_total_time=$(FUZZ_SECONDS) -max_len=512 -timeout=5 -verbosity=0 -print_final_stats=1 \
	    -artifact_prefix=$(BUILD)/fuzz/ $(BUILD)/fuzz/corpus-emul tests/fuzz/corpus/emul
