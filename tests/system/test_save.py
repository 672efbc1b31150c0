# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests are saved to files, come back from them, and move while they run; damaged files are refused and harm nobody."""
import base64
import re
import struct

import pytest

KINDS = pytest.mark.parametrize("kind", ["pv", "pvh", "hvm"])
COUNTER = ("(i=0; while :; do i=$((i+1)); echo $i > /tmp/n.new; mv /tmp/n.new /tmp/n; usleep 50000; done) "
           ">/dev/null 2>&1 & true")


# Writes all the time, and notes where what it reads is not what it wrote.
WRITER = ("(while :; do dd if=/dev/urandom of=/tmp/w bs=64k count=16; md5sum < /tmp/w > /tmp/w.sum; "
          "md5sum < /tmp/w | cmp - /tmp/w.sum || echo BAD >> /tmp/w.bad; echo >> /tmp/w.n; done) >/dev/null 2>&1 & true")


def start(dom0, kind, words=""):
    """A guest that counts, with data in its memory whose sum is returned."""
    if kind == "hvm":
        dom0.create("hvm.cfg", words)
        dom0.expect(r"POLDER-GRUB-BOOT", 400)
        dom0.guest_up(300)
        dom0.detach()
    else:
        dom0.start(kind + ".cfg", words)
    dom0.in_guest(kind, COUNTER, serial=kind == "hvm")
    return state(dom0, kind, "dd if=/dev/urandom of=/tmp/data bs=1M count=8 2>/dev/null;")


def state(dom0, kind, first=""):
    """What the guest has counted to, and the sum of its data."""
    out = dom0.in_guest(kind, first + "sleep 1; echo COUNT $(cat /tmp/n); md5sum < /tmp/data", 120, kind == "hvm")
    return int(re.search(r"COUNT (\d+)", out).group(1)), re.search(r"\b[0-9a-f]{32}\b", out).group(0)


@pytest.mark.long_on("intel")
@KINDS
def test_saved_guest_goes_on_where_it_was(dom0, kind):
    count, data = start(dom0, kind)
    for _ in range(2):
        dom0.shell("xl save %s /data/test.save" % kind, 240)
        assert kind not in dom0.names()
        dom0.shell("xl restore /data/test.save", 240)
        now, same = state(dom0, kind)
        assert same == data and count < now < count + 4000
        count = now
    if kind != "hvm":
        dom0.in_guest(kind, "ping -c 3 -W 30 10.77.0.1 && echo 3 > /proc/sys/vm/drop_caches && "
                            "dd if=/dev/xvda of=/dev/null bs=1M count=4", 120)


@pytest.mark.long_on("intel")
@pytest.mark.parametrize("kind,words", [("pvh", "'vif=[]' 'disk=[]'"), ("hvm", "'vif=[]' vnc=0 memory=192")],
                         ids=["pvh", "hvm"])
def test_guest_migrates_while_it_runs(dom0, kind, words):
    """To the host that it is on: what it writes to while its memory is copied is copied again."""
    count, data = start(dom0, kind, words)
    dom0.in_guest(kind, WRITER, serial=kind == "hvm")
    for _ in range(2):
        first = dom0.names()[kind][0]
        out = dom0.shell("xl migrate -s '' %s 'xl migrate-receive'" % kind, 300)
        assert "Migration successful" in out, out
        assert list(dom0.names()) == [kind] and dom0.names()[kind][0] != first
        now, same = state(dom0, kind)
        assert same == data and count < now
        count = now
    written = "n=$(wc -l < /tmp/w.n); until [ $(wc -l < /tmp/w.n) -gt $((n + 1)) ]; do usleep 100000; done"
    dom0.in_guest(kind, written + "; test ! -e /tmp/w.bad", 120, kind == "hvm")


@pytest.mark.long_on("intel")
@pytest.mark.parametrize("kind", ["pv", "pvh"])
def test_damaged_image_is_refused_and_the_guest_runs_on(dom0, kind):
    count, data = start(dom0, kind)
    dom0.shell("xl save -c %s /data/test.save" % kind, 240)
    dom0.shell("sed 's/^name.*/name = \"copy\"/; /^vif/d; /^disk/d' /tests/guests/%s.cfg > /run/copy.cfg" % kind)
    memory = dom0.free_memory()
    for damage in ("truncate -s 5M /data/bad.save",  # in the middle of the memory
                   "truncate -s $(($(stat -c %s /data/bad.save) - 200)) /data/bad.save",  # in the last records
                   "printf XXXX | dd of=/data/bad.save bs=1 conv=notrunc",  # the file's own header
                   "truncate -s 0 /data/bad.save"):
        dom0.shell("cp /data/test.save /data/bad.save; " + damage)
        out = dom0.shell("xl restore /run/copy.cfg /data/bad.save; test $? != 0", 240)
        assert re.search(r"(?i)error|fail|magic", out), out
        assert "copy" not in dom0.names()
    now, same = state(dom0, kind)
    assert same == data and now > count
    assert abs(dom0.free_memory() - memory) <= 1


# Public headers hvm/save.h and arch-x86/hvm/save.h: descriptors, the header record, a vCPU's registers.
DESCRIPTOR, HEADER_MAGIC, CPU_RECORD = struct.Struct("<HHI"), struct.pack("<I", 0x54381286), 2
CR0, CR4, RFLAGS = 656, 680, 648


def cpu_record(dom0, path):
    """Where in a saved file vCPU 0's registers are."""
    size = int(dom0.shell("stat -c SIZE=%s " + path).split("SIZE=")[-1].split()[0])
    out = dom0.shell("tail -c 16384 %s | base64 -w 76" % path, 120)
    tail = base64.b64decode("".join(re.findall(r"^[A-Za-z0-9+/]{2,76}={0,2}$", out, re.M)))
    assert len(tail) == 16384
    at = tail.index(HEADER_MAGIC) - DESCRIPTOR.size
    while True:
        code, instance, length = DESCRIPTOR.unpack_from(tail, at)
        at += DESCRIPTOR.size
        if (code, instance) == (CPU_RECORD, 0):
            return size - 16384 + at
        at += length


@pytest.mark.long_on("intel")
def test_state_that_no_cpu_has_is_refused(dom0):
    start(dom0, "pvh")
    dom0.shell("xl save pvh /data/test.save", 240)
    at = cpu_record(dom0, "/data/test.save")
    for field, octets in ((CR0, "\\000\\000\\000\\200"),       # paging without protected mode
                          (CR4, "\\377\\377\\377\\377"),       # every feature
                          (RFLAGS, "\\002\\000\\002\\000")):   # virtual-8086 mode within long mode
        dom0.shell("cp /data/test.save /data/bad.save; printf '%s' | dd of=/data/bad.save bs=1 seek=%d conv=notrunc" %
                   (octets, at + field), 60)
        out = dom0.shell("xl restore /data/bad.save; test $? != 0", 240)
        assert "nvalid argument" in out, out
        assert "pvh" not in dom0.names()
    dom0.shell("xl restore /data/test.save", 240)
    state(dom0, "pvh")
