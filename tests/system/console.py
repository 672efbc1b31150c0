# SPDX-License-Identifier: GPL-2.0-or-later
"""A host under test: its serial console, Dom0's shell on it, and guests' consoles through xl."""
import os
import re
import socket
import time

import pexpect

import vnc

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IMAGES = os.environ.get("POLDER_IMAGES") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "polder")
BUILD = os.environ.get("POLDER_BUILD") or os.path.join(ROOT, "build")
LOGS = os.path.join(BUILD, "logs")
DOM0, GUEST = r"dom0# ", r"guest# "


def free_port():
    """A TCP port of localhost that nobody has."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Mender:
    """What a serial line brings, with each line whole: one that the hypervisor's own breaks into comes once more behind that."""

    HYPERVISOR = "(polder) "

    def __init__(self):
        self.line, self.held = "", ""                   # as far as it has come; what is not given out yet

    def _broken_into(self, text):
        """A line of the hypervisor's begins in text, which goes on in self.line. Returns what to give out, and the rest."""
        before, mark, after = text.partition(self.HYPERVISOR)
        message, newline, rest = after.partition("\n")
        self.line += before
        if not newline:
            self.held = mark + after
            return before, ""
        again = "" if "# " in self.line else self.line  # a prompt would be answered twice
        return before + "\n" + mark + message + newline + again, rest

    def __call__(self, text):
        text, self.held, out = self.held + text, "", ""
        while text:
            line, newline, rest = text.partition("\n")
            mark = line.find(self.HYPERVISOR)
            if mark >= 0 and (self.line + line[:mark]).strip():
                given, text = self._broken_into(text)
                out += given
                continue
            if not newline:                             # its end may be the beginning of such a line
                cut = next(n for n in range(len(self.HYPERVISOR) - 1, -1, -1) if line.endswith(self.HYPERVISOR[:n]))
                line, self.held = line[:len(line) - cut], line[len(line) - cut:]
            self.line = "" if newline else self.line + line
            out += line + newline
            text = rest
        return out


class Serial(pexpect.spawn):
    """The emulator, with its serial line mended; the log has it as it came."""

    def __init__(self, *args, **kw):
        self.mend = Mender()
        super().__init__(*args, **kw)

    def read_nonblocking(self, size=1, timeout=-1):
        return self.mend(super().read_nonblocking(size, timeout))


