# Tiny bare guests, for the tests of one behaviour each, and a program for Linux guests.
GUEST_CFLAGS := -std=gnu11 -O2 -m64 -ffreestanding -fno-pic -fno-pie -mno-red-zone -mgeneral-regs-only -mcmodel=small \
    -fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none -Wall -Wextra -Werror -Wa,--fatal-warnings

TINY_GUESTS := $(addprefix $(BUILD)/guests/,pvh.elf hello.elf nonotes.elf vectors)
.PHONY: guests
guests: $(TINY_GUESTS) ## build the test guests

$(BUILD)/guests/pvh.elf: tests/guests/pvh_start.S tests/guests/pvh_tasks.S tests/guests/pvh.c tests/guests/pvh.lds
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments \
	    -Wl,-T,tests/guests/pvh.lds -o $@ $(filter-out %.lds,$^)

# hello.elf in a host (Dom0 or not), and what a guest must not be.
$(BUILD)/guests/hello.elf: tests/guests/hello.S tests/guests/hello.lds
	@mkdir -p $(@D)
	$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments \
	    -Wl,-T,tests/guests/hello.lds -o $@ tests/guests/hello.S
$(BUILD)/guests/nonotes.elf: $(BUILD)/guests/hello.elf
	$(OBJCOPY) --remove-section .note $< $@

$(BUILD)/guests/vectors: tests/guests/vectors.c tests/guests/vectors.S
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -Wa,--fatal-warnings -static -o $@ $^
