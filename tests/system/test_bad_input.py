# SPDX-License-Identifier: GPL-2.0-or-later
"""Wrong files, sizes and options: each is told with its cause and remedy, and nobody else is harmed."""
import os
import re
import subprocess

import pytest

from console import BUILD, ROOT


def polder_boot(*args):
    r = subprocess.run([os.path.join(ROOT, "tools/polder-boot"), *args], stdin=subprocess.DEVNULL, text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    return r.returncode, r.stdout


# -- the boot helper ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("args,says", [
    (["--hypervisor", "/nowhere"], "hypervisor /nowhere does not exist: run 'make' first"),
    (["--dom0-kernel", "/nowhere"], "Dom0 kernel /nowhere does not exist"),
    (["--dom0-kernel", "/dev/null"], "Dom0 kernel /dev/null does not exist"),
    (["--dom0-initrd", "/bin/sh"], "--dom0-initrd needs --dom0-kernel"),
    (["--disk", "/nowhere"], "disk /nowhere does not exist"),
    (["--vendor", "cyrix"], "invalid choice"),
])
def test_boot_helper_names_what_is_wrong(args, says):
    hypervisor = [] if "--hypervisor" in args else ["--hypervisor", os.path.join(BUILD, "polder.elf")]
    status, out = polder_boot(*hypervisor, *args)
    assert status in (1, 2) and says in out


# -- Dom0 --------------------------------------------------------------------------------------------------------------
def dies(machine, name, says, **kw):
    host = machine(name, data=False, timeout=120, **kw)
    host.expect(says, 40)
    host.expect("Reboot in five seconds", 10)
    assert host.ends() == 3


def test_no_dom0_kernel(machine):
    dies(machine, "bad-none", "No kernel for Dom0: the boot loader must give it as the first module")


def test_dom0_kernel_that_is_cut_off(machine, images, tmp_path):
    bad = tmp_path / "vmlinuz"
    with open(os.path.join(images, "vmlinuz"), "rb") as f:
        bad.write_bytes(f.read(3000000))
    dies(machine, "bad-cut", r"Dom0's kernel \(module 0, 3000000 bytes\): [^\n]+", kernel=str(bad))


def test_dom0_kernel_that_is_no_kernel(machine, tmp_path):
    bad = tmp_path / "vmlinuz"
    bad.write_bytes(b"This is not a kernel.\n" * 1000)
    dies(machine, "bad-text", r"Dom0's kernel \(module 0, 22000 bytes\): [^\n]+", kernel=str(bad))


def test_dom0_kernel_without_notes(machine, tiny):
    dies(machine, "bad-notes", "Dom0's kernel has no Xen notes", kernel=os.path.join(tiny, "nonotes.elf"))


@pytest.mark.only("amd", "in Bochs unpacking takes long")
def test_dom0_without_enough_memory(machine, images):
    dies(machine, "bad-mem", r"with dom0_mem=", kernel=os.path.join(images, "vmlinuz"),
         initrd=os.path.join(images, "dom0.cpio"), append="dom0_mem=64M")


def test_dom0_gets_what_there_is_where_it_asks_for_more(machine, tiny):
    host = machine("bad-more", kernel=os.path.join(tiny, "hello.elf"), data=False, append="dom0_mem=900G nosuchoption=1")
    host.expect("option 'nosuchoption' is not known and is ignored", 30)
    host.expect(r"Dom0 cannot have 921600 MiB: it gets the \d+ MiB that are free", 30)
    host.expect("hello from a PV guest", 30)


# -- guests ------------------------------------------------------------------------------------------------------------
def refused(host, says, kind="pv", kernel="/data/vmlinuz", more="", memory=128):
    """xl create fails, saying so; no domain is left and no memory is lost."""
    host.shell("sed -e 's,^kernel.*,kernel=\"%s\",; s,^memory.*,memory=%s,' /tests/guests/%s-bare.cfg > /run/bad.cfg" % (
        kernel, memory, kind))
    before = host.free_memory()
    out = host.shell("xl create /run/bad.cfg %s 2>&1; echo status=$?" % more, 120)
    assert "status=0" not in out and re.search(says, out), out
    assert host.names() == {}
    assert abs(host.free_memory() - before) <= 1


KINDS = pytest.mark.parametrize("kind", ["pv", "pvh"])


@pytest.mark.long_on("intel")
@KINDS
def test_guest_kernel_that_is_cut_off(dom0, kind):
    dom0.shell("head -c 1000000 /data/vmlinuz > /run/cut")
    refused(dom0, r"(?i)error", kind, kernel="/run/cut")


@pytest.mark.long_on("intel")
@KINDS
def test_guest_kernel_without_notes(dom0, kind):
    dom0.shell("cp /tests/tiny/nonotes.elf /run/nonotes")
    refused(dom0, r"(?i)error", kind, kernel="/run/nonotes")


@pytest.mark.long_on("intel")
def test_guest_kernel_that_is_missing(dom0):
    refused(dom0, r"(?i)no such file", kernel="/run/nowhere")


@pytest.mark.long_on("intel")
def test_guest_with_more_memory_than_there_is(dom0):
    refused(dom0, r"(?i)memory", memory=1000000)


@pytest.mark.long_on("intel")
def test_guest_with_too_many_cpus(dom0):
    refused(dom0, r"(?i)error", more="vcpus=100000")


@pytest.mark.long_on("intel")
def test_guest_whose_cd_is_missing(dom0):
    dom0.shell("sed -e 's,/data/linux.iso,/data/nowhere.iso,' /tests/guests/hvm.cfg > /run/bad.cfg")
    before = dom0.free_memory()
    out = dom0.shell("xl create /run/bad.cfg 2>&1; echo status=$?", 120)
    assert "status=0" not in out and "device model did not start" in out
    assert "nowhere.iso" in dom0.shell("cat /var/log/xen/qemu-dm-hvm.log")
    assert dom0.names() == {}
    assert abs(dom0.free_memory() - before) <= 1


@pytest.mark.long_on("intel")
def test_guest_whose_initrd_is_cut_off(dom0):
    """The guest's own affair: its kernel panics, the domain is known as crashed, Dom0 goes on."""
    dom0.shell("head -c 1000000 /data/guest.cpio > /run/cut.cpio")
    dom0.create("pv-bare.cfg", "'ramdisk=\"/run/cut.cpio\"' 'on_crash=\"preserve\"'")
    dom0.expect("Kernel panic", 120)
    dom0.detach()
    assert "c" in dom0.names()["pv"][2]
    dom0.shell("xl destroy pv")


# -- the machine -------------------------------------------------------------------------------------------------------
@pytest.mark.only("amd", "QEMU's CPU model")
@pytest.mark.parametrize("flag,cause", [("svm", "the CPU has no SVM"), ("npt", "the CPU has no nested paging")])
def test_cpu_without_virtualisation_runs_pv_guests(debian, flag, cause):
    host = debian("bad-no-" + flag, cpu="EPYC,-smap,-monitor,-rdtscp,-xsave,-avx,-avx2,-fma,-f16c,-" + flag)
    host.expect("no HVM guests: " + cause, 30)
    host.wait_dom0()
    assert not re.search(r"virt_caps +:.*hvm", host.shell("xl info"))
    out = host.shell("xl create /tests/guests/pvh-bare.cfg 2>&1; echo status=$?")
    assert "status=0" not in out and re.search(r"(?i)hvm|hap|virtuali[sz]ation|support", out), out
    assert host.names() == {}
    assert host.start("pv-bare.cfg") == ("PV", 1)