class Host:
    """Boots Polder with tools/polder-boot; every wait ends at its pattern or fails with the log's name."""

    def __init__(self, name, vendor="amd", smp=1, mem=None, kernel=None, initrd=None, append="", dom0_append="",
                 data=True, disks=(), network=False, cpu=None, cdrom=None, command=None, hypervisor=None, timeout=1500):
        os.makedirs(LOGS, exist_ok=True)
        in_bochs = vendor == "intel" or cpu == "ryzen"
        self.log = os.path.join(LOGS, "%s-%s%s.log" % (name, vendor, "-bochs" if vendor == "amd" and in_bochs else ""))
        self.slow = 10 if in_bochs else vnc.PATIENCE        # every limit is multiplied by it
        self.count, self.vnc_port = 0, None
        args = ["--hypervisor", hypervisor or os.path.join(BUILD, "polder.elf"), "--vendor", vendor, "--smp", str(smp),
                "--timeout", str(timeout * self.slow)]
        for option, value in (("--mem", mem), ("--cpu", cpu), ("--dom0-kernel", kernel), ("--dom0-initrd", initrd), ("--cdrom", cdrom)):
            if value:
                args += [option, str(value)]
        if append:
            args += ["--append=" + append]
        if dom0_append:
            args += ["--dom0-append=" + dom0_append]
        if data:
            args += ["--disk", os.path.join(IMAGES, "data.img")]
        for disk in disks:
            args += ["--disk", disk]
        if network and not in_bochs:                 # Dom0's port 5901 is a guest's screen
            self.vnc_port = free_port()
            args += ["--forward", "%d:5901" % self.vnc_port]
        command = command or [os.path.join(ROOT, "tools/polder-boot")] + args
        self.child = Serial(command[0], command[1:], encoding="utf-8", codec_errors="replace",
                            logfile=open(self.log, "w"), echo=False, maxread=65536, dimensions=(24, 200))
        self.child.delaybeforesend = None

    def note(self, text):
        """A line in the log that is not the console's."""
        self.child.logfile.write("\n=== %s\n" % text)

    def expect(self, pattern, limit=60):
        """Waits for a regular expression (or any of a list); returns the match."""
        try:
            self.child.expect(pattern, timeout=limit * self.slow)
        except pexpect.TIMEOUT:
            raise AssertionError("no %r within %d s; see %s\n...%s" % (
                pattern, limit * self.slow, self.log, self.child.before[-600:])) from None
        except pexpect.EOF:
            raise AssertionError("the machine ended before %r; see %s\n...%s" % (
                pattern, self.log, self.child.before[-1200:])) from None
        return self.child.match

    def expect_or_fail(self, good, bad, limit=60):
        """Waits for good; fails at once where bad comes first."""
        m = self.expect(["(?:%s)" % good, "(?:%s)" % bad], limit)
        assert self.child.match_index == 0, "%r; see %s" % (m.group(0), self.log)
        return m

    def type(self, text):
        """Types as fast as a serial port with a 16-byte FIFO takes it."""
        for i in range(0, len(text), 8):
            self.child.send(text[i:i + 8])
            time.sleep(0.02)

    def shell(self, command, limit=60, check=True):
        """Runs a command in whatever shell has the console; returns what it printed."""
        self.count += 1
        self.type('echo S"%d"T; %s; echo "$?:E"%dND\n' % (self.count, command, self.count))
        self.expect(r"S%dT\r*\n" % self.count, limit)
        status = self.expect(r"(\d+):E%dND" % self.count, limit).group(1)
        out = self.child.before.replace("\r", "").rpartition("S%dT\n" % self.count)[2]
        self.expect(r"# ", 30)
        assert not check or status == "0", "%r gave %s: %s (see %s)" % (command, status, out[-400:], self.log)
        return out

    def wait_dom0(self, limit=180):
        m = self.expect_or_fail(r"POLDER-DOM0-UP cpus=(\d+)", r"Panic on CPU|Kernel panic", limit)
        self.expect(DOM0, 30)
        return int(m.group(1))

    # -- guests -------------------------------------------------------------------------------------------------------
    def create(self, cfg, extra=""):
        """xl create with the guest's console attached; the caller then waits on what the guest prints."""
        self.type("xl create -c /tests/guests/%s %s\n" % (cfg, extra))

    def guest_up(self, limit=200):
        """Waits for a guest's shell on the console that is attached; its type and number of CPUs."""
        m = self.expect_or_fail(r"POLDER-GUEST-UP type=(\S+) cpus=(\d+)", r"libxl: error|Kernel panic|" + DOM0, limit)
        self.expect(GUEST, 30)
        return m.group(1), int(m.group(2))

    def start(self, cfg, extra="", limit=200):
        """Creates a guest, waits for its shell, and comes back to Dom0's."""
        self.create(cfg, extra)
        up = self.guest_up(limit)
        self.detach()
        return up

    def attach(self, name, serial=False):
        """A guest's console, at its shell prompt."""
        tty = "/local/domain/$(xl domid %s)/%s/tty" % (name, "serial/0" if serial else "console")
        self.shell("until xenstore-read %s 2>/dev/null | grep -q /dev; do usleep 200000; done" % tty)
        self.type("xl console %s %s\n" % ("-t serial" if serial else "-t pv", name))
        for _ in range(20):
            self.child.send("\n")
            try:
                self.child.expect(GUEST, timeout=3 * self.slow)
                return
            except pexpect.TIMEOUT:
                continue
        raise AssertionError("no prompt on %s's console; see %s" % (name, self.log))

    def detach(self):
        self.type("\x1d")
        self.expect(DOM0, 30)

    def in_guest(self, name, command, limit=60, serial=False):
        """Runs a command in a guest, from Dom0's shell and back to it."""
        self.attach(name, serial)
        out = self.shell(command, limit)
        self.detach()
        return out

    def names(self):
        """What runs besides Dom0: {name: (id, vcpus, state)}."""
        rows = [r.split() for r in self.shell("xl list").splitlines()]
        return {r[0]: (int(r[1]), int(r[3]), r[4]) for r in rows if len(r) == 6 and r[1].isdigit() and r[0] != "Domain-0"}

    def wait_gone(self, name, limit=60):
        self.shell("while xl list | grep -q '^%s '; do usleep 200000; done" % name, limit)

    def wait_rebooted(self, name, domid, limit=60):
        """Waits until the guest is there under another number than it had."""
        self.shell("until xl domid %s 2>/dev/null | grep -qv '^%d$'; do usleep 200000; done" % (name, domid), limit)

    def kill_device_model(self, name):
        """kill -9 to the QEMU of a guest."""
        out = self.shell("for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline | grep -q 'xen-domid %d ' && "
                         "kill -9 ${p#/proc/} && echo KILLED; done; true" % self.names()[name][0])
        assert "KILLED" in out

    def free_memory(self):
        return int(re.search(r"free_memory +: (\d+)", self.shell("xl info")).group(1))

    def destroy_all(self):
        for name in self.names():
            self.shell("xl destroy " + name, check=False)

    def recover(self):
        """From wherever the console is, to Dom0's shell without guests; False where Dom0 does not answer."""
        for key in "\x1d", "\x03", "\n":              # leave xl console; end a command
            self.child.send(key)
            time.sleep(0.5)
        self.type('echo BACK"%d"\n' % self.count)
        try:
            self.expect(r"BACK%d\r*\n" % self.count, 20)
            self.expect(DOM0, 10)
            self.destroy_all()
        except AssertionError:
            return False
        return True

    # -- the end ------------------------------------------------------------------------------------------------------
    def ends(self, limit=60):
        """Waits until the machine ends; polder-boot's exit status."""
        try:
            self.child.expect(pexpect.EOF, timeout=limit * self.slow)
        except pexpect.TIMEOUT:
            raise AssertionError("the machine goes on after %d s; see %s" % (limit * self.slow, self.log)) from None
        self.child.close()
        return self.child.exitstatus

    def poweroff(self):
        self.type("poweroff -f\n")
        status = self.ends()
        assert status == 0, "exit status %r; see %s" % (status, self.log)

    def close(self):
        self.child.close(force=True)
        self.child.logfile.close()

    def output(self):
        self.child.logfile.flush()
        with open(self.log, errors="replace") as f:
            return re.sub(r"\r", "", f.read())
