#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds the sources to the house's rules (docs/design.md): which folder may include which, the vendors' words,
and the sizes of files, functions and folders (of a folder: lines of code, without comments and blank lines).  Prints every breach; exits 1 if there is one."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# The third column of "The house".  lib/types and the ABI are everyone's.
MAY = {
    "vmm/lib": set(),
    "vmm/mm": {"vmm/lib", "vmm/cpu"},
    "vmm/cpu": {"vmm/lib", "vmm/mm"},
    "vmm/sched": {"vmm/lib", "vmm/mm", "vmm/cpu"},
    "vmm/domain": {"vmm/lib", "vmm/mm", "vmm/cpu", "vmm/sched"},
    "vmm/emul": {"vmm/lib"},
    "vmm/pv": {"vmm/lib", "vmm/mm", "vmm/cpu", "vmm/sched", "vmm/domain", "vmm/emul"},
    "vmm/hvm": {"vmm/lib", "vmm/mm", "vmm/cpu", "vmm/sched", "vmm/domain", "vmm/emul"},
    "vmm/boot": {"vmm/lib", "vmm/mm", "vmm/cpu", "vmm/sched", "vmm/domain", "vmm/emul", "vmm/pv", "vmm/hvm"},
    "svm": {"vmm/hvm", "vmm/lib", "vmm/mm", "vmm/cpu"},
    "vmx": {"vmm/hvm", "vmm/lib", "vmm/mm", "vmm/cpu"},
}
# Exceptions, each with its reason.
ALLOWED = {
    # printk, panic and the lock checker name the current CPU and domain.
    ("vmm/lib", "vmm/cpu"), ("vmm/lib", "vmm/mm"), ("vmm/lib", "vmm/boot"), ("vmm/lib", "vmm/domain"),
    # Command-line options, the e820 map and debug keys are declared in boot/.
    ("vmm/mm", "vmm/boot"), ("vmm/cpu", "vmm/boot"), ("vmm/sched", "vmm/boot"), ("vmm/domain", "vmm/boot"),
    ("vmm/pv", "vmm/boot"), ("vmm/hvm", "vmm/boot"),
    # An interrupt ends in softirqs; frames have owners; the scheduler schedules vCPUs.
    ("vmm/cpu", "vmm/sched"), ("vmm/mm", "vmm/sched"), ("vmm/mm", "vmm/domain"), ("vmm/sched", "vmm/domain"),
    ("vmm/cpu", "vmm/domain"),
    # cpu/regs.h: names of bits and vectors, nothing else.
    ("vmm/emul", "vmm/cpu"),
}
MAX_FILE, MAX_FUNCTION, MAX_BACKEND, MAX_HYPERVISOR = 900, 80, 2500, 40000
VENDOR_WORDS = re.compile(r"\b(vmcb|vmcs|VMCB|VMCS)\b")


def sources():
    for top in MAY:
        folder = os.path.join(ROOT, top)
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            if name.endswith((".c", ".h", ".S")):
                yield top, os.path.join(folder, name)


def strip_comments(text):
    return re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.S)


def main():
    bad, lines_of = [], {}
    for top, path in sources():
        with open(path) as f:
            text = f.read()
        short, count = os.path.relpath(path, ROOT), text.count("\n")
        lines_of[top] = lines_of.get(top, 0) + sum(1 for line in strip_comments(text).split("\n") if line.strip())
        if "SPDX-License-Identifier" not in text[:120]:
            bad.append("%s:1: no SPDX line" % short)
        if count > MAX_FILE:
            bad.append("%s: %d lines (at most %d)" % (short, count, MAX_FILE))
        for m in re.finditer(r'^#include "([^"]+)"', text, re.M):
            target = os.path.relpath(os.path.normpath(os.path.join(os.path.dirname(path), m.group(1))), ROOT)
            to = os.path.dirname(target)
            if to != top and to not in MAY[top] and (top, to) not in ALLOWED and not to.startswith("build"):
                bad.append("%s: %s may not include %s" % (short, top, to))
        code = strip_comments(text)
        if top not in ("svm", "vmx") and VENDOR_WORDS.search(code):
            bad.append("%s: names a vendor's control block" % short)
        start = None
        for n, line in enumerate(text.split("\n"), 1):
            if line == "{":
                start = n
            elif line == "}" and start:
                if n - start > MAX_FUNCTION:
                    bad.append("%s:%d: a function of %d lines (at most %d)" % (short, start, n - start, MAX_FUNCTION))
                start = None
    for backend in "svm", "vmx":
        if lines_of.get(backend, 0) > MAX_BACKEND:
            bad.append("%s: %d lines (at most %d)" % (backend, lines_of[backend], MAX_BACKEND))
    total = sum(lines_of.values())
    if total > MAX_HYPERVISOR:
        bad.append("the hypervisor has %d lines (at most %d)" % (total, MAX_HYPERVISOR))
    print("\n".join(bad) if bad else "rules: %d lines in the hypervisor, every rule kept" % total)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
