# SPDX-License-Identifier: GPL-2.0-or-later
"""HVM guests that nobody wrote for Polder: boot loaders, memory tests, old and graphical systems (tests/images/build-zoo)."""
import os
import time

import pytest

import screen
import vnc
from conftest import Shared
from console import DOM0, IMAGES, LOGS

pytestmark = pytest.mark.only("amd", "guests' screens are seen through the emulated network card")
CONFIG = ['name="zoo"', 'type="hvm"', 'serial="pty"', "vnc=1", 'vnclisten="0.0.0.0"', "vncdisplay=1", "vncunused=0",
          "sdl=0", 'vga="stdvga"']


@pytest.fixture(scope="session")
def shared_zoo(vendor, images):
    image = os.path.join(IMAGES, "zoo.img")
    if not os.path.exists(image):
        pytest.skip("no %s: run tests/images/build-zoo" % image)
    s = Shared("zoo", vendor, images, network=True, disks=(image,))
    yield s
    s.drop()


@pytest.fixture
def zoo(shared_zoo, request):
    """A host with the zoo's images in /zoo, and with a guest's screen forwarded."""
    Shared.keep_only(shared_zoo)
    host = shared_zoo.get()
    host.note(request.node.name)
    host.shell("mkdir -p /zoo; [ -e /zoo/ipxe.iso ] || mount -t ext4 -o ro /dev/vdb /zoo")
    host.shell("for line in %s; do echo $line; done > /run/zoo.cfg" % " ".join("'%s'" % c for c in CONFIG))
    yield host
    try:
        picture = vnc.picture(host.vnc_port)
        picture.save(os.path.join(LOGS, request.node.name + ".ppm"))
    except OSError:
        pass
    if not host.recover():
        shared_zoo.drop()


def boot(host, image, *words, console=False):
    """Starts an HVM guest from a CD, or from a floppy; with its serial console attached if asked."""
    if image.endswith(".iso"):
        words += ('boot="d"', 'disk=["format=raw,vdev=hdc,devtype=cdrom,access=ro,target=/zoo/%s"]' % image)
    else:
        words += ('boot="a"', 'device_model_args=["-drive","if=floppy,format=raw,readonly=on,file=/zoo/%s"]' % image)
    if not any(w.startswith("memory") for w in words):
        words += ("memory=64",)
    host.type("xl create %s/run/zoo.cfg %s\n" % ("-c " if console else "", " ".join("'%s'" % w for w in words)))
    if not console:
        host.expect_or_fail(DOM0, "libxl: error", 60)


def shell_of_ipxe(host):
    """Of the CD's; that in the network card's ROM, which comes before it, asks for the same key."""
    screen.wait_for(host.vnc_port, r"Loading ipxe\.krn", 60)
    screen.press_until(host.vnc_port, (screen.CTRL, "b"), r"iPXE>", 120, never="No bootable device")
    # While iPXE looks for devices the keyboard's queue runs over; of the keys that get through, a "b" can be without its Ctrl.
    screen.press(host.vnc_port, screen.ENTER)
    screen.wait_for(host.vnc_port, r"iPXE>[^\n]*\n(.*\n)*iPXE>\n*$", 20)


def test_ipxe_boots_and_opens_its_shell(zoo):
    boot(zoo, "ipxe.iso")
    shell_of_ipxe(zoo)
    screen.enter(zoo.vnc_port, "echo aloud")
    screen.wait_for(zoo.vnc_port, r"\naloud", 20)


def test_ipxe_drives_the_paravirtual_network_card(zoo):
    zoo.shell("echo 'start 10.77.0.100\nend 10.77.0.110\ninterface xenbr0\nlease_file /run/leases\n"
              "opt subnet 255.255.255.0\n' > /run/udhcpd.conf; udhcpd /run/udhcpd.conf")
    boot(zoo, "ipxe.iso", 'vif=["bridge=xenbr0,mac=00:16:3e:77:00:21"]')
    shell_of_ipxe(zoo)
    screen.enter(zoo.vnc_port, "dhcp net0")
    # What is typed while the command runs is thrown away, and its line stands on the screen since the boot already.
    screen.wait_for(zoo.vnc_port, r"dhcp net0\nConfiguring \(net0.*ok\niPXE>", 60)
    screen.enter(zoo.vnc_port, "show net0/ip")
    screen.wait_for(zoo.vnc_port, r"ip:ipv4 = 10\.77\.0\.1\d\d", 20)
    zoo.shell("killall udhcpd")


