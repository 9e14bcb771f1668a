"""Retention and erasure: what goes is gone, what stays is proved as before, and no crash on the way makes a lie of it."""
import json
import random
import stat
import subprocess
import time

import pytest

from lib import audit, notes
from lib.datadir import DataDir
from lib.programs import environment, program
from lib.rawdb import RawDb
from lib.worker import Worker

pytestmark = pytest.mark.tree("sanitized")

AHEAD = "2099-01-01T00:00:00Z"
ALEX, JORDAN = "alex@example.com", "jordan@example.com"
PHRASE = "a phrase that stands nowhere else"
BUNDLE = 256


@pytest.fixture
def data():
    with DataDir() as d:
        d.check_lines = False          # they do not begin with 0 any more: each test looks at its own
        d.add_site(notes.SITE, actions=notes.ACTIONS)
        yield d


def write_notes(worker, count, token=None, text="text"):
    """That many records, on one connection."""
    name = "create_note" if token else "leave_note"
    env, body = notes.request_for(name, {"text": text}, token)
    with worker.connect() as c:
        for _ in range(count):
            assert c.ask(env, body, keep=True).answer.check().status == 200


def verified(data, *what):
    ran = data.ask("audit", "verify", *what)
    assert ran.code == 0 and ran.out.startswith("verified"), str(ran)
    return ran


def prune(data, *options, expect=0):
    return data.run("audit", "prune", "--before", AHEAD, "--yes", *options, expect=expect)


def check_lines(data, lines):
    for line in lines:
        audit.check_line(line, json.loads(line)["seq"])


# ---- prune ----

def test_what_was_pruned_and_what_is_left_are_the_whole_log(data):
    with Worker(data, "--audit-budget", "0") as worker:
        write_notes(worker, 700)
        before = data.audit_lines()
        data.run("audit", "checkpoint")
        archive = data.home / "archive.jsonl"
        done = prune(data, "--archive", archive, "--json").json
        write_notes(worker, 10)
    assert done["first"] == 0 and done["next"] == len(before) // BUNDLE * BUNDLE and done["archived"]
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    verified(data)
    verified(data, archive)
    archived = archive.read_text(encoding="utf-8").splitlines()[:done["next"]]
    left = data.audit_lines()
    assert archived + left[:len(before) - done["next"]] == before
    check_lines(data, left)
    assert [r["outcome"] for r in map(json.loads, left) if r.get("detail", {}).get("change") == "prune"] == ["intended", "done"]
    data.run("audit", "checkpoint")
    assert f"the log begins with {done['next']}" in data.run("audit", "show", 3, expect=1).err
    assert f"{done['next']} before them pruned" in data.ask("doctor").out
    proof = data.run("audit", "prove", done["next"]).out
    assert proof.startswith("c2sp.org/tlog-proof")
    data.run("audit", "prove", "0", expect=1)


def test_the_second_archive_goes_on_where_the_first_ended(data):
    with Worker(data, "--audit-budget", "0") as worker:
        for name in ("one", "two"):
            write_notes(worker, 300)
            data.run("audit", "checkpoint")
            prune(data, "--archive", data.home / name)
    for name in ("one", "two"):
        verified(data, data.home / name)
    assert (data.home / "two").read_text(encoding="utf-8").startswith('{"export":1,"first":256,')


def test_nothing_goes_without_a_checkpoint(data):
    with Worker(data, "--audit-budget", "0") as worker:
        write_notes(worker, 300)
    before = data.audit_lines()
    ran = prune(data, "--archive", data.home / "archive", expect=1)
    assert "checkpoint" in ran.err and not (data.home / "archive").exists()
    assert data.audit_lines() == before


def test_young_records_stay_by_default_and_then_no_archive_is_left(data):
    with Worker(data, "--audit-budget", "0") as worker:
        write_notes(worker, 300)
    data.run("audit", "checkpoint")
    assert data.run("audit", "prune", "--yes", "--archive", data.home / "archive", "--json").json["records"] == 0
    assert not (data.home / "archive").exists()
    assert json.loads(data.audit_lines()[0])["seq"] == 0


def test_an_archive_is_a_new_file_and_somebody_must_agree(data):
    data.file("there", "precious")
    prune(data, "--archive", data.home / "there", expect=2)
    assert (data.home / "there").read_text(encoding="utf-8") == "precious"
    prune(data, "--archive", data.home / "none" / "archive", expect=3)
    assert data.run("audit", "prune", expect=2).err.count("--yes") == 1


