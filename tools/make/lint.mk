# Static checks: format, cppcheck, include rules, headers that compile alone, what documents name.
LINT_C := $(sort $(HV_C) $(wildcard vmm/*/*.h svm/*.h vmx/*.h))
.PHONY: lint lint-format lint-cppcheck lint-rules lint-docs format
lint: lint-format lint-rules lint-docs lint-cppcheck ## format, include rules, sizes, documents, cppcheck

lint-format:
	clang-format --dry-run -Werror $(LINT_C)

format: ## let clang-format write the sources
	clang-format -i $(LINT_C)

lint-rules: | $(BUILD)/include/xen
	python3 tools/make/check-rules.py
	@for h in $(wildcard vmm/*/*.h svm/*.h vmx/*.h); do \
	    $(CC) $(HV_CFLAGS) -fsyntax-only -x c $$h || exit 1; done

lint-docs:
	python3 tools/make/check-docs.py

lint-cppcheck: | $(BUILD)/include/xen
	cppcheck -q --std=c11 --language=c --error-exitcode=1 --inline-suppr --enable=warning,portability -j2 \
	    --suppress=missingInclude --suppress=nullPointerArithmetic --suppress=unknownMacro --suppress=comparePointers -D__x86_64__ -D__GNUC__=12 -I $(BUILD)/include $(HV_DIRS)
