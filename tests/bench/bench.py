#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Times Polder beside Xen 4.17: the same Dom0, guests and steps in the same emulator, in turns, as ratios.

    tests/bench/bench.py [--rounds N] [--rows REGEX] [--xen FILE] [--json FILE]

Each row is the median over the rounds, once by the wall clock and once by the
CPU time that the emulator took, which other work on this machine disturbs less.
A ratio below 1 means that Polder is faster.  `make bench` calls this; Xen is
Debian's package xen-hypervisor-4.17-amd64.  Exit status 1: a step failed.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "system"))
from console import BUILD, IMAGES, Host                                   # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
WORK = "i=0; while [ $i -lt %d ]; do /bin/busybox true; i=$((i+1)); done"   # fork, exec, exit: page tables


def cpu_seconds(pid):
    """What a process and those it started have used."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            children = [int(c) for c in f.read().split()]
    except (OSError, IndexError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS + sum(map(cpu_seconds, children))


class Run:
    """One boot of one hypervisor through every step; rows is {name: (wall, cpu)} in seconds."""

    def __init__(self, name, hypervisor, wanted):
        self.wanted, self.rows = wanted, {}
        self.t0 = time.monotonic()
        self.cpu0 = 0.0
        self.host = Host("bench-" + name, hypervisor=hypervisor, kernel=os.path.join(IMAGES, "vmlinuz"),
                         initrd=os.path.join(IMAGES, "dom0.cpio"), append="dom0_mem=1000M,max:1000M",
                         dom0_append="console=hvc0 rdinit=/init", timeout=3000)

    def start(self):
        self.t0, self.cpu0 = time.monotonic(), cpu_seconds(self.host.child.pid)

    def row(self, name):
        """Everything since start() counts for this row."""
        self.rows[name] = (time.monotonic() - self.t0, cpu_seconds(self.host.child.pid) - self.cpu0)

    def shell(self, name, command, limit=600):
        self.start()
        self.host.shell(command, limit)
        self.row(name)

    def boot(self):
        self.host.wait_dom0(300)
        self.row("power-on to Dom0's shell")
        self.shell("xl list, 20 times", "for i in $(seq 20); do xl list; done >/dev/null")
        self.shell("Dom0: 200 processes", WORK % 200)

    def linux(self, kind):
        h = self.host
        self.start()
        h.create(kind + ".cfg")
        h.guest_up(300)
        self.row(kind + ": xl create to its shell")
        self.shell(kind + ": 200 processes", WORK % 200)
        self.shell(kind + ": 300 pings of Dom0", "ping -q -c 300 -i 0.01 -w 300 10.77.0.1")
        self.shell(kind + ": 16 MiB by HTTP from Dom0", "wget -q -O /dev/null http://10.77.0.1/16M")
        self.shell(kind + ": 16 MiB from its disk",
                   "echo 3 > /proc/sys/vm/drop_caches; dd if=/dev/xvda of=/dev/null bs=1M count=16")
        h.detach()
        self.shell(kind + ": xl save", "xl save %s /data/bench.save" % kind)
        self.shell(kind + ": xl restore", "xl restore /data/bench.save")
        self.shell(kind + ": xl destroy", "xl destroy " + kind)

    def hvm(self):
        h = self.host
        self.start()
        h.create("hvm.cfg")
        h.expect(r"SeaBIOS \(version", 300)
        self.row("hvm: xl create to SeaBIOS")
        h.expect(r"POLDER-GRUB-MENU", 300)
        self.row("hvm: ... to GRUB's menu")
        h.expect(r"POLDER-GRUB-BOOT", 600)
        h.guest_up(600)
        self.row("hvm: ... to its shell")
        self.shell("hvm: 200 processes", WORK % 200)
        self.shell("hvm: 2 MiB from its CD, by IDE",
                   "dd if=/dev/sr0 of=/dev/null bs=64k count=32 || dd if=/dev/xvdc of=/dev/null bs=64k count=32")
        h.detach()
        self.shell("hvm: xl destroy", "xl destroy hvm")

    def all(self):
        h = self.host
        try:
            self.boot()
            h.shell("mkdir -p /run/www; truncate -s 16M /run/www/16M; httpd -h /run/www")
            for step, work in (("pv", lambda: self.linux("pv")), ("pvh", lambda: self.linux("pvh")), ("hvm", self.hvm)):
                if self.wanted.search(step):
                    work()
            h.poweroff()
        finally:
            h.close()
        return self.rows


def unpack_xen(folder):
    """The hypervisor out of Debian's package, in a folder of its own; it is not installed on this machine."""
    path = os.path.join(folder, "xen-4.17")
    if os.path.exists(path):
        return path
    os.makedirs(folder, exist_ok=True)
    script = ("cd '%s' && apt-get download -qq xen-hypervisor-4.17-amd64 && dpkg-deb -x xen-hypervisor-4.17-amd64_*.deb x && "
              "gunzip -c x/boot/xen-4.17-amd64.gz > xen.new && mv xen.new xen-4.17 && rm -rf x *.deb" % folder)
    if subprocess.run(["sh", "-c", script]).returncode:
        sys.exit("bench: cannot fetch xen-hypervisor-4.17-amd64: is Debian's archive within reach (apt-get update)? "
                 "Or give a file with --xen.")
    return path


def table(results):
    """Prints the rows; how many were measured on both."""
    names = list(results["polder"][0])
    print("\n%-34s %9s %9s %7s %9s %9s %7s" % ("", "Xen s", "Polder s", "ratio", "Xen CPU", "Pol. CPU", "ratio"))
    out = {}
    for name in names:
        med = {h: [statistics.median(r[name][i] for r in runs) for i in (0, 1)] for h, runs in results.items()}
        ratio = [med["polder"][i] / max(med["xen"][i], 1e-3) for i in (0, 1)]
        print("%-34s %9.2f %9.2f %7.2f %9.2f %9.2f %7.2f%s" % (
            name, med["xen"][0], med["polder"][0], ratio[0], med["xen"][1], med["polder"][1], ratio[1],
            "  behind" if ratio[1] > 1.03 else ""))
        out[name] = {"xen": med["xen"], "polder": med["polder"], "ratio": ratio}
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--rows", default=".", help="which of pv, pvh, hvm (a regular expression)")
    p.add_argument("--xen", help="a Xen 4.17 to compare with, uncompressed")
    p.add_argument("--json", default=os.path.join(BUILD, "bench.json"))
    a = p.parse_args()
    pair = {"xen": a.xen or unpack_xen(os.path.join(IMAGES, "xen")), "polder": os.path.join(BUILD, "polder.elf")}
    results = {h: [] for h in pair}
    for n in range(a.rounds):
        for name, path in pair.items():
            print("round %d of %d: %s" % (n + 1, a.rounds, name), flush=True)
            try:
                results[name].append(Run(name, path, re.compile(a.rows)).all())
            except AssertionError as e:
                sys.exit("bench: %s: %s" % (name, e))
    rows = table(results)
    with open(a.json, "w") as f:
        json.dump({"rounds": a.rounds, "rows": rows}, f, indent=1)


if __name__ == "__main__":
    main()
