"""postern doctor: what it says of workers that run, stopped, were killed or lie, and of the data."""
import json
import os
import struct
import time

import pytest

from lib.programs import wait_until
from lib.rawdb import RawDb
from lib.shim import Shim
from lib.worker import Worker

BOOT_SIZE = 16


def health(data, *args, env=None):
    """The document. Its exit code is what its findings say; a test's worker never runs as postern, so that is 1."""
    ran = data.run("doctor", "--json", *args, expect=1, env=env)
    assert any(c["state"] in ("warning", "wrong") for c in ran.json["checks"])
    return ran.json


def pids(data, **how):
    return [w["pid"] for w in health(data, **how)["workers"]]


def has_worker(data, worker):
    """A worker's first beat is queued when it listens; doctor's exit code is not looked at."""
    return worker.pid in [w["pid"] for w in data.ask("doctor", "--json").json["workers"]]


def worker_row(pid, beat, version=b"0.0.9", threads=4, started=1763690000):
    return struct.pack(">QQQII", beat, started, pid, threads, len(version)) + version


def test_without_a_worker_it_says_so_and_what_to_do(data):
    found = health(data)
    assert found["workers"] == [] and len(found["warnings"]) == 1 and "postern-fcgi" in found["warnings"][0]
    text = data.run("doctor", expect=1)
    assert text.out.count("No worker is running") == 1 and text.err == ""


def test_a_running_worker_is_there_and_gone_after_its_stop(data):
    before = time.time()
    with Worker(data, threads=3) as worker:
        wait_until(lambda: has_worker(data, worker), "the worker's row")
        found = health(data)
        (row,) = found["workers"]
        assert row["pid"] == worker.pid and row["threads"] == 3 and row["this_boot"] is True
        assert row["version"] == found["version"]
        assert before - 1 <= row["started_at"] <= row["beat_at"] <= time.time()
        assert found["warnings"] == []
        assert str(worker.pid) in data.run("doctor", expect=1).out
        worker.stop()
        assert pids(data) == []


def test_two_workers_are_two_rows(data):
    with Worker(data) as one, Worker(data) as two:
        wait_until(lambda: has_worker(data, one) and has_worker(data, two), "both rows")
        assert sorted(pids(data)) == sorted([one.pid, two.pid])


def test_a_killed_worker_is_late_then_lost_and_forgotten_by_the_next(data):
    shim = Shim(data, "clock")
    worker = Worker(data)
    wait_until(lambda: has_worker(data, worker), "the worker's row")
    worker.kill()
    shim["clock_offset_s"] = 25
    found = health(data, env=shim.env)
    assert [w["pid"] for w in found["workers"]] == [worker.pid]
    (late,) = found["warnings"]
    assert f"Worker {worker.pid} was last heard of" in late
    shim["clock_offset_s"] = 90
    found = health(data, env=shim.env)
    assert len(found["warnings"]) == 2 and "No worker" in found["warnings"][0] and str(worker.pid) in found["warnings"][1]
    with Worker(data, env=shim.env) as other:
        wait_until(lambda: [w["pid"] for w in data.ask("doctor", "--json", env=shim.env).json["workers"]] == [other.pid],
                   "the other's row alone")


def test_rows_that_lie_are_shown_harmless_or_not_at_all(data):
    now = int(time.time())
    with RawDb(data.path / "ledger") as db:
        for pid, row in ((77, worker_row(77, now, b"\x1b[2J\xff\xe2\x80\xae")), (78, worker_row(79, now)), (80, b"garbage"),
                         (81, worker_row(81, 2**64 - 1)), (2**63, worker_row(2**63, now))):
            db.put("workers", bytes(BOOT_SIZE) + struct.pack(">Q", pid), row)
        db.put("workers", b"\x00", worker_row(82, now))
    found = health(data)
    assert [w["pid"] for w in found["workers"]] == [77] and found["workers"][0]["this_boot"] is False
    for ran in (data.run("doctor", expect=1), data.run("doctor", "--json", expect=1)):
        assert "\x1b" not in ran.out and "\u202e" not in ran.out
        assert all(line.isprintable() for line in ran.out.splitlines())


