# Putting the hypervisor where boot loaders look.
DESTDIR ?=
.PHONY: install
install: hypervisor ## install into $(DESTDIR)/boot
	install -D -m 644 $(BUILD)/polder.elf.gz $(DESTDIR)/boot/polder.elf.gz
	install -D -m 644 $(BUILD)/polder-syms $(DESTDIR)/usr/lib/debug/boot/polder-syms
