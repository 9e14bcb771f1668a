"""The time to refuse, over the worker's own socket: it does not tell whether a document is there, which byte of a signature is
wrong, which key almost made it, or whether a kid is known. What one verification costs by the cycle is tests/unit/token/test_timing.c's.

What is told openly is not looked at: a conversation that is another's is answered conversation_conflict. Nor what is not ours to hide:
an unknown site is no secret, and how long an upstream takes to say "not yours" is the upstream's."""
import os

import pytest

from lib import refusals, timing
from lib.programs import SANITIZED

pytestmark = [pytest.mark.slow, pytest.mark.tree("plain"),
              pytest.mark.skipif(SANITIZED, reason="what a sanitizer costs says nothing"),
              pytest.mark.skipif(not os.access(refusals.MEMORY, os.W_OK), reason=f"needs {refusals.MEMORY}")]
SAMPLES = 30000


def told_apart(pair, verdict):
    return verdict.found and abs(verdict.difference) > pair.most


@pytest.mark.limit(400)
def test_the_time_to_refuse_tells_nothing():
    wrong = []
    with refusals.ground() as g:
        for pair in g.pairs():
            verdict = timing.compare(g.worker, pair.kinds, SAMPLES)
            if not pair.leaks and told_apart(pair, verdict):
                verdict = timing.compare(g.worker, pair.kinds, SAMPLES, seed=1)     # chance does not come twice
            if pair.leaks and not verdict.found:
                verdict = timing.compare(g.worker, pair.kinds, 4 * SAMPLES)         # a busy machine hides half a microsecond
            print(f"{pair.name}: {verdict}")
            if pair.leaks and not verdict.found:
                wrong.append(f"the control was not found, so the method is blind: {pair.name}: {verdict}")
            if not pair.leaks and told_apart(pair, verdict):
                wrong.append(f"{pair.name}: {verdict}")
    assert not wrong, "\n".join(wrong)
