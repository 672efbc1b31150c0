# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests are saved on SVM (QEMU), go on under VT-x (Bochs) and come back.  The disk that they travel on is Dom0's /data."""
import os
import re
import subprocess

import pytest

from conftest import dom0_of
from console import Host
from test_save import COUNTER, state

pytestmark = [pytest.mark.long, pytest.mark.only("intel", "most of it runs in Bochs")]

# What QEMU's AMD CPU has and Bochs's Intel CPU has not, and the reverse; refusing an image names it (xl dmesg).
LEVELLED = 'cpuid="host,mmxext=0,sse4a=0,altmovcr8=0"'
LEVELLED_INTEL = ('cpuid="host,vme=0,acpi=0,ss=0,fma=0,pcid=0,xsave=0,avx=0,f16c=0,rdtscp=0,3dnowprefetch=0,xsaveopt=0,'
                  'xsavec=0,xgetbv1=0,tsc_adjust=0,avx2=0,erms=0,avx512f=0,avx512dq=0,rdseed=0,smap=0,clwb=0,avx512cd=0,'
                  'avx512bw=0,avx512vl=0"')
SMALL = {"pvh": ("pvh-bare.cfg", "memory=128"), "hvm": ("hvm.cfg", "memory=192")}


@pytest.fixture
def journey(images, tmp_path):
    """Boots hosts of either vendor, one at a time, with a disk that keeps what is written to it."""
    disk = str(tmp_path / "data.img")
    subprocess.run(["cp", "--sparse=always", os.path.join(images, "data.img"), disk], check=True)
    hosts = []

    def boot(vendor):
        for h in hosts:
            h.close()
        hosts.append(Host("crossing-%d" % len(hosts), vendor=vendor, data=False, disks=(disk + ":rw",), timeout=3000,
                          **dom0_of(images)))
        hosts[-1].wait_dom0()
        return hosts[-1]
    yield boot
    for h in hosts:
        h.close()


def leave(host):
    """Ends a host whose disk another one will read."""
    host.shell("umount /data", 300)
    host.poweroff()


def start(host, kind, policy=LEVELLED):
    cfg, memory = SMALL[kind]
    words = " ".join("'%s'" % w for w in (memory, policy, 'vif=[]') if w)
    host.create(cfg, words)
    host.guest_up(500)
    host.detach()
    host.in_guest(kind, COUNTER, serial=kind == "hvm")
    count, data = state(host, kind, "dd if=/dev/urandom of=/tmp/data bs=1M count=2 2>/dev/null;")
    return count, data, clock(host, kind)[1]


def uptime(host):
    return float(re.search(r"(?m)^(\d+\.\d+) \d", host.shell("cat /proc/uptime")).group(1))


def clock(host, kind):
    """The guest's monotonic clock, and Dom0's before and after it was read; seconds."""
    first = uptime(host)
    out = host.in_guest(kind, "grep '^now at' /proc/timer_list", serial=kind == "hvm")
    return first, int(re.search(r"now at (\d+) nsecs", out).group(1)) / 1e9, uptime(host)


def keeps_time(host, kind):
    """The guest's clock goes as fast as Dom0's; gives its time."""
    a = clock(host, kind)
    host.shell("sleep 30", 120)
    b = clock(host, kind)
    assert 0.95 * (b[0] - a[2]) < b[1] - a[1] < 1.05 * (b[2] - a[0]), (a, b)
    return b[1]


def save(host, kind):
    host.shell("xl save %s /data/%s.save" % (kind, kind), 300)


def goes_on(host, kind, before):
    host.shell("xl restore /data/%s.save" % kind, 300)
    count, data = state(host, kind)
    assert data == before[1] and before[0] < count < before[0] + 20000
    assert "42" in host.in_guest(kind, "awk 'BEGIN { print 1764 / 42.0 }'", serial=kind == "hvm")
    now = keeps_time(host, kind)
    assert before[2] < now < before[2] + 600        # it stood still while the guest was away
    return count, data, now


def test_guests_cross_from_svm_to_vtx_and_back(journey):
    kinds = ("pvh", "hvm")
    host = journey("amd")
    seen = {kind: start(host, kind) for kind in kinds}
    for kind in kinds:
        save(host, kind)
    start(host, "pvh", policy="")
    host.shell("xl save pvh /data/wide.save", 300)
    leave(host)

    host = journey("intel")
    out = host.shell("xl restore /data/wide.save; test $? != 0", 300)
    assert re.search(r"CPUID policy|nvalid argument", out), out
    assert re.search(r"has what this CPU does not give: mmxext.* sse4a", host.shell("xl dmesg"))
    assert not host.names()
    for kind in kinds:
        seen[kind] = goes_on(host, kind, seen[kind])
        save(host, kind)
    leave(host)

    host = journey("amd")
    for kind in kinds:
        goes_on(host, kind, seen[kind])
    host.poweroff()


@pytest.mark.parametrize("kind", ["pvh", "hvm"])
def test_guest_that_was_created_on_vtx_goes_on_on_svm(journey, kind):
    host = journey("intel")
    seen = start(host, kind, LEVELLED_INTEL)
    save(host, kind)
    leave(host)

    host = journey("amd")
    goes_on(host, kind, seen)
    host.poweroff()
