"""postern audit export: its forms, the place it goes on from, following, and what proves it."""
import base64
import csv
import ctypes
import hashlib
import io
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import time

import pytest

from lib import audit
from lib.programs import environment, program, wait_until
from lib.rawdb import RawDb, Val
from lib.rawlog import put_lines

pytestmark = pytest.mark.tree("sanitized")

NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}
ACTIONS = {"actions": [
    {"name": "mine", "title": "Mine", "description": "Mine.", "access": "personal", "effect": "read",
     "parameters": NOTHING, "connector": {"type": "documents", "collection": "notes", "operation": "list"}}]}
FORMS = ("jsonl", "csv", "ecs", "cef")
HOSTILE = ["not a record \x1b[2J", '{"site":"acme",\n"event":"\\u001b[31m"}', "[1,2]", "", '{"seq":1,"seq":2}',
           '{"site":"a\\"b|c=d\\\\e]f,g","action":"=1+1","actor":"-:root","kid":"\\n=1","reason":"x|y=z\\\\","outcome":"\\u202e"}',
           '{"seq":99,"time":-5,"site":7,"status":"200","detail":"text","unknown":{"a":[1]}}']


@pytest.fixture
def acme(data):
    site = data.add_site("acme", actions=ACTIONS)
    for email in ("alex@example.com", "jordan@example.com"):
        data.run("action", "run", "acme", "mine", "--token-file", data.file("t", site.token(email=email)))
    data.run("action", "run", "acme", "mine", "--token-file", data.file("t", "nonsense"), expect=1)
    checkpoint(data)
    return site


def checkpoint(data):
    """The log gets its name and a checkpoint of all there is."""
    return data.run("audit", "export", "--checkpoint").out


def record(seq, **members):
    return audit.canonical({"event": "action", "id": "01JD4ZK2M3N4P5Q6R7S8T9V0WX", "outcome": "done", "seq": seq,
                            "site": "acme", "time": 1763690000000000 + seq, "v": 1, **members})


def hostile(data):
    data.check_lines = False
    data.run("site", "add", "acme")
    checkpoint(data)
    put_lines(data, {2 + i: line for i, line in enumerate(HOSTILE)})


def leaf(line):
    return hashlib.sha256(b"\0" + (line.encode() if isinstance(line, str) else line)).digest()


def test_attack_an_index_that_hides_records(acme):
    """As a worker that was taken over can write it: well formed, and of none of the first 4,096 records. What leaves the host has them."""
    lines = acme.data.audit_lines()
    first = len(lines)
    acme.data.check_lines = False
    put_lines(acme.data, {seq: record(seq) for seq in range(first, 4097)})
    with RawDb(acme.data.path / "ledger") as db:
        db.put("index", bytes(8), bytes(8) + b"\xff" * 8 + bytes(4))
    assert json.loads(acme.data.run("audit", "list", "--site", "acme", "--outcome", "blocked", "--json").out) == []
    blocked = [line for line in lines if '"outcome":"blocked"' in line]
    assert len(blocked) == 1
    assert acme.data.run("audit", "export", "--site", "acme", "--outcome", "blocked").out.splitlines() == blocked
    assert json.loads(acme.data.run("audit", "export", "--site", "acme", "--outcome", "blocked", "--json").out) == [json.loads(blocked[0])]


# ---- the forms ----

def read_csv(text):
    assert text.endswith("\r\n") and text.count("\n") == text.count("\r\n")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def csv_value(name, cell):
    """What the member was: the rules of export-csv.c, the other way round."""
    cell = cell[1:] if cell.startswith("'") else cell
    if name in ("ignored", "detail") or cell.startswith('"'):
        return json.loads(cell)
    return int(cell) if name in ("seq", "time", "status", "duration_ms", "count", "first", "last", "v") else cell


def from_csv(row):
    """The record a row was made of."""
    members = {name: csv_value(name, cell) for name, cell in row.items()
               if cell and name not in ("origin", "leaf_hash", "time_utc", "other", "email", "name")}
    other = json.loads(row["other"]) if row["other"] else {}
    return other if isinstance(other, str) else {**members, **other}


