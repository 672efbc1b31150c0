# SPDX-License-Identifier: GPL-2.0-or-later
# Polder's build.  `make help` lists the targets.
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all
BUILD ?= build
CC := gcc
HOSTCC ?= gcc
OBJCOPY ?= objcopy
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)

include tools/make/help.mk
include tools/make/hypervisor.mk
-include tools/make/unit.mk
-include tools/make/emul-tests.mk
-include tools/make/guests.mk
-include tools/make/system.mk
-include tools/make/lint.mk
-include tools/make/install.mk

.PHONY: all clean
all: hypervisor ## build everything
clean: ## remove what was built
	rm -rf $(BUILD)