def test_a_worker_of_another_version_is_a_warning(data):
    with Worker(data) as worker:
        wait_until(lambda: has_worker(data, worker), "the worker's row")
        with RawDb(data.path / "ledger") as db:
            ((key, row),) = db.rows("workers")
            db.put("workers", key[:BOOT_SIZE] + struct.pack(">Q", 4711), worker_row(4711, struct.unpack(">Q", row[:8])[0]))
        (warning,) = health(data)["warnings"]
        assert "Worker 4711 runs version 0.0.9" in warning


def test_records_space_and_schema(data, site):
    with Worker(data) as worker:
        wait_until(lambda: has_worker(data, worker), "the worker's row")
        found = health(data)
    count = len(data.audit_lines())
    assert found["log"] == {"records": count, "records_1h": count, "records_24h": count, "checkpoint": None}
    assert (found["vault"]["schema"], found["ledger"]["schema"]) == (1, 3)
    for env in ("vault", "ledger"):
        stat = os.stat(data.path / env / "data.mdb")
        assert 0 < found[env]["used_bytes"] <= stat.st_size
        assert found[env]["used_bytes"] < found[env]["limit_bytes"]
        assert found[env]["readers"]["max"] == 1024 and found[env]["readers"]["behind"] == 0
    assert found["ledger"]["seconds_left"] > 86400
    text = data.run("doctor", expect=1).out
    assert f"records     {count}; {count} in the last hour" in text
    shim = Shim(data, "clock")
    shim["clock_offset_s"] = 7200
    assert health(data, env=shim.env)["log"]["records_1h"] == 0
    assert health(data, env=shim.env)["log"]["records_24h"] == count
    shim["clock_offset_s"] = 2 * 86400
    found = health(data, env=shim.env)
    assert found["log"]["records_24h"] == 0 and found["ledger"]["seconds_left"] is None


def test_the_last_checkpoint_is_told(data):
    with RawDb(data.path / "vault") as db:
        for size in (3, 300, 20):
            db.put("checkpoints", struct.pack(">QQ", 0, size), struct.pack(">QI", 1763690000, 4) + b"note")
    assert health(data)["log"]["checkpoint"] == 300
    assert "of 300 records" in data.run("doctor", expect=1).out


def test_a_key_in_use_that_ends_is_a_warning(data, site, http):
    old, token = site.kid, site.token(ttl=600)
    site.rotate("--grace", "2h")
    assert http.identity(site.name, token).status == 200

    def warned():
        return any(old in w and "postern key check acme" in w for w in data.ask("doctor", "--json").json["warnings"])
    wait_until(warned, "the use to be counted")


def test_tokens_without_exp_are_counted_by_site(data):
    action = {"name": "mine", "title": "Mine", "description": "Mine.", "access": "personal", "effect": "read",
              "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
              "connector": {"type": "documents", "collection": "notes", "operation": "list"}}
    site = data.add_site("acme", actions={"actions": [action]})

    def run(**claims):
        data.run("action", "run", "acme", "mine", "--token-file", data.file("token", site.token(**claims)))
    run()
    assert health(data)["expiry_missing"] == {}
    assert "no recent token that require_exp would block" in data.run("doctor", expect=1).out
    run(exp=None)
    run(exp=None)
    assert health(data)["expiry_missing"] == {"acme": 2}
    assert "recent tokens that require_exp would block: acme 2\n" in data.run("doctor", expect=1).out
    data.run("site", "set", "acme", "--require-exp")
    assert health(data)["expiry_missing"] == {}


def test_it_changes_nothing(data, site):
    def files():
        return {p.name: p.read_bytes() for p in data.path.rglob("*") if p.is_file() and p.name != "lock.mdb"}
    before = files()
    data.run("doctor", expect=1)
    data.run("doctor", "--json", expect=1)
    assert files() == before


@pytest.mark.parametrize("args", [["now"], ["--yes"], ["--match", "x"], ["--socket"]])
def test_it_takes_no_operand_and_no_option_of_its_own(data, args):
    data.run("doctor", *args, expect=2)


def test_the_document_is_one_line_of_json_and_nothing_else(data):
    ran = data.run("doctor", "--json", expect=1)
    assert ran.out.count("\n") == 1 and isinstance(json.loads(ran.out), dict) and ran.err == ""