def parse_cef(line):
    """The seven headers, and the extension as a dict: the rules of the format, nothing of ours."""
    parts = re.split(r"(?<!\\)(?:\\\\)*\|", line, maxsplit=7)
    assert len(parts) == 8 and parts[0] == "CEF:0", line
    pairs = re.split(r"(?:^| )([A-Za-z0-9]+)(?<!\\)=", parts[7])
    assert pairs[0] == "", line
    names, values = pairs[1::2], pairs[2::2]
    assert len(set(names)) == len(names), line
    return parts[:7], {n: re.sub(r"\\([\\=nr])", lambda m: {"n": "\n", "r": "\r"}.get(m[1], m[1]), v)
                       for n, v in zip(names, values)}


def test_csv_gives_back_every_record(acme):
    records = [json.loads(line) for line in acme.data.audit_lines()]
    rows = read_csv(acme.data.run("audit", "export", "--format", "csv").out)
    assert [from_csv(row) for row in rows] == records
    assert [row["leaf_hash"] for row in rows] == [leaf(line).hex() for line in acme.data.audit_lines()]
    assert all(row["time_utc"].endswith("Z") and row["other"] == "" for row in rows)


def test_csv_of_hostile_rows_loses_nothing_and_is_no_formula(data):
    hostile(data)
    text = data.run("audit", "export", "--after", 1, "--format", "csv").out
    assert len(text.splitlines()) == 1 + len(HOSTILE) and "\x1b" not in text and "\u202e" not in text
    rows = read_csv(text)
    assert [row["leaf_hash"] for row in rows] == [leaf(line).hex() for line in HOSTILE]
    assert [row["seq"] for row in rows] == [str(2 + i) for i in range(len(HOSTILE))]
    for line, row in zip(HOSTILE, rows):
        assert not any(cell.startswith(tuple("=+-@\t\r")) for cell in row.values())
        found = from_csv(row)
        try:
            expected = json.loads(line, object_pairs_hook=lambda p: dict(p) if len(dict(p)) == len(p) else 1 / 0)
        except (ValueError, ZeroDivisionError):
            expected = line
        if isinstance(expected, dict):
            found = {n: v for n, v in found.items() if n in expected}      # seq is the row's, whatever the line says
        assert found == (expected if isinstance(expected, dict) else line), line


def test_ecs_says_who_what_and_whether(acme):
    lines = acme.data.audit_lines()
    found = [json.loads(line) for line in acme.data.run("audit", "export", "--format", "ecs").out.splitlines()]
    assert [f["event"]["sequence"] for f in found] == list(range(len(lines)))
    assert [f["event"]["hash"] for f in found] == [leaf(line).hex() for line in lines]
    for seq, (line, e) in enumerate(zip(lines, found)):
        r = json.loads(line)
        assert e["event"]["outcome"] == {"done": "success", "intended": "unknown"}.get(r["outcome"], "failure")
        assert e.get("user", {}).get("hash") == r.get("subject") and e["postern"]["site"] == r["site"]
        assert e["transaction"]["id"] == r["id"] and e["event"]["id"] == f"{e['postern']['origin']}/{seq}"
        assert e["event"].get("reason") == r.get("reason") and "ip" not in e.get("source", {})
    blocked = found[-1]["event"]
    assert blocked["category"] == ["api", "authentication"] and blocked["type"] == ["access", "denied"]
    made = next(f for f in found if f["postern"]["event"] == "key")
    assert made["event"]["category"] == ["iam"] and made["event"]["action"] == "key-create"


