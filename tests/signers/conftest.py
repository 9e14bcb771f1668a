"""Fixtures of the tests of data/signers."""
import os
from pathlib import Path

import pytest

pytest.register_assert_rewrite("lib.signers")


def pytest_collection_modifyitems(config, items):
    """Of a file of which nothing runs, one test stands for all, so that make check says in one line what it leaves out."""
    if os.environ.get("POSTERN_SLOW") == "1":
        return
    slow = [item for item in items if item.path.parent == Path(__file__).parent and item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow[1:])
    items[:] = [item for item in items if item not in slow[1:]]


@pytest.fixture(scope="module")
def site(module_data):
    """The site whose key every signer of the file has in its environment."""
    site = module_data.add_site("acme")
    module_data.emails.add("alex@example.com")
    return site


@pytest.fixture(scope="module")
def signing(site):
    return {"POSTERN_SIGNING_KEY": site.secret, "POSTERN_SIGNING_KID": site.kid}