def test_identities_go_by_their_own_time(data):
    site = data.sites[notes.SITE]
    with Worker(data, "--audit-budget", "0") as worker:
        write_notes(worker, 1, site.token(email=ALEX))
    data.run("audit", "checkpoint")
    assert data.run("audit", "prune", "--yes", "--json").json["identities"] == 0
    assert data.run("audit", "prune", "--yes", "--identities-before", AHEAD, "--json").json == {
        "archived": False, "first": 0, "identities": 1, "next": 0, "records": 0}
    with RawDb(data.path / "ledger") as db:
        assert db.rows("identities") == []
    verified(data)


def killed(data, seconds, *args):
    """Runs a command and kills it after so long; was it in time?"""
    with subprocess.Popen([program("postern"), *map(str, args), "--data", str(data.path)], env=environment(),
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(seconds)                        # the moment of the kill is what varies
        process.kill()
        return process.wait() != 0


def test_a_prune_that_is_killed_anywhere_leaves_a_log_that_verifies(data):
    cut = 0
    with Worker(data, "--audit-budget", "0") as worker:
        write_notes(worker, 3000)
        data.run("audit", "checkpoint")
        start = time.monotonic()
        prune(data, "--archive", data.home / "archive")
        whole = time.monotonic() - start
        for n in range(25):
            write_notes(worker, BUNDLE)
            data.run("audit", "checkpoint")
            cut += killed(data, random.uniform(0.1, 0.9) * whole, "audit", "prune", "--before", AHEAD, "--yes",
                          "--archive", data.home / f"archive-{n}")
            verified(data)
    assert cut > 3
    data.run("audit", "checkpoint")
    prune(data)
    verified(data)
    with RawDb(data.path / "ledger") as db:
        first = int.from_bytes(min(key for key, _ in db.rows("records")), "big")
    assert first % BUNDLE == 0 and first == json.loads(data.audit_lines()[0])["seq"] >= 3000
    # what went before it is in an archive that is whole, or nowhere: none is taken for whole that is not
    for n in range(25):
        archive = data.home / f"archive-{n}"
        if archive.exists() and "\n\N{EM DASH} postern/" in archive.read_text(encoding="utf-8"):
            verified(data, archive)


# ---- erase ----

def test_a_person_is_forgotten_and_the_log_stays_what_it_was(data):
    site = data.sites[notes.SITE]
    alex, jordan = site.token(email=ALEX), site.token(email=JORDAN)
    with Worker(data, "--audit-budget", "0") as worker:
        write_notes(worker, 3, alex, PHRASE)
        write_notes(worker, 2, jordan)
    before = data.audit_lines()
    with RawDb(data.path / "ledger") as db:
        kept = dict(db.rows("identities"))
    assert len(kept) == 2
    done = data.run("audit", "erase", notes.SITE, "--email", ALEX, "--documents", "--yes", "--json")
    assert done.json == {"documents": 3, "identity": True, "pins": 0, "site": notes.SITE} and "postern compact" in done.err
    with RawDb(data.path / "ledger") as db:
        left = dict(db.rows("identities"))
        assert len(left) == 1 and len(db.rows("documents")) == 2
    data.run("audit", "checkpoint")
    verified(data)
    lines = data.audit_lines()
    assert lines[:len(before)] == before
    audit.check_lines(lines, data.secrets, data.emails)
    shown = {r["identity"]["email"] if r["identity"] else None
             for r in map(json.loads, data.run("audit", "export", "--with-identity").out.splitlines()) if "subject" in r}
    assert shown == {None, JORDAN}

    data.run("compact")
    file = (data.path / "ledger" / "data.mdb").read_bytes()
    gone = next(row for key, row in kept.items() if key not in left)
    assert PHRASE.encode() not in file and gone not in file and ALEX.encode() not in file
    assert next(iter(left.values())) in file
    verified(data)


def test_erasing_who_never_was_says_so(data):
    assert data.run("audit", "erase", notes.SITE, "--email", ALEX, "--yes", "--json").json == {
        "documents": 0, "identity": False, "pins": 0, "site": notes.SITE}
    data.run("audit", "erase", notes.SITE, "--email", "nobody", "--yes", expect=1)
    data.run("audit", "erase", "nope", "--email", ALEX, "--yes", expect=1)
    data.run("audit", "erase", notes.SITE, "--yes", expect=2)
    data.run("audit", "erase", notes.SITE, "--email", ALEX, expect=2)
