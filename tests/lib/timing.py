"""Does the time of an answer tell two kinds of request apart? The method of tests/unit/token/test_timing.c, over the worker's socket.

The two take turns by the toss of a coin on one kept connection; Welch's t-test says whether their means differ, over all samples
and over those below the 50th to 99th percentile of both, for what disturbs a measurement makes it longer. FOUND is far beyond
what equal kinds reach by chance in as many looks."""
import gc
import math
import random
import statistics
import time
from dataclasses import dataclass

from lib import fastcgi
from lib.fastcgi import END_REQUEST

FOUND = 5.0
CROPS = (0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
END = fastcgi.record(END_REQUEST, bytes(8))


@dataclass
class Verdict:
    t: float
    difference: float       # microseconds, the second kind's mean less the first's
    seen_from: float        # the difference that so many samples would have shown
    samples: int

    @property
    def found(self):
        return abs(self.t) > FOUND

    def __str__(self):
        return f"t {self.t:.1f}, difference {self.difference:+.3f} us, seen from {self.seen_from:.3f} us on, {self.samples} samples"


def welch(first, second):
    error = math.sqrt(statistics.variance(first) / len(first) + statistics.variance(second) / len(second))
    difference = statistics.fmean(second) - statistics.fmean(first)
    return Verdict(difference / error if error else 0.0, difference, FOUND * error, len(first) + len(second))


def judge(took):
    """took: two lists of microseconds. The verdict of the crop that says most."""
    both = sorted(took[0] + took[1])
    verdicts = []
    for crop in CROPS:
        most = both[int((len(both) - 1) * crop)]
        kept = [[t for t in kind if t <= most] for kind in took]
        if min(map(len, kept)) > 100:
            verdicts.append(welch(*kept))
    worst = max(verdicts, key=lambda v: abs(v.t))
    worst.samples = len(both)
    return worst


def asked(connection, request):
    """One request and its answer on a kept connection: microseconds, and the answer's bytes."""
    pieces = []
    start = time.perf_counter_ns()
    connection.socket.sendall(request)
    while not pieces or not pieces[-1].endswith(END):
        pieces.append(connection.socket.recv(65536))
        assert pieces[-1], "the connection was closed"
    return (time.perf_counter_ns() - start) / 1000, b"".join(pieces)


def compare(worker, kinds, samples, seed=20251121):
    """kinds: two lists of requests, [(bytes, what must be in the answer)]; of a list each time another one is asked."""
    dice = random.Random(seed)
    took = [[], []]
    gc.disable()
    try:
        with worker.connect() as c:
            for i in range(samples + samples // 10):
                kind = dice.getrandbits(1)
                request, expected = dice.choice(kinds[kind])
                us, answer = asked(c, request)
                assert expected in answer, answer
                if i >= samples // 10:              # the first ones warm it
                    took[kind].append(us)
    finally:
        gc.enable()
    return judge(took)
