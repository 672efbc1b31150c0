# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests side by side on two CPUs: what becomes of one does not touch the others."""
import re

import pytest


def alive(host, name):
    """The guest's shell answers."""
    assert "42" in host.in_guest(name, "echo $((6 * 7))")


@pytest.fixture
def neighbours(dom0_smp):
    """A PV and a PVH guest, at their shells."""
    assert dom0_smp.start("pv.cfg") == ("PV", 1)
    assert dom0_smp.start("pvh.cfg", "vcpus=2") == ("PVH", 2)
    yield dom0_smp
    assert "0% packet loss" in dom0_smp.shell("ping -c 2 -i 0.2 10.77.0.2; ping -c 2 -i 0.2 10.77.0.3")


def tiny(host, name, kind, word):
    """Starts tests/guests/hello.elf as one more guest."""
    lines = ['name="%s"' % name, 'type="%s"' % kind, 'kernel="/tests/tiny/hello.elf"', 'cmdline="%s"' % word, "memory=32",
             'on_reboot="destroy"']     # what a triple fault is
    host.shell("for line in %s; do echo $line; done > /run/%s.cfg" % (" ".join("'%s'" % line for line in lines), name))
    host.shell("xl create /run/%s.cfg" % name)


@pytest.mark.long_on("intel")
def test_fate_of_one_is_not_that_of_others(neighbours):
    host = neighbours
    # They reach each other.
    assert "0% packet loss" in host.in_guest("pv", "ping -c 2 -i 0.2 10.77.0.3")

    # Guests that loop for ever with interrupts off, a PV and a PVH one: they cost time and nothing else.
    for kind in "pv", "pvh":
        tiny(host, "loop-" + kind, kind, "loop")
    alive(host, "pv")
    alive(host, "pvh")
    assert re.match(r"r|-b|--", host.names()["loop-pv"][2])
    for kind in "pv", "pvh":
        host.shell("xl destroy loop-" + kind)

    # Guests that crash at once.
    for kind in "pv", "pvh":
        tiny(host, "crash-" + kind, kind, "crash")
        host.wait_gone("crash-" + kind)
    alive(host, "pv")

    # One that says hello and ends.
    tiny(host, "hello", "pvh", "hello")
    host.wait_gone("hello")
    assert "hello from a PVH guest" in host.shell("xl dmesg")

    # A Linux that panics.
    host.attach("pvh")
    host.type("echo c > /proc/sysrq-trigger\n")
    host.expect("Kernel panic", 60)
    host.child.send("\x1d")             # where the console has not ended with the guest
    host.expect(r"dom0# ", 30)
    host.wait_gone("pvh")
    alive(host, "pv")
    assert host.start("pvh.cfg", "vcpus=2") == ("PVH", 2)

    # The PVH guest's disk loses its QEMU; it can be destroyed, the others go on.
    host.kill_device_model("pvh")
    alive(host, "pv")
    host.shell("xl destroy pvh")
    assert host.start("pvh.cfg") == ("PVH", 1)


@pytest.mark.long_on("intel")
def test_hvm_guest_loses_its_device_model(neighbours):
    host = neighbours
    host.create("hvm.cfg", "'vnc=0'")
    host.expect(r"SeaBIOS \(version", 200)
    host.detach()
    host.kill_device_model("hvm")
    alive(host, "pv")
    alive(host, "pvh")
    host.shell("xl destroy hvm", 120)
    assert "hvm" not in host.names()
