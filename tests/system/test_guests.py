# SPDX-License-Identifier: GPL-2.0-or-later
"""PV and PVH guests through stock xl: console, network, disk, CPUs, life and death."""
import re
import struct

import pytest

KINDS = ["pv", "pvh"]


@pytest.mark.parametrize("kind", KINDS)
def test_guest_boots_to_its_shell_with_two_cpus(dom0, kind, request):
    """One CPU on Bochs's AMD model, where a second one stops the host (status.md)."""
    cpus = 1 if request.config.getoption("--cpu") == "ryzen" else 2
    dom0.create(kind + "-bare.cfg", "vcpus=%d" % cpus)
    assert dom0.guest_up() == (kind.upper(), cpus)
    assert "amd64" in dom0.shell("uname -r")
    dom0.detach()
    assert dom0.names()[kind][1] == cpus
    assert len(re.findall(r"(?m)^%s " % kind, dom0.shell("xl vcpu-list " + kind))) == cpus
    dom0.shell("xl destroy " + kind)
    assert kind not in dom0.names()


def widest_vectors(dom0):
    """In bits, by what the hypervisor found: XCR0's components, Intel SDM 1, 13.1."""
    found = re.search(r"FPU: XSAVE, components (0x[0-9a-f]+)", dom0.shell("xl dmesg"))
    mask = int(found.group(1), 16) if found else 0
    return 512 if mask & 0xe0 else 256 if mask & 4 else 128


def test_vector_registers_are_kept_while_others_run(dom0):
    """Two programs in a PVH guest and one in Dom0, which is PV, fill the widest registers (tests/guests/vectors.c) at one time."""
    width = widest_vectors(dom0)
    dom0.shell("cd /tests/tiny; (cat /data/guest.cpio; echo vectors | cpio -o -H newc) > /run/vectors.cpio; cd /")
    dom0.start("pvh-bare.cfg", "'ramdisk=\"/run/vectors.cpio\"'")
    dom0.in_guest("pvh", "for i in 1 2; do (/vectors 12 300000 > /tmp/v$i; echo > /tmp/done$i) & done")
    said = dom0.shell("/tests/tiny/vectors 10 300000", 120)
    said += dom0.in_guest("pvh", "until [ -e /tmp/done1 ] && [ -e /tmp/done2 ]; do usleep 200000; done; cat /tmp/v?", 120)
    assert re.findall(r"VECTORS width=(\d+) bad=(\d+)", said) == [(str(width), "0")] * 3


# EBX, ECX and EDX of CPUID's leaf 0, in the order and the form that xl.cfg's cpuid= takes.
VENDORS = {"amd": b"AuthcAMDenti", "intel": b"GenuntelineI"}


def test_guest_may_take_its_cpu_for_the_other_vendors(dom0, vendor, cpu):
    """tests/guests/pvh.c makes hypercalls, and system calls, as that vendor's CPUs do."""
    other = "intel" if vendor == "amd" else "amd"
    regs = [format(n, "032b") for n in struct.unpack("<3I", VENDORS[other])]
    policy = "0:ebx=%s,ecx=%s,edx=%s" % tuple(regs)
    lines = ['name="foreign"', 'type="pvh"', 'kernel="/tests/tiny/pvh.elf"', "memory=128", 'cpuid=["%s"]' % policy]
    if cpu == "ryzen":                                 # its EXITINTINFO has no INT n (docs/testing.md)
        lines.append('extra="no-tasks"')
    dom0.shell("for line in %s; do echo $line; done > /run/foreign.cfg" % " ".join("'%s'" % line for line in lines))
    dom0.shell("xl dmesg -c > /dev/null; xl create /run/foreign.cfg")
    dom0.wait_gone("foreign")
    said = dom0.shell("xl dmesg")
    assert "vendor %s" % {"amd": "AMD", "intel": "Intel"}[other] in said
    assert {"amd": "ok compat-syscall", "intel": "ok sysenter-32"}[other] in said
    assert "ok vendor-hypercall" in said and "FAILED" not in said and "PVH-TEST-PASSED" in said


def test_policy_that_the_cpu_cannot_honour_is_refused(dom0):
    dom0.shell("xl dmesg -c > /dev/null")
    out = dom0.shell("xl create /tests/guests/pvh-bare.cfg 'cpuid=\"host,avx512er=1,3dnow=1\"'; test $? != 0")
    assert "Failed to set CPUID policy" in out or "nvalid argument" in out, out
    assert re.search(r"has what this CPU does not give: 3dnow avx512er\b", dom0.shell("xl dmesg"))
    assert "pvh" not in dom0.names()


