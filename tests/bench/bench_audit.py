"""bench_audit.py -- the audit log: append, export, verify, and the first page of a filtered listing."""
import json
import os
import subprocess
import tempfile
import time

from lib.datadir import DataDir
from lib.programs import environment, program
from run import interleaved, median

METHOD = """
A log of the 20 sites that tests/bench/bench-audit.c makes up (one site with half of the records, one
with 1 in 256; 3 in 100 blocked). Append: a new log each round, 200,000 records through the group-commit writer, 4,096 in flight
so that its batches are full, with the data's own fdatasync. Export and verify: the programs as they are, over 1,000,000 records,
to /dev/null; verify with a checkpoint signed beforehand. Listing: the newest 50 records of the rarest site that are blocked, those
of a visitor last seen in the oldest tenth of the log, and those of somebody never seen, over 1,000,000 records, or with SLOW=1
over 10,000,000 (that log takes two minutes to build, or more, and 4.5 GB); the time of the whole program, once after the file was
dropped from memory (cold), and in the median of the rounds."""

APPEND = 200_000
READ = 1_000_000
LARGE = 10_000_000
LISTINGS = {"rarest site, blocked": ["--site", "shop-19", "--outcome", "blocked"],
            "one visitor, long ago": ["--site", "shop-19", "--email", "alex@example.com"],
            "a visitor never seen": ["--site", "shop-19", "--email", "nobody@example.com"]}


class BigLog(DataDir):
    """Not looked at line by line when it ends: that would take longer than what is measured."""

    def check_audit(self):
        pass


def log(data, env, how, count):
    """Fills data's log; returns (records a second, commits)."""
    for i in range(20):
        data.run("site", "add", f"shop-{i}")
    done = subprocess.run([env.program("bench-audit"), how, str(data.path), str(count)], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    return made["records"] / made["seconds"], made["commits"]


def seconds(data, *args, out=subprocess.DEVNULL):
    start = time.perf_counter()
    done = subprocess.run([program("postern"), *args, "--data", str(data.path)], stdout=out, stderr=subprocess.PIPE, check=False,
                          env=environment())
    took = time.perf_counter() - start
    assert done.returncode == 0, done.stderr.decode()
    return took


def exported(data):
    """(records, bytes) of an export, read and counted."""
    with tempfile.TemporaryFile() as f:
        seconds(data, "audit", "export", "--format", "jsonl", out=f)
        f.seek(0)
        count = sum(1 for _ in f)
        return count, f.tell()


def append(env):
    rates, commits = [], 0
    for _ in range(env.rounds(3)):
        with BigLog() as data:
            rate, commits = log(data, env, "append", APPEND)
            rates.append(rate)
    return median(rates), APPEND / commits


def listed(data, args):
    """How many records the page has."""
    return len(data.run("audit", "list", *args, "--json").json)


def drop_pages(data):
    """The ledger's file is no longer in memory."""
    subprocess.run(["sync"], check=False)
    with open(data.path / "ledger" / "data.mdb", "rb") as f:
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def listings(env, data, count):
    size = f"{count // 1_000_000} M records"
    for name, args in LISTINGS.items():
        drop_pages(data)
        cold = seconds(data, "audit", "list", *args)
        warm = [seconds(data, "audit", "list", *args) for _ in range(env.rounds(7))]
        yield {"name": f"first page, {name}, {size}", "value": 1000 * median(warm), "unit": "ms", "goal": ("<=", 100),
               "note": f"a page of {listed(data, args)}"}
        yield {"name": f"first page, {name}, {size}, cold", "value": 1000 * cold, "unit": "ms",
               "note": "the file was not in memory"}


def figures(env):
    rate, filled = append(env)
    yield {"name": "append", "value": rate, "unit": "records/s", "goal": (">=", 60_000), "note": f"{filled:.0f} records a commit"}
    if env.slow_disk:
        with env.in_memory():
            rate, filled = append(env)
        yield {"name": "append, memory-backed", "value": rate, "unit": "records/s", "goal": (">=", 60_000),
               "note": f"{filled:.0f} records a commit"}
    with BigLog() as data:
        log(data, env, "build", READ)
        data.run("audit", "checkpoint")
        count, size = exported(data)
        assert count >= READ and f"verified: {count} records" in data.run("audit", "verify").out, "the log is not whole"
        ways = {"export jsonl": lambda: READ / seconds(data, "audit", "export", "--format", "jsonl"),
                "verify": lambda: READ / seconds(data, "audit", "verify")}
        for name, rates in interleaved(env.rounds(3), ways).items():
            yield {"name": name, "value": median(rates), "unit": "records/s", "goal": (">=", 400_000),
                   "note": f"lines of {size / count:.0f} bytes"}
        if not os.environ.get("SLOW"):
            yield from listings(env, data, READ)
    if os.environ.get("SLOW"):
        with BigLog() as data:
            rate, _ = log(data, env, "build", LARGE)
            yield {"name": "the log of 10 M records was built in", "value": LARGE / rate, "unit": "s"}
            yield from listings(env, data, LARGE)
