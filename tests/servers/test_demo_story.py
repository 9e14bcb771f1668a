"""The demo site's story through each shipped configuration, with the real server and the very file."""
import subprocess
import sys

import pytest

from lib.programs import ROOT, SANITIZED, environment
from lib.shipped import SHIPPED, Served

pytestmark = pytest.mark.skipif(SANITIZED, reason="the servers are the same in every tree")


@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda s: s.name)
def test_the_demo_site_tells_its_whole_story(shipped):
    with Served(shipped, demo=True) as served:
        url = f"http://127.0.0.1:{served.server.port}/postern"
        done = subprocess.run([sys.executable, "-B", str(ROOT / "scripts/demo"), "--url", url, "--data", str(served.data.path)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=50,
                              env=environment(POSTERN_BUILD="build"))
        assert done.returncode == 0 and " 0 not as they should be." in done.stdout, f"{done.stdout}\n{done.stderr}\n{served.server.log()}"
