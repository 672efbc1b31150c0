#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds the documents to the sources: every file that they name (`folder/file.c`), every function (`name()`, defined in
the hypervisor) and every test (`test_name`) must exist.  Prints every name that does not; exits 1 if there is one."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DOCS = ("docs/tour.md", "docs/support.md")
FILE = re.compile(r"(?<![\w./-])((?:vmm|svm|vmx|tools|tests|docs)/[\w./-]+\.\w+)")
FUNCTION = re.compile(r"(?<![\w.>])([A-Za-z_]\w*)\(\)")
TEST = re.compile(r"(?<![\w/])(test_\w+)(?![\w.])")
# A definition in C begins its line; in assembly it is a label.
DEFINED = re.compile(r"^(?:[A-Za-z_][\w \t*]*?[ \t*])?([A-Za-z_]\w*)\(", re.M), re.compile(r"^(\w+):", re.M)


def read(path):
    with open(os.path.join(ROOT, path)) as f:
        return f.read()


def files(tops, ends):
    for top in tops:
        for folder, _, names in os.walk(os.path.join(ROOT, top)):
            for name in names:
                if name.endswith(ends):
                    yield os.path.relpath(os.path.join(folder, name), ROOT)


def defined_functions():
    found = set()
    for path in files(("vmm", "svm", "vmx"), (".c", ".h", ".S")):
        found.update(DEFINED[path.endswith(".S")].findall(read(path)))
    return found


def defined_tests():
    found = set()
    for path in files(("tests/system",), (".py",)):
        found.update(re.findall(r"^\s*def (test_\w+)", read(path), re.M))
    found.update(os.path.splitext(os.path.basename(p))[0] for p in files(("tests/unit",), (".c",)))
    found.update(os.path.splitext(os.path.basename(p))[0] for p in files(("tests/system",), (".py",)))
    return found


def main():
    functions, tests, bad = defined_functions(), defined_tests(), []
    for doc in DOCS:
        if not os.path.exists(os.path.join(ROOT, doc)):
            bad.append("%s is missing" % doc)
            continue
        for n, line in enumerate(read(doc).split("\n"), 1):
            bad += ["%s:%d: there is no file %s" % (doc, n, f) for f in FILE.findall(line)
                    if not os.path.exists(os.path.join(ROOT, f))]
            bad += ["%s:%d: there is no function %s()" % (doc, n, f) for f in FUNCTION.findall(line) if f not in functions]
            bad += ["%s:%d: there is no test %s" % (doc, n, t) for t in TEST.findall(line) if t not in tests]
    print("\n".join(bad) if bad else "docs: every file, function and test named in them exists")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
