# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's kernel as Dom0, with the stock tools."""
import os
import re
import shutil
import subprocess

import pytest

from console import BUILD, IMAGES


def test_xl_info_tells_the_version_and_the_machine(dom0):
    info = dom0.shell("xl info")
    assert re.search(r"xen_version +: 4\.17", info)
    assert re.search(r"virt_caps +:.*hvm", info)


def test_xl_list_shows_dom0(dom0):
    assert re.search(r"Domain-0 +0 +\d+ +\d+ +r", dom0.shell("xl list"))


def test_xl_dmesg_gives_the_hypervisors_messages(dom0):
    assert "Polder" in dom0.shell("xl dmesg")


def test_dom0_reads_its_disk(dom0):
    assert "linux.iso" in dom0.shell("ls /data")


def test_debug_keys_answer(dom0):
    dom0.shell("xl debug-keys h")
    assert "dump the registers" in dom0.shell("xl dmesg | tail -n 40")
    dom0.shell("xl debug-keys x")
    assert "d0v0 has exited" not in dom0.shell("xl dmesg | tail -n 40")       # Dom0 is a PV domain
    dom0.shell("xl debug-keys q")
    assert re.search(r"Domain 0 \(PV\): \d+ of \d+ pages(?s:.*)vCPU 0: CPU 0 running", dom0.shell("xl dmesg | tail -n 40"))


@pytest.mark.long_on("intel")
def test_dom0_has_all_cpus_and_all_memory(debian, vendor):
    """And powers the machine off."""
    smp, mem = (4, 12288) if vendor == "amd" else (2, 2048)
    host = debian("dom0-big", smp=smp, mem=mem)
    assert host.wait_dom0() == smp
    total = int(re.search(r"total_memory +: (\d+)", host.shell("xl info")).group(1))
    assert mem - 64 <= total <= mem
    assert len(re.findall(r"(?m)^Domain-0 ", host.shell("xl vcpu-list 0"))) == smp
    host.poweroff()


@pytest.mark.long
@pytest.mark.parametrize("smp", [1, 3, 8])
def test_dom0_on_so_many_cpus(debian, smp):
    host = debian("dom0-smp%d" % smp, smp=smp)
    assert host.wait_dom0() == smp
    host.poweroff()


@pytest.mark.long
@pytest.mark.parametrize("mem", [1200, 2048, pytest.param(3500, marks=pytest.mark.only("amd", "Bochs has at most 2 GiB"))])
def test_dom0_with_so_much_memory(debian, mem):
    host = debian("dom0-mem%d" % mem, mem=mem)
    host.wait_dom0()
    total = int(re.search(r"total_memory +: (\d+)", host.shell("xl info")).group(1))
    assert mem - 64 <= total <= mem
    host.poweroff()


@pytest.mark.long_on("intel")
def test_dom0_reboots_the_host(debian):
    host = debian("dom0-reboot")
    host.wait_dom0()
    host.type("reboot -f\n")
    assert host.ends() == 3


@pytest.mark.long_on("intel")
def test_crash_of_dom0_reboots_the_host(debian):
    host = debian("dom0-crash", append="dom0_mem=1000M", dom0_append="console=hvc0 rdinit=/init panic=-1 test.nodaemons")
    host.wait_dom0()
    host.type("echo c > /proc/sysrq-trigger\n")
    host.expect(r"Kernel panic")
    host.expect(r"\(polder\) Hardware domain has shut down: crash")
    assert host.ends() == 3


@pytest.mark.only("amd", "systemd's start takes an hour of emulated instructions in Bochs")
def test_ordinary_debian_with_systemd_is_dom0(machine):
    """Debian's root file system as its packages leave it (tests/images/build-debian), with its own initrd and Xen tools."""
    image = os.path.join(IMAGES, "debian.img")
    if not os.path.exists(image):
        pytest.fail("no %s: run 'make images'" % image)
    # systemd gives up a device after 90 seconds, on a busy machine hvc0 too, and then there is no login prompt.
    words = "root=/dev/vda ro console=hvc0 TERM=dumb systemd.default_device_timeout_sec=600"
    host = machine("debian", kernel=os.path.join(IMAGES, "debian-vmlinuz"), initrd=os.path.join(IMAGES, "debian-initrd.img"),
                   append="dom0_mem=1000M", dom0_append=words, data=False, disks=(image,))
    host.expect_or_fail(r"polder-debian login: ", r"Kernel panic|Give root password for maintenance", 400)
    host.type("root\n")
    host.expect("Password: ", 30)
    host.type("polder\n")
    host.expect(r"root@polder-debian:~# ", 60)
    assert host.shell("systemctl is-system-running --wait", 120, check=False).strip().endswith("running"), \
        host.shell("systemctl --failed --no-pager", check=False)
    assert re.search(r"Domain-0 +0 +1000", host.shell("xl list"))
    host.type("poweroff\n")
    assert host.ends(120) == 0


@pytest.mark.only("amd", "every other test of Bochs boots that way")
def test_boot_loader_starts_polder_by_multiboot2(machine, tiny, tmp_path):
    """GRUB, with multiboot2 and module2, from a CD; the hypervisor's file is packed."""
    boot = tmp_path / "iso/boot"
    (boot / "grub").mkdir(parents=True)
    for f in os.path.join(BUILD, "polder.elf.gz"), os.path.join(tiny, "hello.elf"):
        shutil.copy(f, boot)
    (boot / "grub/grub.cfg").write_text("set timeout=0\nmenuentry Polder {\n"
                                        "    multiboot2 /boot/polder.elf.gz console=com1 com1=115200,8n1 loglvl=all\n"
                                        "    module2 /boot/hello.elf\n}\n")
    iso = str(tmp_path / "boot.iso")
    subprocess.run(["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "-o", iso, str(tmp_path / "iso")], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    host = machine("multiboot2", cdrom=iso, data=False)
    host.expect("hello from a PV guest", 120)
    host.expect("Hardware domain has shut down", 10)
