"""bench_timing.py -- does the time to refuse tell two kinds of request apart?"""
import re
import subprocess

from lib import refusals
from lib.programs import environment, program
from lib.timing import FOUND

METHOD = """
Two kinds of request, or of token, take turns by the toss of a coin; Welch's t-test says whether their mean times differ,
over all samples and over those below the 50th to 99th percentile of both (as dudect does). The largest |t| is the figure:
above 5 a difference was found. By the cycle on token_verify() alone (tests/unit/token/test_timing.c, 480,000 samples a
pair), and over the worker's socket on one kept connection, data memory-backed (ROUNDS thousand samples a pair). The
controls differ on purpose and have to be found: a method that sees nothing proves nothing. A kid is no secret: there up to
400 cycles and 0.5 us of a found difference are let pass."""

LINE = re.compile(r"# timing: (.+): t (\S+), difference (\S+) cycles, seen from (\S+) on")
KID_CYCLES = 400                # tests/unit/token/test_timing.c, KID_MOST
SEALED_CYCLES = 2000            # SEALED_MOST: in a ring that was just loaded


def figure(name, t, difference, seen_from, unit, most, leaks):
    passes = abs(difference) <= most
    goal = (">=", FOUND) if leaks else None if most and passes else ("<=", FOUND)
    note = f"difference {difference:+.3g} {unit}, seen from {seen_from:.3g} {unit} on"
    if most:
        note += f"; up to {most:g} passes"
    return {"name": name, "value": abs(t), "unit": "|t|", "goal": goal, "note": note}


def figures(env):
    done = subprocess.run([program("tests/unit/token/test_timing")], capture_output=True, text=True, check=False,
                          env=environment(POSTERN_SLOW="1", TMPDIR=env.home))
    lines = LINE.findall(done.stdout)
    assert lines, done.stdout + done.stderr
    for name, *numbers in lines:
        t, difference, seen_from = map(float, numbers)
        most = SEALED_CYCLES if name.endswith("just loaded") else KID_CYCLES if name.startswith("kid") else 0
        yield figure(f"verify, {name}", t, difference, seen_from, "cycles", most, name.startswith("control"))
    for pair, v in refusals.measured(1000 * env.rounds(20)):
        yield figure(f"socket, {pair.name}", v.t, v.difference, v.seen_from, "us", pair.most, pair.leaks)
