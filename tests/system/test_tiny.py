# SPDX-License-Identifier: GPL-2.0-or-later
"""Tiny guests (tests/guests): as Dom0, PV and PVH."""
import os
import re

import pytest


@pytest.fixture
def hello(machine, tiny):
    def boot(name, **kw):
        return machine(name, kernel=os.path.join(tiny, "hello.elf"), data=False, timeout=60, **kw)
    return boot


@pytest.mark.parametrize("kind", ["pv", "pvh"])
def test_plain_elf_with_xen_notes_is_dom0(hello, kind):
    host = hello("tiny-" + kind, append="dom0=pvh" if kind == "pvh" else "")
    host.expect("hello from a %s guest" % kind.upper(), 30)
    host.expect("Hardware domain has shut down: poweroff", 10)


def test_dom0_that_reboots_resets_the_machine(hello):
    host = hello("tiny-reboot", dom0_append="reboot")
    host.expect("hello from a PV guest", 30)
    assert host.ends() == 3


def test_crash_of_dom0_is_told_and_resets_the_machine(hello):
    host = hello("tiny-crash", dom0_append="crash")
    host.expect("Domain 0 crashed.*no handler for #UD", 30)
    assert host.ends() == 3


def test_debug_keys_answer_while_dom0_loops(hello):
    host = hello("tiny-loop", dom0_append="loop")
    host.expect("Freed .* of boot memory", 30)
    host.type("\x01\x01" * 3)           # the emulators take the first of two Ctrl-a for themselves
    host.expect(r"Serial input to Polder|Serial input to the hypervisor|Serial input", 10)
    host.type("h")
    host.expect("dump the registers", 10)


@pytest.mark.parametrize("smp", [1, 2])
def test_pvh_dom0_sees_what_it_should(machine, tiny, smp, vendor):
    """tests/guests/pvh.c checks and tells."""
    host = machine("tiny-pvh-checks-%d" % smp, kernel=os.path.join(tiny, "pvh.elf"), data=False, append="dom0=pvh", smp=smp,
                   timeout=120)
    try:
        host.expect("Hardware domain has shut down", 60)
    finally:
        text = host.output()
    assert "ok " in text and "FAILED" not in text
    assert ("ok start-aps" in text) == (smp > 1)
    assert vendor == "amd" or "no exit between upcall and lapic" in text


@pytest.mark.only("intel", "QEMU's SVM has no AVIC: every access to the local APIC exits")
@pytest.mark.parametrize("apicv", ["yes", "posted", "no"])
def test_local_apic_in_hardware_spares_exits(machine, tiny, apicv):
    """The guest writes its TPR 1000 times, half by memory, half by MSR.  Without posting, "posted" is "yes"."""
    host = machine("tiny-apicv-" + apicv, kernel=os.path.join(tiny, "pvh.elf"), data=False,
                   append="dom0=pvh apicv=" + apicv, dom0_append="stay", timeout=120)
    host.expect("PVH-TEST-PASSED", 60)
    host.type("\x01\x01" * 3)
    host.expect("Serial input", 10)
    host.type("x")
    table = host.expect(r"d0v0 has exited for:(.*?) in all", 20).group(1)
    counts = {what: int(n) for n, what in re.findall(r"(\d+) ([A-Za-z][^\r\n]*)", table)}
    if apicv != "no":
        assert counts["MSRs"] < 300 and counts["nested page faults"] < 300 and counts["APIC writes"] >= 5, counts
    else:
        assert counts["MSRs"] > 500 and counts["nested page faults"] > 500 and "APIC writes" not in counts, counts