@pytest.mark.long_on("intel")
@pytest.mark.parametrize("kind,addr", [("pv", "10.77.0.2"), ("pvh", "10.77.0.3")])
def test_network_and_qemu_disk(dom0, kind, addr):
    dom0.create(kind + ".cfg")
    dom0.guest_up()
    assert "0% packet loss" in dom0.shell("ping -c 3 -i 0.2 10.77.0.1")
    dom0.shell("dd if=/bin/busybox of=/dev/xvda conv=fsync 2>/dev/null; echo 3 > /proc/sys/vm/drop_caches")
    assert "SAME" in dom0.shell("head -c $(stat -Lc %s /bin/busybox) /dev/xvda | cmp - /bin/busybox && echo SAME")
    dom0.detach()
    assert "0% packet loss" in dom0.shell("ping -c 3 -i 0.2 " + addr)
    dom0.shell("mkdir -p /run/www; head -c 4M /dev/urandom > /run/www/f; pidof httpd || httpd -h /run/www")
    got = dom0.in_guest(kind, "wget -q -O - http://10.77.0.1/f | md5sum", 120).split()[0]
    assert got in dom0.shell("md5sum /run/www/f")


@pytest.mark.long_on("intel")
def test_blkback_disk(dom0):
    dom0.create("pv-phy.cfg")
    dom0.guest_up()
    dom0.shell("cat /bin/busybox /bin/busybox > /dev/xvda; sync; echo 3 > /proc/sys/vm/drop_caches", 120)
    assert "SAME" in dom0.shell("head -c $(stat -Lc %s /bin/busybox) /dev/xvda | cmp - /bin/busybox && echo SAME", 120)
    dom0.detach()
    assert "SAME" in dom0.shell("head -c $(stat -Lc %s /bin/busybox) /data/disk.raw | cmp - /bin/busybox && echo SAME")


@pytest.mark.long_on("intel")
@pytest.mark.parametrize("kind", KINDS)
def test_pause_unpause_reboot_poweroff(dom0, kind):
    dom0.start(kind + "-bare.cfg")
    dom0.shell("xl pause " + kind)
    assert "p" in dom0.names()[kind][2]
    dom0.shell("xl unpause " + kind)
    first = dom0.names()[kind][0]
    dom0.attach(kind)
    dom0.type("reboot -f\n")
    dom0.expect(r"dom0# ", 60)
    dom0.wait_rebooted(kind, first)
    dom0.attach(kind)
    dom0.type("poweroff -f\n")
    dom0.expect(r"dom0# ", 60)
    dom0.wait_gone(kind)


@pytest.mark.long_on("intel")
@pytest.mark.parametrize("kind", KINDS)
def test_guest_obeys_xl_reboot_and_xl_shutdown(dom0, kind):
    dom0.start(kind + "-bare.cfg")
    first = dom0.names()[kind][0]
    dom0.shell("xl reboot " + kind)
    dom0.wait_rebooted(kind, first)
    dom0.attach(kind)
    dom0.detach()
    dom0.shell("xl shutdown -w " + kind, 60)
    dom0.wait_gone(kind)


@pytest.mark.long_on("intel")
@pytest.mark.parametrize("kind", KINDS)
def test_guest_balloons_down_and_up(dom0, kind):
    """What the guest's kernel gives back is free for others, and it gets as much again."""
    size = "$(xl list %s | awk 'END { print $3 }')" % kind
    dom0.start(kind + "-bare.cfg")
    free = dom0.free_memory()
    dom0.shell("xl mem-set %s 200; until [ %s -le 200 ]; do usleep 200000; done" % (kind, size), 60)
    assert dom0.free_memory() >= free + 50
    dom0.shell("xl mem-set %s 250; until [ %s -ge 249 ]; do usleep 200000; done" % (kind, size), 60)
    assert dom0.free_memory() <= free + 10
    dom0.in_guest(kind, "dd if=/dev/zero of=/dev/null bs=100M count=1")


@pytest.mark.long_on("intel")
def test_many_creations_leak_nothing(dom0):
    dom0.shell("xl create -p /tests/guests/pv-bare.cfg && xl destroy pv")
    before = dom0.free_memory()
    for _ in range(3):
        for kind in KINDS:
            dom0.shell("xl create -p /tests/guests/%s-bare.cfg && xl destroy %s" % (kind, kind))
    assert abs(dom0.free_memory() - before) <= 2
