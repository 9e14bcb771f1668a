#!/usr/bin/python3 -B
"""run.py [NAME]...: runs the measurements tests/bench/bench_NAME.py, all of them unless named, and prints one table.

A module has METHOD, one paragraph of text, and figures(env), which yields dicts: name, value, unit, goal ((">=", 0.95),
("<=", 4) or None), note. What is compared is measured in the same run, in rounds that take turns (interleaved()), and a
figure is a median over the rounds. ROUNDS=N asks for more rounds than each module's few.

build/bench.json gets the same with date, commit, machine, kernel, and what one fdatasync of the data's file system takes.
Exit 0 whatever the figures are; 1 where one could not be measured, or an answer was wrong."""
import datetime
import importlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
import traceback
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE.parent), str(HERE)]

import pytest                                       # noqa: E402
from lib.programs import BUILD, ROOT, program       # noqa: E402

SLOW_DISK_MS = 0.3              # above it the durable figures are also taken on a memory-backed folder
MEMORY = Path("/dev/shm")


# ---- for the modules ----

def interleaved(rounds, ways):
    """ways: {name: callable}. Calls each once a round and returns {name: [what it returned, round by round]}. Each round
    begins with another one, so that none is always the first or behind the same one."""
    names = list(ways)
    samples = {name: [] for name in names}
    for i in range(rounds):
        for j in range(len(names)):
            name = names[(i + j) % len(names)]
            samples[name].append(ways[name]())
    return samples


def median(values):
    return statistics.median(values)


def ratio(samples, name, to):
    """The median over the rounds of one to the other in the same round."""
    return statistics.median(a / b for a, b in zip(samples[name], samples[to]))


class Env:
    """What a module gets: env.rounds(usual), env.program("bench-x"), env.home (a folder, gone afterwards), env.fdatasync_ms."""

    def __init__(self, home):
        self.home = home
        self.fdatasync_ms = fdatasync_ms(home)

    @staticmethod
    def rounds(usual):
        return int(os.environ.get("ROUNDS") or usual)

    @staticmethod
    def program(name):
        """The path of a C program of this folder."""
        return program(f"tests/bench/{name}")

    @property
    def slow_disk(self):
        return self.fdatasync_ms > SLOW_DISK_MS

    @contextmanager
    def in_memory(self):
        """Folders made inside (DataDir's too) are backed by memory."""
        assert os.access(MEMORY, os.W_OK), f"{MEMORY} is not there for the memory-backed run"
        usual, tempfile.tempdir = tempfile.tempdir, str(MEMORY)
        try:
            yield
        finally:
            tempfile.tempdir = usual


# ---- where it was measured ----

def fdatasync_ms(folder, times=200):
    """The median of one page written and made durable, in milliseconds."""
    took = []
    page = os.urandom(4096)
    with tempfile.TemporaryFile(dir=folder) as f:
        for i in range(times):
            os.pwrite(f.fileno(), page, 4096 * (i % 16))
            start = time.perf_counter()
            os.fdatasync(f.fileno())
            took.append(time.perf_counter() - start)
    return 1000 * statistics.median(took)


def field_of(path, name):
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if line.split(":")[0].strip() == name:
            return line.split(":", 1)[1].strip()
    return "unknown"


def commit():
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def machine():
    model, memory = field_of("/proc/cpuinfo", "model name"), field_of("/proc/meminfo", "MemTotal")
    return f"{model}, {len(os.sched_getaffinity(0))} cores, {memory}"


# ---- one run ----

def reached(figure):
    if figure.get("goal") is None:
        return None
    how, goal = figure["goal"]
    return figure["value"] >= goal if how == ">=" else figure["value"] <= goal


def number(value):
    if value == int(value):
        return f"{int(value):,}"
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2
    return f"{value:,.{digits}f}"


def show(figure):
    verdict = {None: "", True: "reached", False: "MISSED"}[figure["reached"]]
    goal = "{} {}".format(figure["goal"][0], number(figure["goal"][1])) if figure["goal"] else ""
    value = f"{number(figure['value']):>12} {figure['unit']:<10}"
    print(f"  {figure['name']:<66} {value} {goal:<12} {verdict:<8} {figure['note']}".rstrip(), flush=True)


def run_one(name, env):
    """Returns (the figures, what went wrong or None)."""
    figures = []
    print(f"\n{name}", flush=True)
    try:
        module = importlib.import_module(f"bench_{name}")
        print(textwrap.fill(" ".join(module.METHOD.split()), 120, initial_indent="  ", subsequent_indent="  "), flush=True)
        for figure in module.figures(env):
            figure = {"bench": name, "name": "", "value": None, "unit": "", "goal": None, "note": "", **figure}
            assert figure["name"] and isinstance(figure["value"], (int, float)), f"not a figure: {figure}"
            figure["reached"] = reached(figure)
            figures.append(figure)
            show(figure)
        assert figures, "it measured nothing"
        return module.METHOD, figures, None
    except (Exception, pytest.skip.Exception) as problem:    # pylint: disable=broad-except
        traceback.print_exc()
        return "", figures, f"{type(problem).__name__}: {problem}"


def main():
    known = sorted(path.stem[len("bench_"):] for path in HERE.glob("bench_*.py"))
    names = sys.argv[1:] or known
    unknown = set(names) - set(known)
    if unknown:
        print(f"run.py: no bench of this name: {', '.join(sorted(unknown))}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    home = Path(tempfile.mkdtemp(prefix="postern-bench-"))
    try:
        env = Env(home)
        about = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "commit": commit(),
                 "machine": machine(), "kernel": platform.release(), "fdatasync_ms": round(env.fdatasync_ms, 3),
                 "rounds": os.environ.get("ROUNDS") or "usual"}
        for member, value in about.items():
            print(f"{member:<13} {value}")
        figures, methods, problems = [], {}, {}
        for name in names:
            method, got, problem = run_one(name, env)
            figures += got
            methods[name] = method
            if problem:
                problems[name] = problem
    finally:
        shutil.rmtree(home, ignore_errors=True)
    document = {**about, "methods": methods, "figures": figures, "problems": problems}
    (BUILD / "bench.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    missed = [f"{f['bench']}: {f['name']}" for f in figures if f["reached"] is False]
    made = sum(f["reached"] is True for f in figures)
    print(f"\n{len(figures)} figures, {made} goals reached, {len(missed)} missed; {BUILD / 'bench.json'}")
    for name, problem in problems.items():
        print(f"could not be measured: {name}: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
