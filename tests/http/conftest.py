"""Fixtures of the tests over HTTP that send more bad tokens than the audit budget lets through."""
import pytest

from lib.lighttpd import Lighttpd
from lib.shop import Written, add_shop
from lib.worker import Worker


@pytest.fixture(scope="module")
def unlimited(module_data):
    """A worker without an audit budget, for all tests of a file."""
    with Worker(module_data, "--audit-budget", "0") as w:
        yield w


@pytest.fixture(scope="module")
def web(unlimited):
    """A client of a real lighttpd in front of it."""
    with Lighttpd(unlimited) as server:
        yield server.client()


@pytest.fixture(scope="module")
def shop(module_data):
    """The site `shop`: every kind of action, plan pro, no other settings."""
    return add_shop(module_data, "shop")


@pytest.fixture
def written(web, shop):
    """What the requests of this test write."""
    return Written(web, shop)
