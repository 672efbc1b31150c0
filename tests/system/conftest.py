# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures: which vendors a test runs on, and booted hosts that tests share.

    pytest tests/system --vendor amd        (make test-svm)
    pytest tests/system --vendor intel      (make test-vmx)
    pytest FILES --cpu ryzen                (make test-svm-bochs: AMD's vendor, Bochs' model)
    --full adds the tests marked "long".
"""
import os

import pytest

from console import BUILD, IMAGES, Host


SHARED = ("dom0", "dom0_smp", "zoo")     # fixtures that lend a host


def pytest_addoption(parser):
    parser.addoption("--vendor", choices=("amd", "intel"), default="amd")
    parser.addoption("--cpu", help="the emulator's CPU model, as polder-boot takes it")
    parser.addoption("--full", action="store_true", help="the long tests too")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: left out unless --full is given")
    config.addinivalue_line("markers", "long_on(vendor): the same, on one vendor's machine alone")
    config.addinivalue_line("markers", "only(vendor, why): a test that one vendor's machine alone can run")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    vendor, full = config.getoption("--vendor"), config.getoption("--full")
    for item in items:
        if not full and (item.get_closest_marker("long") or
                         any(m.args[0] == vendor for m in item.iter_markers("long_on"))):
            item.add_marker(pytest.mark.skip(reason="long: runs with --full"))
        only = item.get_closest_marker("only")
        if only and only.args[0] != vendor:
            item.add_marker(pytest.mark.skip(reason=only.args[1]))
        # A shared host is booted once by each process that runs tests; the tests of a file stay with one process.
        host = [n for n in SHARED if n in item.fixturenames]
        if host:
            item.add_marker(pytest.mark.xdist_group("%s-%s" % (item.path.stem, host[0])))
    # One emulator at a time in each process.
    items.sort(key=lambda item: [n in item.fixturenames for n in SHARED], reverse=True)


@pytest.fixture(scope="session")
def vendor(request):
    return request.config.getoption("--vendor")


@pytest.fixture(scope="session")
def cpu(request):
    return request.config.getoption("--cpu")


@pytest.fixture(scope="session")
def images():
    for name in "vmlinuz", "dom0.cpio", "data.img":
        if not os.path.exists(os.path.join(IMAGES, name)):
            pytest.fail("no %s: run 'make images'" % os.path.join(IMAGES, name))
    return IMAGES


@pytest.fixture(scope="session")
def tiny():
    """The folder of the tiny guests."""
    if not os.path.exists(os.path.join(BUILD, "guests/hello.elf")):
        pytest.fail("no %s: run 'make guests'" % os.path.join(BUILD, "guests/hello.elf"))
    return os.path.join(BUILD, "guests")


@pytest.fixture
def machine(vendor, cpu):
    """Boots machines by hand: machine(name, ...) is a Host, ended with the test."""
    Shared.keep_only(None)
    hosts = []

    def boot(name, **kw):
        hosts.append(Host(name, **{"vendor": vendor, "cpu": cpu, **kw}))
        return hosts[-1]
    yield boot
    for h in hosts:
        h.close()


@pytest.fixture
def debian(machine, images):
    """The same, with Debian's kernel as Dom0."""
    def boot(name, **kw):
        kw = {**dom0_of(images), **kw}
        return machine(name, **kw)
    return boot


def dom0_of(images):
    return {"kernel": os.path.join(images, "vmlinuz"), "initrd": os.path.join(images, "dom0.cpio"),
            "append": "dom0_mem=1000M", "dom0_append": "console=hvc0 rdinit=/init"}


class Shared:
    """A host for many tests; booted when the first asks for it, and again when a test left it unusable."""
    all = []

    @classmethod
    def keep_only(cls, one):
        for s in cls.all:
            if s is not one:
                s.drop()

    def __init__(self, name, vendor, images, **kw):
        self.name, self.kw = name, {**dom0_of(images), "vendor": vendor, "timeout": 6000, **kw}
        self.host, self.boots = None, 0
        self.all.append(self)

    def get(self):
        if self.host is None:
            self.boots += 1
            worker = os.environ.get("PYTEST_XDIST_WORKER", "")     # each has a host of that name
            host = Host("-".join(filter(None, (self.name, worker, str(self.boots)))), **self.kw)
            try:
                host.wait_dom0()
            except AssertionError:
                host.close()
                raise
            self.host = host
        return self.host

    def drop(self):
        if self.host:
            self.host.close()
        self.host = None


@pytest.fixture(scope="session")
def shared(vendor, cpu, images):
    s = Shared("shared", vendor, images, network=True, cpu=cpu)
    yield s
    s.drop()


@pytest.fixture(scope="session")
def shared_smp(vendor, cpu, images):
    s = Shared("shared-smp", vendor, images, smp=2, cpu=cpu)
    yield s
    s.drop()


def lend(shared, request):
    Shared.keep_only(shared)
    host = shared.get()
    host.note(request.node.name)
    yield host
    if request.node.stash.get(FAILED, False):
        if not host.recover():
            shared.drop()
    else:
        host.destroy_all()


@pytest.fixture
def dom0(shared, request):
    """A host with Dom0's shell that tests share; guests that a test left are destroyed."""
    yield from lend(shared, request)


@pytest.fixture
def dom0_smp(shared_smp, request):
    """The same, with two CPUs."""
    yield from lend(shared_smp, request)


FAILED = pytest.StashKey()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if call.when == "call":
        item.stash[FAILED] = report.failed