def test_grub_rescue_cd_gives_a_menu_or_prompt(zoo):
    boot(zoo, "grub-rescue-cdrom.iso")
    screen.wait_for(zoo.vnc_port, r"GNU GRUB", 90)


@pytest.mark.long
def test_grub_rescue_floppy_gives_a_menu_or_prompt(zoo):
    boot(zoo, "grub-rescue-floppy.img")
    screen.wait_for(zoo.vnc_port, r"GNU GRUB", 300)


def test_grub_invaders_draws_ships_that_move(zoo):
    boot(zoo, "invaders.iso")
    screen.wait_for(zoo.vnc_port, r"-\*-.*-\*-", 120)
    vnc.wait_for_change(zoo.vnc_port, vnc.picture(zoo.vnc_port), 3, seen_as=screen.text)


def memtest(zoo, image, pattern, limit):
    boot(zoo, image, "memory=32")                     # 16 MB of it are the screen's
    return screen.wait_for(zoo.vnc_port, pattern, limit, never=r"Errors: [1-9]|Failing Address")


def test_memtest86_runs_every_test_on_memory_in_use(zoo):
    """All but the last, which looks whether bits fade in five minutes."""
    memtest(zoo, "memtest86+x64.iso", r"Test #10 (?s:.*)Errors: 0", 120)


@pytest.mark.long
@pytest.mark.parametrize("image", ["memtest86+x64.iso", "memtest86+ia32.iso"])
def test_memtest86_passes(zoo, image):
    memtest(zoo, image, r"Pass: +1(?s:.*)Errors: 0", 900)


@pytest.mark.long
def test_linux_32_bit_without_pae_reaches_its_shell(zoo):
    """A kernel that knows nothing of hypervisors: HPET, PIT, IOAPIC and the LAPIC's timer as on a PC."""
    boot(zoo, "linux-686.iso", "memory=256", console=True)
    assert zoo.guest_up(400) == ("none", 1)
    zoo.detach()


@pytest.mark.long
@pytest.mark.parametrize("vcpus", [1, 2])
def test_linux_32_bit_with_pae_uses_paravirtual_drivers(zoo, vcpus):
    boot(zoo, "linux-686-pae.iso", "memory=256", "vcpus=%d" % vcpus, 'vif=["bridge=xenbr0,mac=00:16:3e:77:00:22"]',
         console=True)
    assert zoo.guest_up(500) == ("HVM", vcpus)
    zoo.shell("ip addr add 10.77.0.60/24 dev eth0; ip link set eth0 up; sleep 2; ping -c 3 -w 20 10.77.0.1")
    zoo.detach()


@pytest.mark.long
@pytest.mark.parametrize("image", ["di-amd64.iso", "di-i386.iso"])
def test_isolinux_boots_the_debian_installer(zoo, image):
    boot(zoo, image, "memory=1200", console=True)     # with less it asks about that first
    zoo.expect(r"ISOLINUX", 120)
    zoo.expect(r"POLDER-ISOLINUX-MENU", 120)
    zoo.expect(r"Loading /linux", 120)
    zoo.expect(r"Linux version", 900)
    zoo.expect_or_fail(r"Select a language|Choose the language", r"Kernel panic", 1800)
    zoo.detach()


@pytest.mark.long
def test_graphical_debian_installer_asks_for_a_language(zoo):
    boot(zoo, "di-gtk.iso", "memory=1200")
    end = time.monotonic() + 3000
    while time.monotonic() < end:
        picture = vnc.picture(zoo.vnc_port)
        # The dialog: light, on 1024x768, with the list's selected line in Debian's green.
        green = sum(n for (r, g, b), n in picture.colours().items() if abs(r - 42) + abs(g - 133) + abs(b - 124) < 12)
        if picture.width >= 800 and green > 5000:
            break
        time.sleep(5)
    assert green > 5000
    screen.press(zoo.vnc_port, screen.ENTER)          # English: then it asks where the user is
    vnc.wait_for_change(zoo.vnc_port, picture, 20)
