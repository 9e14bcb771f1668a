"""Fixtures every HTTP and CLI test starts from. The classes behind them are in tests/lib."""
import os
import signal
import sys

import pytest

sys.dont_write_bytecode = True
from lib.datadir import DataDir          # noqa: E402
from lib.lighttpd import Lighttpd        # noqa: E402
from lib.programs import ANY_TREE, SANITIZED, THREAD_SANITIZED       # noqa: E402
from lib.worker import Worker            # noqa: E402

LIMIT_SECONDS = 60


def pytest_collection_modifyitems(items):
    if os.environ.get("POSTERN_SLOW") == "1":
        return
    here = "sanitized" if SANITIZED else "plain"
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow: make check-all runs it"))
        tree = item.get_closest_marker("tree")
        if tree and tree.args[0] != here and not ANY_TREE:
            item.add_marker(pytest.mark.skip(reason=f"the {tree.args[0]} tree runs it; make check-all both"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """No test waits for ever: past its limit it fails where it stands, and its fixtures still clean up."""
    marker = item.get_closest_marker("limit")
    seconds = (marker.args[0] if marker else LIMIT_SECONDS) * (4 if THREAD_SANITIZED else 1)

    def too_long(*_):
        raise TimeoutError(f"the test is not done after {seconds} s")
    old = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed and call.when == "call":
        item.failed_here = True


@pytest.fixture
def data():
    """An empty data directory, fresh from `postern init`. At the end all its audit lines are checked."""
    with DataDir() as d:
        yield d


@pytest.fixture
def site(data):
    """The site `acme` with one key: site.token(email=...) mints under it."""
    return data.add_site("acme")


@pytest.fixture
def worker(data, request):
    """A running postern-fcgi on data; at the end it must stop cleanly."""
    with Worker(data) as w:
        yield w
        if getattr(request.node, "failed_here", False):
            print(f"---- log of the worker\n{w.log()}")


@pytest.fixture
def http(worker):
    """A client of a real lighttpd in front of the worker."""
    with Lighttpd(worker) as server:
        yield server.client()


@pytest.fixture(scope="module")
def module_data():
    """As data, but one for all tests of a file: for tests that only ask, or that each use a site of their own."""
    with DataDir() as d:
        yield d


@pytest.fixture(scope="module")
def module_worker(module_data):
    with Worker(module_data) as w:
        yield w


@pytest.fixture(scope="module")
def module_http(module_worker):
    with Lighttpd(module_worker) as server:
        yield server.client()
