# SPDX-License-Identifier: GPL-2.0-or-later
"""HVM guests: firmware, CD, screen, installation from an ISO."""
import os
import re

import pytest

import vnc
from console import LOGS


def screenshot(host, name, rows, limit=60):
    """The guest's screen, kept in build/logs, has at least so many rows of text."""
    screen = vnc.wait_for_text(host.vnc_port, rows, limit)
    screen.save(os.path.join(LOGS, name + ".ppm"))
    return screen


def boots_from_cd(dom0):
    """An HVM guest with two vCPUs, in its boot loader's menu."""
    dom0.create("hvm.cfg", "vcpus=2")
    dom0.expect(r"SeaBIOS \(version", 120)
    dom0.expect(r"POLDER-GRUB-MENU", 120)
    if dom0.vnc_port:
        screen = screenshot(dom0, "hvm-grub", 3)
        assert len(screen.colours()) >= 2


@pytest.mark.only("intel", "on SVM the next test does it too")
def test_hvm_guest_gets_to_its_boot_loader_from_cd(dom0):
    boots_from_cd(dom0)
    dom0.expect(r"POLDER-GRUB-LOADING", 120)     # the boot loader's clock and its menu's countdown ran
    dom0.detach()
    dom0.shell("xl destroy hvm")
    assert "hvm" not in dom0.names()


@pytest.mark.long_on("intel")
def test_hvm_guest_boots_from_cd(dom0):
    boots_from_cd(dom0)
    dom0.expect(r"POLDER-GRUB-BOOT", 300)
    assert dom0.guest_up(300) == ("HVM", 2)
    assert "boot" in dom0.shell("mount -t iso9660 /dev/sr0 /mnt || mount -t iso9660 /dev/xvdc /mnt; ls /mnt")
    dom0.shell("for i in $(seq 40); do echo POLDER-SCREEN $i; done > /dev/tty0")
    dom0.detach()
    if dom0.vnc_port:
        screenshot(dom0, "hvm-shell", 20)
    presses = "/sys/firmware/acpi/interrupts/ff_pwr_btn"
    assert re.search(r"^\s*0 +EN\b.*enabled", dom0.in_guest("hvm", "cat " + presses, serial=True), re.M)
    dom0.shell("xl trigger hvm power")
    # The guest handles the interrupt when it is scheduled, not before the command returns.
    dom0.in_guest("hvm", "until grep -q '^ *1 ' %s; do usleep 100000; done" % presses, serial=True)
    dom0.shell("xl destroy hvm")


@pytest.mark.long_on("intel")
def test_install_from_iso_and_boot_from_disk(dom0):
    # Without -c: xl would attach to the console again when it builds the domain anew, and take what it says.
    dom0.shell("xl create /tests/guests/install.cfg", 120)
    first = dom0.names()["install"][0]
    dom0.type("xl console -t serial install\n")
    dom0.expect(r"POLDER-INSTALL-MENU", 200)
    if dom0.vnc_port:
        screenshot(dom0, "install-menu", 3)
    for step in "START", "PARTITIONED", "FORMATTED", "COPIED", "DONE":
        dom0.expect_or_fail(r"POLDER-INSTALL-%s\b" % step, r"POLDER-INSTALL-FAILED.*", 300)
    dom0.expect(r"dom0# ", 60)          # the domain ended and is built again
    dom0.shell("until xl domid install 2>/dev/null | grep -v '^%d$' && xenstore-read "
               "/local/domain/$(xl domid install)/serial/0/tty; do usleep 200000; done" % first, 120)
    dom0.type("xl console -t serial install\n")
    dom0.expect(r"POLDER-INSTALLED-UP from=/dev/\w+1 .*mark=installed from", 300)
    dom0.detach()
    if dom0.vnc_port:
        screenshot(dom0, "install-disk", 2)