def test_cef_is_read_by_its_own_rules(acme):
    lines = acme.data.audit_lines()
    for seq, (line, row) in enumerate(zip(lines, acme.data.run("audit", "export", "--format", "cef").out.splitlines())):
        r, (head, ext) = json.loads(line), parse_cef(row)
        assert head[1:3] == ["Postern", "postern"] and head[4] == r.get("reason", r["outcome"])
        assert head[5] == f"{r['event']} {r['outcome']}" and 0 <= int(head[6]) <= 10
        assert ext["externalId"] == str(seq) and ext["cs5"] == leaf(line).hex() and ext["rt"] == str(r["time"] // 1000)
        assert ext["cs1"] == r["site"] and json.loads(ext.get("cs6", "null")) == r.get("detail")


@pytest.mark.parametrize("form", ("ecs", "cef"))
def test_hostile_rows_are_one_harmless_line_each(data, form):
    hostile(data)
    rows = data.run("audit", "export", "--after", 1, "--format", form).out.split("\n")
    assert len(rows) == len(HOSTILE) + 1 and rows[-1] == ""
    assert not any(ord(c) < 32 or c == "\u202e" for row in rows for c in row)
    for line, row in zip(HOSTILE, rows):
        if form == "ecs":
            assert json.loads(row)["event"]["hash"] == leaf(line).hex()
        else:
            assert parse_cef(row)[1]["cs5"] == leaf(line).hex()


def test_every_form_has_the_same_rows_under_every_filter(acme):
    for args in ([], ["--site", "acme"], ["--reason", "token_malformed"], ["--after", 3], ["--outcome", "done"], ["--since", "-1h"],
                 ["--until", "-1h"], ["--kid", acme.kid], ["--site", "acme", "--email", "alex@example.com"]):
        seqs = [r["seq"] for r in map(json.loads, acme.data.run("audit", "export", *args).out.splitlines())]
        rows = read_csv(acme.data.run("audit", "export", "--format", "csv", *args).out)
        assert [int(r["seq"]) for r in rows] == seqs, args
        ecs = acme.data.run("audit", "export", "--format", "ecs", *args).out.splitlines()
        assert [json.loads(e)["event"]["sequence"] for e in ecs] == seqs, args
        cef = acme.data.run("audit", "export", "--format", "cef", *args).out.splitlines()
        assert [int(parse_cef(e)[1]["externalId"]) for e in cef] == seqs, args


def test_identities_join_in_every_form_and_the_record_says_in_which(acme):
    def emails(form):
        out = acme.data.run("audit", "export", "--format", form, "--with-identity", "--action", "mine", "--outcome", "done").out
        if form == "csv":
            return [row["email"] for row in read_csv(out)]
        if form == "cef":
            return [parse_cef(row)[1]["suser"] for row in out.splitlines()]
        return [json.loads(row)["identity" if form == "jsonl" else "user"]["email"] for row in out.splitlines()]
    for form in FORMS:
        assert emails(form) == ["alex@example.com", "jordan@example.com"], form
        assert acme.data.audit(event="audit")[-1]["detail"]["format"] == form


def test_a_fresh_log_is_exported_in_every_form(data):
    data.run("site", "add", "acme")
    for form in FORMS:
        assert len(data.run("audit", "export", "--format", form).out.splitlines()) == 2 + (form == "csv"), form


def test_what_does_not_go_together_is_exit_2(acme):
    for args in (["--format", "xml"], ["--format", "CSV"], ["--format", ""],
                 ["--checkpoint", "--site", "acme"], ["--checkpoint", "--since", "-1h"], ["--checkpoint", "--until", "-1h"],
                 ["--checkpoint", "--outcome", "done"], ["--checkpoint", "--reason", "token_expired"],
                 ["--checkpoint", "--action", "mine"], ["--checkpoint", "--kid", acme.kid],
                 ["--checkpoint", "--remote", "203.0.113.7"], ["--checkpoint", "--with-identity"], ["--checkpoint", "--proofs"],
                 ["--checkpoint", "--follow"], ["--checkpoint", "--json"], ["--checkpoint", "--format", "csv"],
                 ["--proofs", "--follow"], ["--proofs", "--json"], ["--proofs", "--with-identity"], ["--proofs", "--format", "ecs"],
                 ["--state", "s", "--after", "1"], ["--state", "s", "--since", "-1h"], ["--state", "s", "--until", "-1h"],
                 ["--follow", "--until", "2100-01-01"], ["--follow", "--with-identity"], ["--follow", "--json"],
                 ["--format", "csv", "--json"], ["--site", "acme", "--email", "a@b.example", "--checkpoint"]):
        ran = acme.data.ask("audit", "export", *args)
        assert ran.code == 2 and ran.out == "", args
    assert not os.path.exists("s")


# ---- the place it goes on from ----

def state_of(path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("form", FORMS)
def test_a_state_skips_nothing_and_repeats_nothing(acme, form):
    path, rows = acme.data.home / "state", []
    for i in range(4):
        out = acme.data.run("audit", "export", "--format", form, "--state", path).out.splitlines()
        rows += out[1:] if form == "csv" else out
        size = len(acme.data.audit_lines())
        assert state_of(path)["after"] == size - 1 and oct(path.stat().st_mode & 0o777) == "0o600"
        for _ in range(i):
            acme.data.run("site", "set", "acme", "--name", "A")
    rows += acme.data.run("audit", "export", "--format", form, "--state", path).out.splitlines()[form == "csv":]
    assert rows == acme.data.run("audit", "export", "--format", form).out.splitlines()[form == "csv":]


def test_a_state_counts_what_a_filter_passed_over(acme):
    path = acme.data.home / "state"
    assert len(acme.data.run("audit", "export", "--reason", "token_malformed", "--state", path).out.splitlines()) == 1
    assert state_of(path)["after"] == len(acme.data.audit_lines()) - 1
    assert acme.data.run("audit", "export", "--reason", "token_malformed", "--state", path).out == ""


def test_a_state_that_does_not_fit_is_refused_and_left_alone(acme):
    data, path = acme.data, acme.data.home / "state"
    data.run("audit", "export", "--state", path)
    good = state_of(path)
    for content, word in (("", "no state"), ("{}", "no state"), ("17", "no state"), ("[]", "no state"), ('{"after":1}', "no state"),
                          (json.dumps({**good, "after": -1}), "no state"), (json.dumps({**good, "after": "1"}), "no state"),
                          (json.dumps({**good, "after": 1.5}), "no state"), (json.dumps({**good, "more": 1}), "no state"),
                          (json.dumps({**good, "after": 10 ** 18}), "no state"), (json.dumps(good)[:-1], "no state"),
                          ("x" * 5000, "no state"), (json.dumps({**good, "after": good["after"] + 1}), "rolled back"),
                          (json.dumps({**good, "origin": "postern/other/1"}), "belongs to the log"),
                          (json.dumps({**good, "origin": "\x1b[2J"}), "belongs to the log")):
        path.write_text(content, encoding="utf-8")
        ran = data.run("audit", "export", "--state", path, expect=3)
        assert ran.out == "" and word in ran.err and "\x1b" not in ran.err, content
        assert path.read_text(encoding="utf-8") == content
        assert data.run("audit", "export", "--follow", "--state", path, expect=3).out == ""


def test_a_state_that_cannot_be_kept_is_found_out_before_anything_is_printed(acme):
    data = acme.data
    for path in (data.home / "missing" / "state", data.home):
        ran = data.run("audit", "export", "--state", path, expect=3)
        assert ran.out == "" and str(path) in ran.err
    (data.home / "link").symlink_to(data.home / "t")
    assert data.run("audit", "export", "--state", data.home / "link", expect=3).out == ""


def test_two_exports_do_not_go_on_from_one_state(acme):
    path = acme.data.home / "state"
    with Export(acme.data, "--follow", "--state", path) as f:
        f.lines_until(lambda lines: len(lines) == len(acme.data.audit_lines()))
        ran = acme.data.run("audit", "export", "--state", path, expect=3)
        assert ran.out == "" and "in use" in ran.err
        assert f.end() == 0
    assert acme.data.run("audit", "export", "--state", path).out == ""


@pytest.mark.parametrize("sink", ("full", "closed"))
def test_what_could_not_be_written_is_exported_again(acme, sink):
    path = acme.data.home / "state"
    for state in ([], ["--state", path]):
        for form in FORMS:
            command = [program("postern"), "audit", "export", "--format", form, *map(str, state), "--data", str(acme.data.path)]
            if sink == "full":
                with open("/dev/full", "wb") as out:
                    ran = subprocess.run(command, env=environment(), stdout=out, stderr=subprocess.PIPE, timeout=30, check=False)
                code, err = ran.returncode, ran.stderr
            else:
                read_end, write_end = os.pipe()
                os.close(read_end)
                with os.fdopen(write_end, "wb") as out:
                    ran = subprocess.run(command, env=environment(), stdout=out, stderr=subprocess.PIPE, timeout=30, check=False)
                code, err = ran.returncode, ran.stderr
            assert code == 3 and b"standard output" in err, form
            assert not path.exists()
    assert len(acme.data.run("audit", "export", "--state", path).out.splitlines()) == len(acme.data.audit_lines())


ROWS = 12000


@pytest.fixture
def big(data):
    """A log of many records."""
    data.check_lines = False
    data.run("site", "add", "acme")
    checkpoint(data)
    put_lines(data, {seq: record(seq, action="a" * 60) for seq in range(2, ROWS)})
    return data


def run_and_kill(data, at, *args):
    """An export that is killed once so many bytes of it were read; None: never. Returns (it ended well, all it wrote)."""
    run = subprocess.Popen([program("postern"), "audit", "export", *map(str, args), "--data", str(data.path)],
                           env=environment(), stdout=subprocess.PIPE)
    out = run.stdout.read(at)
    if at is not None:
        run.kill()
    out += run.stdout.read()
    run.stdout.close()
    return run.wait(20) == 0, out


def seqs_in(out):
    """Of whole lines only."""
    return [json.loads(line)["seq"] for line in out.split(b"\n")[:-1]]


def test_killed_again_and_again_an_export_skips_nothing_and_repeats_nothing(big):
    state, kept, killed = big.home / "state", [], 0
    for kill_at in (1, 100000, 1000000, 2000000, None, None):
        whole, out = run_and_kill(big, kill_at, "--state", state)
        killed += not whole
        if whole:
            kept += seqs_in(out)
        else:
            assert not state.exists()
    assert kept == list(range(ROWS)) and killed == 4


def test_killed_again_and_again_following_skips_nothing(big):
    state, reached = big.home / "state", -1
    for kill_at in (1, 300000, 1000000, 1, 1500000, 1):
        _, out = run_and_kill(big, kill_at if reached < ROWS - 1 else 0, "--follow", "--state", state)
        seqs = seqs_in(out)
        if seqs:
            assert seqs == list(range(seqs[0], seqs[-1] + 1)) and seqs[0] <= reached + 1
            reached = max(reached, seqs[-1])
        assert not state.exists() or state_of(state)["after"] <= reached
    saved = state_of(state)["after"] if state.exists() else -1
    rest = seqs_in(big.run("audit", "export", "--state", state).out.encode())
    assert saved <= reached and rest == list(range(saved + 1, ROWS))
    assert state_of(state)["after"] == ROWS - 1


# ---- following ----

class Export:
    """A running `postern audit export`, and what it printed so far."""

    def __init__(self, data, *args):
        self.process = subprocess.Popen([program("postern"), "audit", "export", *map(str, args), "--data", str(data.path)],
                                        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.out = b""

    def __enter__(self):
        return self

    def take(self):
        self.out += self.process.stdout.read() or b""
        return self.out.split(b"\n")[:-1]

    def lines_until(self, enough):
        return wait_until(lambda: (lambda lines: lines if enough(lines) else None)(self.take()), "lines", 20)

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        code = self.process.wait(20)
        self.take()
        return code

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def is_ready(follower):
    """Its signals are caught: it follows."""
    def caught():
        with open(f"/proc/{follower.process.pid}/status", encoding="utf-8") as f:
            mask = int(re.search(r"SigCgt:\s*(\w+)", f.read())[1], 16)
        return mask >> (signal.SIGTERM - 1) & 1
    wait_until(caught, "the follower", 20)


@pytest.mark.parametrize("form", FORMS)
def test_following_shows_each_record_within_300_ms_in_every_form(acme, form):
    late = []
    with Export(acme.data, "--follow", "--format", form, "--after", len(acme.data.audit_lines()) - 1) as f:
        head = 1 if form == "csv" else 0
        is_ready(f)
        for i in range(5):
            acme.data.run("site", "set", "acme", "--name", "A")
            done = time.monotonic()
            f.lines_until(lambda lines, n=2 * i + 2: len(lines) == head + n)
            late.append(time.monotonic() - done)
        assert f.end() == 0
    assert sorted(late)[len(late) // 2] < 0.3, late
    everything = acme.data.run("audit", "export", "--format", form, "--after", len(acme.data.audit_lines()) - 11).out
    assert f.out == everything.encode()


def test_following_keeps_its_place_and_goes_on(acme):
    data, path = acme.data, acme.data.home / "state"
    with Export(data, "--follow", "--state", path) as f:
        count = len(data.audit_lines())
        f.lines_until(lambda lines: len(lines) == count)
        wait_until(lambda: path.exists() and state_of(path)["after"] == count - 1, "the state")
        data.run("site", "set", "acme", "--name", "A")
        f.lines_until(lambda lines: len(lines) == count + 2)
        assert f.end(signal.SIGINT) == 0
    assert state_of(path)["after"] == count + 1
    data.run("site", "set", "acme", "--name", "B")
    with Export(data, "--follow", "--state", path) as f:
        assert [json.loads(line)["seq"] for line in f.lines_until(lambda lines: len(lines) == 2)] == [count + 2, count + 3]
        assert f.end() == 0


def test_following_begins_now_unless_told_otherwise(acme):
    data = acme.data
    with Export(data, "--follow", "--site", "acme") as f:
        is_ready(f)
        count = len(data.audit_lines())
        data.run("site", "add", "third")
        data.run("site", "set", "acme", "--name", "A")
        assert [json.loads(line)["seq"] for line in f.lines_until(lambda lines: len(lines) == 2)] == [count + 2, count + 3]
        assert f.end() == 0
    with Export(data, "--follow", "--since", "-1h") as f:
        f.lines_until(lambda lines: len(lines) == count + 4)
        assert f.end() == 0


def test_following_ends_with_3_when_nobody_reads(acme):
    with Export(acme.data, "--follow") as f:
        is_ready(f)
        f.process.stdout.close()
        assert f.process.wait(20) == 3 and b"standard output" in f.process.stderr.read()


# ---- what proves it ----

def root(leaves):
    """RFC 6962 2.1, as it is written."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root(leaves[:k]) + root(leaves[k:])).digest()


def range_of(leaves):
    """The compact range, the largest subtree first."""
    found = []
    while leaves:
        k = 1 << len(leaves).bit_length() - 1
        found.append(root(leaves[:k]))
        leaves = leaves[k:]
    return [base64.b64encode(h).decode() for h in found]


def root_by_proof(line, seq, size, proof):
    """RFC 9162 2.1.3.2."""
    fn, sn, r = seq, size - 1, leaf(line)
    for p in map(base64.b64decode, proof):
        if fn & 1 or fn == sn:
            r = hashlib.sha256(b"\1" + p + r).digest()
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = hashlib.sha256(b"\1" + r + p).digest()
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0
    return r


def split_note(out):
    """(the lines before it, the size, the root, the origin)"""
    body, _, note = out.partition("postern/")
    origin, size, hashed, empty, signature = ("postern/" + note).split("\n")[:5]
    assert empty == "" and signature.startswith(f"\u2014 {origin} ")
    return body.splitlines(), int(size), base64.b64decode(hashed), origin


def test_a_checkpoint_proves_the_lines_before_it(acme):
    lines = acme.data.audit_lines()
    body, size, top, _ = split_note(acme.data.run("audit", "export", "--checkpoint").out)
    assert body == lines and size == len(lines) and top == root([leaf(line) for line in lines])


@pytest.mark.parametrize("after", (0, 1, 2, 4, 6))
def test_a_range_that_begins_later_says_what_was_before(acme, after):
    lines = acme.data.audit_lines()
    body, size, _, _ = split_note(acme.data.run("audit", "export", "--checkpoint", "--after", after).out)
    assert json.loads(body[0]) == {"export": 1, "first": after + 1, "hashes": range_of([leaf(x) for x in lines[:after + 1]])}
    assert body[0] == audit.canonical(json.loads(body[0])) and body[1:] == lines[after + 1:size]


def test_a_range_after_the_last_record_is_a_header_and_a_checkpoint(acme):
    count = len(acme.data.audit_lines())
    body, size, _, _ = split_note(acme.data.run("audit", "export", "--checkpoint", "--after", count - 1).out)
    assert size == count and len(body) == 1 and json.loads(body[0])["first"] == count
    ran = acme.data.run("audit", "export", "--checkpoint", "--after", count, expect=3)
    assert ran.out == "" and "covers" in ran.err


def test_every_line_is_proved_by_itself(acme):
    data = acme.data
    lines = data.audit_lines()
    body, size, top, _ = split_note(data.run("audit", "export", "--proofs", "--outcome", "done").out)
    assert size == len(lines) and len(body) % 2 == 0
    found = list(zip(body[::2], map(json.loads, body[1::2])))
    assert [line for line, _ in found] == [line for line in lines if json.loads(line)["outcome"] == "done"]
    for line, proof in found:
        assert proof["seq"] == json.loads(line)["seq"] and list(proof) == ["proof", "seq"]
        assert root_by_proof(line, proof["seq"], size, proof["proof"]) == top


def test_proofs_end_where_the_last_checkpoint_does(acme):
    data, state = acme.data, acme.data.home / "state"
    covered = len(data.audit_lines())
    data.run("site", "set", "acme", "--name", "A")
    body, size, _, origin = split_note(data.run("audit", "export", "--proofs", "--state", state).out)
    assert size == covered and len(body) == 2 * covered and state_of(state) == {"after": covered - 1, "origin": origin}
    checkpoint(data)
    body, size, _, _ = split_note(data.run("audit", "export", "--proofs", "--state", state).out)
    assert size == covered + 2 and json.loads(body[0])["first"] == covered and len(body) == 5


def test_checkpoints_from_a_state_go_on_without_a_gap(acme):
    data, state, seen = acme.data, acme.data.home / "state", []
    for i in range(3):
        body, size, _, _ = split_note(data.run("audit", "export", "--checkpoint", "--state", state).out)
        if i > 0:
            assert json.loads(body[0])["first"] == len(seen)
            body = body[1:]
        seen += body
        assert size == len(seen) and state_of(state)["after"] == size - 1
        data.run("site", "set", "acme", "--name", "A")
    assert seen == data.audit_lines()[:len(seen)]


def test_without_a_checkpoint_there_are_no_proofs(data):
    ran = data.run("audit", "export", "--proofs", expect=3)
    assert ran.out == "" and "checkpoint" in ran.err


def test_a_record_that_is_gone_ends_an_export_without_a_note(acme):
    data, state = acme.data, acme.data.home / "state"
    data.check_lines = False
    def work(txn, dbi):
        key = Val.of(struct.pack(">Q", 3))
        db.call("mdb_del", txn, dbi, ctypes.byref(key), None)
    with RawDb(data.path / "ledger") as db:
        db.within("records", 0, work)
    ran = data.ask("audit", "export", "--checkpoint", "--state", state)
    assert ran.code in (1, 3) and "\u2014" not in ran.out and not state.exists(), ran


def test_after_a_prune_the_rest_still_proves_itself_and_an_older_state_is_refused(acme):
    data, state, old = acme.data, acme.data.home / "state", acme.data.home / "old"
    data.check_lines = False
    data.run("audit", "export", "--state", old)
    while len(data.audit_lines()) < 270:
        for _ in range(20):
            data.run("site", "set", "acme", "--name", "A")
    leaves = [leaf(line) for line in data.audit_lines()]
    data.run("audit", "export", "--checkpoint", "--state", state)
    data.run("audit", "prune", "--before", "2100-01-01", "--identities-before", "2000-01-01", "--yes")
    ran = data.run("audit", "export", "--state", old, expect=3)
    assert ran.out == "" and "pruned" in ran.err
    assert data.run("audit", "export", "--state", state).out.splitlines() == data.audit_lines()[len(leaves) - 256:]
    out = data.run("audit", "export", "--checkpoint").out
    assert json.loads(out.splitlines()[0]) == {"export": 1, "first": 256, "hashes": range_of(leaves[:256])}
    data.run("audit", "verify", data.file("export", out))
    data.run("audit", "verify", data.file("proved", data.run("audit", "export", "--proofs", "--site", "acme").out))


# ---- terminals ----

def read_pty(fd):
    try:
        return os.read(fd, 65536)
    except OSError:
        return b""


def test_progress_is_shown_to_who_waits(big):
    ours, theirs = pty.openpty()
    run = subprocess.Popen([program("postern"), "audit", "export", "--data", str(big.path)], env=environment(),
                           stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown, taken = b"", b""
    while b"records" not in shown and (piece := os.read(run.stdout.fileno(), 512)):      # slowly, so that it takes its time
        taken += piece
        if select.select([ours], [], [], 0.002)[0]:
            shown += read_pty(ours)
    taken += run.stdout.read()
    assert run.wait(20) == 0 and re.search(rb"postern: \d+ of 12000 records", shown) and taken.count(b"\n") == ROWS
    run.stdout.close()
    os.close(ours)


@pytest.mark.parametrize("form", FORMS)
def test_a_terminal_gets_harmless_lines(data, form):
    hostile(data)
    ours, theirs = pty.openpty()
    run = subprocess.Popen([program("postern"), "audit", "export", "--format", form, "--data", str(data.path)],
                           env=environment(), stdout=theirs, stderr=subprocess.DEVNULL)
    os.close(theirs)
    shown = b""
    while piece := read_pty(ours):
        shown += piece
    assert run.wait(20) == 0 and shown.endswith(b"\r\n")
    text = shown.replace(b"\r\n", b"\n").decode()
    assert not any(ord(c) < 32 and c != "\n" or c == "\u202e" for c in text), text
    os.close(ours)
