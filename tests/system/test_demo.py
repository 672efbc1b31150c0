# SPDX-License-Identifier: GPL-2.0-or-later
"""tools/demo, as `make run` starts it: both guests come up, and the HVM guest's screen answers on localhost."""
import os
import re

import pytest

import vnc
from console import BUILD, ROOT, Host


@pytest.mark.long_on("intel")
def test_demo_host(images, vendor):
    host = Host("demo", vendor, command=[os.path.join(ROOT, "tools/demo"), "--vendor", vendor, "--", "--hypervisor",
                                         os.path.join(BUILD, "polder.elf")])
    try:
        port = 5900 + int(host.expect(r"vncviewer localhost:(\d+)", 240).group(1))
        host.wait_dom0(60)
        assert {"pv", "install"} <= set(host.names())
        host.attach("pv")
        host.detach()
        assert vnc.wait_for_text(port, 2, 60)
        host.poweroff()
    finally:
        host.close()


def test_demo_names_a_missing_iso():
    host = Host("demo-iso", command=[os.path.join(ROOT, "tools/demo"), "--iso", "/nowhere.iso"])
    host.expect("the ISO /nowhere.iso does not exist")
    assert host.ends() == 1
    host.close()
