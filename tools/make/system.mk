# Setting up a machine, the tests' images, and tests that boot the whole thing.
IMAGES := $(or $(POLDER_IMAGES),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/polder)

# An image that was being built when make was stopped is not taken for one.
.DELETE_ON_ERROR:
.PHONY: setup images test-images test test-svm test-svm-bochs test-vmx test-vmx-full test-crossing bench run
setup: ## install the Debian packages that building and testing need
	tools/setup

images: $(IMAGES)/dom0.cpio $(IMAGES)/data.img ## build the images that the demo and most tests boot
test-images: images $(IMAGES)/debian.img $(IMAGES)/zoo.img ## ... and a whole Debian as Dom0, and many systems as guests

$(IMAGES)/dom0.cpio: tests/images/build-dom0 tests/images/common.sh $(wildcard tests/images/dom0/*) \
    $(wildcard tests/images/dom0/guests/*) $(TINY_GUESTS)
	tests/images/build-dom0 --out $(IMAGES) $(TINY_GUESTS)
$(IMAGES)/data.img: tests/images/build-guests tests/images/build-install-iso tests/images/common.sh \
    $(wildcard tests/images/guest/*) $(wildcard tests/images/install/*)
	tests/images/build-guests --out $(IMAGES)
$(IMAGES)/debian.img: tests/images/build-debian tests/images/common.sh
	tests/images/build-debian --out $(IMAGES)
$(IMAGES)/zoo.img: tests/images/build-zoo tests/images/common.sh $(wildcard tests/images/guest/*)
	tests/images/build-zoo --out $(IMAGES)

# Debian's Python: pytest and its like are Debian's packages.  As many emulators at a time as JOBS says.
JOBS ?= 2
PYTEST := POLDER_BUILD=$(abspath $(BUILD)) /usr/bin/python3 -m pytest -v --tb=short --durations=0 --durations-min=5 \
    -p no:cacheprovider -n $(JOBS) --dist loadgroup
# What needs packages that are installed first runs in a second make.
test: setup ## install what is missing, build, and run every test
	$(MAKE) lint test-unit test-svm test-vmx

test-svm: hypervisor test-images ## system tests on SVM (QEMU)
	$(PYTEST) tests/system --vendor amd

test-svm-bochs: hypervisor images ## Dom0, PV and PVH guests on another emulator's SVM (Bochs)
	$(PYTEST) $(addprefix tests/system/test_,tiny.py dom0.py guests.py) --cpu ryzen \
	    -k "pvh and tiny or xl_info or shows_dom0 or xl_dmesg or reads_its or debug_keys or two_cpus or vector or other_vendor or cannot_honour"

test-vmx: hypervisor images ## system tests on VT-x (Bochs), the short list
	$(PYTEST) tests/system --vendor intel

test-vmx-full: hypervisor images ## ... and the long ones
	$(PYTEST) tests/system --vendor intel --full

test-crossing: hypervisor images ## guests that are saved on SVM go on under VT-x, and come back
	$(PYTEST) tests/system/test_crossing.py --vendor intel --full

bench: hypervisor images ## time Polder beside Xen 4.17 in the same emulator (BENCH='--rounds 1 --rows hvm')
	POLDER_BUILD=$(abspath $(BUILD)) /usr/bin/python3 tests/bench/bench.py $(BENCH)

run: setup ## install what is missing, build, and boot the demo host (ISO=file.iso, VENDOR=intel)
	$(MAKE) hypervisor images
	tools/demo $(if $(VENDOR),--vendor $(VENDOR)) $(if $(ISO),--iso "$(ISO)")
