"""The soak as a test: short. `make soak` runs it for as long as SOAK_SECONDS says, and asks besides that nothing grew."""
import json
import os

import pytest

from soak.driver import soak

SECONDS = int(os.environ.get("SOAK_SECONDS", "0"))
RATE = int(os.environ.get("SOAK_RATE", "400"))           # requests a second that the clients send together


@pytest.mark.slow
@pytest.mark.limit(120)
def test_everything_at_once_for_twenty_seconds():
    figures, table = soak(20, RATE, flat=False)
    print(json.dumps(figures, indent=1), table, sep="\n")
    assert figures["answered"] > 1000 and figures["workers_ended"] > 2 and figures["bad_tokens"] > 100


@pytest.mark.skipif(not SECONDS, reason="make soak")
@pytest.mark.limit(SECONDS + 300)
def test_everything_at_once_for_long(capsys):
    figures, table = soak(SECONDS, RATE)
    with capsys.disabled():
        print(json.dumps(figures, indent=1), table, sep="\n")
