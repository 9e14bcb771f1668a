"""postern audit list, show, follow and export."""
import ctypes
import fcntl
import hashlib
import json
import os
import queue
import signal
import struct
import subprocess
import termios
import threading
import time

import pytest

from lib import audit
from lib.codes import TOKEN_FAULTS
from lib.fastcgi import Connection, environ
from lib.programs import environment, program, wait_until
from lib.rawdb import RawDb, Val
from lib.worker import Worker

pytestmark = pytest.mark.tree("sanitized")

NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}
ACTIONS = {"actions": [
    {"name": "mine", "title": "Mine", "description": "Mine.", "access": "personal", "effect": "read",
     "parameters": NOTHING, "connector": {"type": "documents", "collection": "notes", "operation": "list"}}]}


@pytest.fixture
def acme(data, tmp_path):
    site = data.add_site("acme", actions=ACTIONS)
    for email in ("alex@example.com", "jordan@example.com", "alex@example.com"):
        data.run("action", "run", "acme", "mine", "--token-file", data.file("t", site.token(email=email)))
    data.run("action", "run", "acme", "mine", "--token-file", data.file("t", "nonsense"), expect=1)
    data.run("site", "add", "other")
    return site


def export(data, *args):
    return [json.loads(line) for line in data.run("audit", "export", *args).out.splitlines()]


def put_lines(data, lines):
    """Rows of the log behind Postern's back, in one transaction: {seq: line}, or {key: line}."""
    def work(txn, dbi):
        for seq, line in lines.items():
            k, v = Val.of(seq if isinstance(seq, bytes) else struct.pack(">Q", seq)), Val.of(line.encode())
            db.call("mdb_put", txn, dbi, ctypes.byref(k), ctypes.byref(v), 0)
    with RawDb(data.path / "ledger") as db:
        db.within("records", 0, work)


def add_line(data, line):
    """The next record and its leaf, behind which the log goes on; of a log that is one tile."""
    with RawDb(data.path / "ledger") as db:
        tile = db.get("tree", bytes(9))
        db.put("tree", bytes(9), tile + hashlib.sha256(b"\0" + line.encode()).digest())
        db.put("records", struct.pack(">Q", len(tile) // 32), line.encode())


def record(seq, **members):
    """A line as a worker writes it."""
    return audit.canonical({"event": "action", "id": "01JD4ZK2M3N4P5Q6R7S8T9V0WX", "outcome": "done", "seq": seq,
                            "site": "acme", "time": 1763690000000000 + seq, "v": 1, **members})


HOSTILE = ["not a record \x1b[2J", '{"site":"acme",\n"event":"\\u001b[31m"}', "[1,2]", "", '{"seq":1,"seq":2}',
           '{"site":"acme","event":"e\\u001b]0;title\\u0007","reason":"nonsense","time":-5,"detail":"text",'
           '"x":{"\\u202e":1.5}}',
           '{"reason":["token_expired"],"site":7,"subject":{"a":1},"count":"many","detail":{"change":[]},'
           '"first":99999999999999999}']


def test_export_is_the_whole_log_in_order(acme):
    records = export(acme.data)
    assert [r["seq"] for r in records] == list(range(len(records))) and len(records) > 10
    assert acme.data.run("audit", "export", "--format", "jsonl").out == acme.data.run("audit", "export").out
    assert acme.data.run("audit", "export", "--json").json == records


def test_filters_say_exactly_what_they_say(acme):
    everything = export(acme.data)
    for args, keep in (
            (["--site", "other"], lambda r: r["site"] == "other"),
            (["--outcome", "blocked"], lambda r: r["outcome"] == "blocked"),
            (["--reason", "token_malformed"], lambda r: r.get("reason") == "token_malformed"),
            (["--action", "mine"], lambda r: r.get("action") == "mine"),
            (["--after", "5"], lambda r: r["seq"] > 5),
            (["--after", "5", "--site", "acme", "--outcome", "done"],
             lambda r: r["seq"] > 5 and r["site"] == "acme" and r["outcome"] == "done"),
            (["--kid", acme.kid], lambda r: r.get("kid") == acme.kid),
            (["--kid", acme.kid, "--action", "mine"], lambda r: r.get("kid") == acme.kid and r.get("action") == "mine"),
            (["--kid", "k_aaaaaaaa"], lambda r: False), (["--remote", "203.0.113.0/24"], lambda r: False),
            (["--since", "-1h"], lambda r: True), (["--until", "-1h"], lambda r: False),
            (["--since", "2100-01-01"], lambda r: False)):
        assert export(acme.data, *args) == [r for r in everything if keep(r)], args


def test_email_finds_one_visitor_however_it_is_spelled(acme):
    found = export(acme.data, "--site", "acme", "--email", "ALEX@example.COM")
    assert len(found) == 2 and len({r["subject"] for r in found}) == 1
    assert export(acme.data, "--site", "acme", "--email", "nobody@example.com") == []
    acme.data.run("audit", "export", "--site", "acme", "--email", "not an email", expect=1)


def test_identities_are_shown_only_after_it_is_recorded_who_asked(acme):
    before = len(export(acme.data))
    lines = acme.data.run("audit", "export", "--with-identity", "--site", "acme", "--action", "mine").out.splitlines()
    emails = [json.loads(line)["identity"]["email"] for line in lines if "identity" in json.loads(line)]
    assert emails == ["alex@example.com", "jordan@example.com", "alex@example.com"]
    asked = export(acme.data)[before:]
    assert len(asked) == 1 and asked[0]["event"] == "audit" and asked[0]["site"] == "acme"
    assert asked[0]["detail"] == {"change": "export", "format": "jsonl", "with_identity": True, "action": "mine"}
    stored = [line for line in acme.data.audit_lines() if '"action":"mine"' in line and '"event":"action"' in line]
    assert [line.split(',"identity":')[0] + "}" if '"identity":' in line else line for line in lines] == stored


def test_list_shows_the_latest_newest_last(acme):
    everything = export(acme.data)
    assert acme.data.run("audit", "list", "--json").json == everything[-50:]
    assert acme.data.run("audit", "list", "--limit", "3", "--json").json == everything[-3:]
    shown = acme.data.run("audit", "list", "--limit", "2", "--site", "acme").out.splitlines()
    assert len(shown) == 3 and shown[0].startswith("SEQ") and "token_malformed" in shown[2]
    assert "alex@example.com" not in acme.data.run("audit", "list").out
    assert "alex@example.com" in acme.data.run("audit", "list", "--with-identity").out


def test_a_network_is_found_by_any_address_in_it(data):
    data.run("site", "add", "acme")
    put_lines(data, {2: record(2, remote="203.0.113.0/24"), 3: record(3, remote="2001:db8:0:ff00::/56"),
                     4: record(4, remote="198.51.100.0/24", ignored=['"remote":"203.0.113.0/24"'])})
    for network in ("203.0.113.0/24", "203.0.113.7", "203.0.113.7/24", "::ffff:203.0.113.255"):
        assert [r["seq"] for r in export(data, "--remote", network)] == [2], network
    assert [r["seq"] for r in export(data, "--remote", "2001:db8:0:ff42::1")] == [3]
    for wrong in ("203.0.113.0/16", "203.0.113", "203.0.113.0/", "localhost", "", "2001:db8::/24"):
        assert data.ask("audit", "list", "--remote", wrong).code == 2, wrong
    for wrong in ("k_", "aaaaaaaa", "k_AAAAAAAA", "k_aaaaaaaa "):
        assert data.ask("audit", "list", "--kid", wrong).code == 2, wrong


def test_list_looks_back_past_what_does_not_match(data):
    data.run("site", "add", "first")
    data.run("site", "add", "acme")
    put_lines(data, {seq: record(seq, action="odd" if seq % 2 else "even") for seq in range(4, 1100)})
    everything = export(data)
    assert [r["site"] for r in data.run("audit", "list", "--site", "first", "--json").json] == ["first", "first"]
    for limit in (1, 511, 512, 513, 1024, 1099, 1100, 5000):
        assert data.run("audit", "list", "--limit", limit, "--json").json == everything[-limit:], limit
        odd = [r for r in everything if r.get("action") == "odd"]
        assert data.run("audit", "list", "--limit", limit, "--action", "odd", "--json").json == odd[-limit:], limit
    assert data.run("audit", "list", "--after", "1090", "--json").json == everything[1091:]
    assert data.run("audit", "list", "--after", "1099", "--json").json == []


def test_a_folded_record_says_how_many_it_stands_for(data):
    data.run("site", "add", "acme")
    put_lines(data, {2: record(2, count=4711, first=1, last=2, outcome="blocked", reason="signature_mismatch")})
    assert "blocked x4711" in data.run("audit", "list").out


def test_hostile_rows_are_shown_harmless(data):
    data.check_lines = False
    data.run("site", "add", "acme")
    put_lines(data, {2 + i: line for i, line in enumerate(HOSTILE)})
    shown = data.run("audit", "list").out
    assert len(shown.splitlines()) == 3 + len(HOSTILE) and shown.count("not a record") == 4
    assert not any(ord(c) < 32 and c != "\n" or c == "\u202e" for c in shown), shown
    array = data.run("audit", "list", "--json").json
    assert [type(r) for r in array[2:]] == [str, str, str, str, str, dict, dict] and array[2] == HOSTILE[0]


def test_a_false_key_is_found_out_after_what_is_before_it(data):
    data.check_lines = False
    data.run("site", "add", "acme")
    put_lines(data, {b"\xff" * 9: "{}"})
    ran = data.run("audit", "export", expect=3)
    assert [json.loads(line)["seq"] for line in ran.out.splitlines()] == [0, 1] and ran.err
    assert data.run("audit", "list", expect=3).out == ""


def test_a_removed_sites_records_are_found(acme):
    acme.data.run("site", "remove", "acme", "--yes")
    assert len(export(acme.data, "--site", "acme", "--email", "alex@example.com")) == 2


def test_export_to_a_reader_that_stops_early_ends(acme):
    run = subprocess.Popen([program("postern"), "audit", "export", "--data", str(acme.data.path)], env=environment(),
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    run.stdout.close()
    assert run.wait(timeout=30) == 3
    run.stderr.close()


# ---- show ----

def members(shown):
    """What show prints, as {name: text}, and the words below."""
    rows, _, words = shown.partition("\n\n")
    pairs = [row.split(None, 1) for row in rows.splitlines()]
    return dict(pair for pair in pairs if len(pair) == 2), " ".join(words.split())


def test_show_is_the_record_with_what_it_means_and_what_to_do(acme):
    last = export(acme.data)[-3]
    assert last["reason"] == "token_malformed"
    shown, words = members(acme.data.run("audit", "show", last["seq"]).out)
    flat = {name: value for name, value in last.items() if name not in ("time", "detail")}
    assert {name: shown[name] for name in flat} == {name: str(value) for name, value in flat.items()}
    assert shown["time"].startswith(f"{last['time']} (20") and shown["time"].endswith("Z)")
    assert words.startswith("The token is not one well-formed compact JWS. ") and "Have the page send" in words
    assert acme.data.run("audit", "show", last["seq"], "--json").out == acme.data.audit_lines()[last["seq"]] + "\n"


def test_show_of_a_change_has_its_details_and_no_words(acme):
    made = next(r for r in export(acme.data) if r["event"] == "key" and r["outcome"] == "done")
    shown, words = members(acme.data.run("audit", "show", made["seq"]).out)
    assert shown["detail.change"] == "create" and shown["detail.fingerprint"] == made["detail"]["fingerprint"]
    assert shown["kid"] == acme.kid and shown["actor"] == made["actor"] and words == ""


def test_every_reason_that_blocks_a_token_is_explained(data):
    data.run("site", "add", "acme")
    put_lines(data, {2 + i: record(2 + i, outcome="blocked", reason=reason) for i, reason in enumerate(TOKEN_FAULTS)})
    for i, reason in enumerate(TOKEN_FAULTS):
        shown, words = members(data.run("audit", "show", 2 + i).out)
        assert shown["reason"] == reason and len(words) > 100, reason


def test_a_folded_record_says_what_its_count_is(data):
    data.run("site", "add", "acme")
    put_lines(data, {2: record(2, outcome="blocked", count=778, first=1_763_690_000_000_000, last=1_763_690_001_000_000)})
    shown, words = members(data.run("audit", "show", 2).out)
    assert shown["count"] == "778" and words.startswith("This record stands for as many requests")
    row = data.run("audit", "list", "--after", "1").out.splitlines()[1]
    assert "blocked x778" in row


def test_a_number_nobody_has_is_exit_1(data):
    data.run("site", "add", "acme")
    for seq in ("2", "999999999999999999"):
        ran = data.run("audit", "show", seq, expect=1)
        assert ran.out == "" and "not_found" in ran.err and seq in ran.err, ran
        assert data.run("audit", "show", seq, "--json", expect=1).json["error"] == "not_found"
        data.run("audit", "show", seq, "--with-identity", expect=1)
    for wrong in ("", "x", "-1", "1.0", "1e3", "0x1", "9999999999999999999"):
        assert data.ask("audit", "show", "--", wrong).code == 2, wrong
    assert data.ask("audit", "show").code == 2
    assert len(data.audit_lines()) == 2


def test_show_of_hostile_rows_is_harmless(data):
    data.check_lines = False
    data.run("site", "add", "acme")
    put_lines(data, {2 + i: line for i, line in enumerate(HOSTILE)})
    for i, line in enumerate(HOSTILE):
        shown = data.run("audit", "show", 2 + i).out
        assert shown and not any(ord(c) < 32 and c != "\n" or c == "\u202e" for c in shown), shown
        found = data.run("audit", "show", 2 + i, "--json").json
        assert found == (line if i < 5 else json.loads(line))
        data.run("audit", "show", 2 + i, "--with-identity")
    data.run("audit", "show", 2 + len(HOSTILE), expect=1)      # nobody was named, so nobody was asked for


def test_an_identity_is_shown_after_it_is_recorded_who_asked(acme):
    done = next(r for r in export(acme.data) if r.get("action") == "mine" and r["outcome"] == "done")
    before = len(acme.data.audit_lines())
    assert "alex" not in acme.data.run("audit", "show", done["seq"]).out
    assert len(acme.data.audit_lines()) == before
    shown, _ = members(acme.data.run("audit", "show", done["seq"], "--with-identity").out)
    assert shown["email"] == "alex@example.com"
    joined = acme.data.run("audit", "show", done["seq"], "--with-identity", "--json").json
    assert joined == {**done, "identity": {"email": "alex@example.com", "name": None}}
    asked = export(acme.data)[before:]
    assert [(r["event"], r["site"], r["detail"]) for r in asked] == [
        ("audit", "acme", {"change": "identity", "seq": done["seq"]})] * 2


def test_an_identity_not_kept_any_more_is_null(data):
    data.run("site", "add", "acme")
    add_line(data, record(2, subject="h1:" + "0" * 32))
    assert data.run("audit", "show", 2, "--with-identity", "--json").json["identity"] is None
    assert "not kept any more" in data.run("audit", "show", 2, "--with-identity").out
    ran = data.run("audit", "show", 0, "--with-identity")
    assert "names nobody" in ran.err and "email" not in ran.out
    assert len(data.audit_lines()) == 5


# ---- follow ----

class Follow:
    """A running `postern audit follow`, and the lines it prints as they come."""

    def __init__(self, data, *args):
        command = [program("postern"), "audit", "follow", *map(str, args), "--data", str(data.path)]
        self.process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines = queue.Queue()

    def __enter__(self):
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        return self

    def read(self):
        for line in self.process.stdout:
            self.lines.put((time.monotonic(), line.decode()))

    def line(self):
        """(when it came, the line)"""
        return self.lines.get(timeout=20)

    def records(self, count):
        return [json.loads(self.line()[1]) for _ in range(count)]

    def end(self, how=signal.SIGINT):
        self.process.send_signal(how)
        return self.ended()

    def ended(self):
        code = self.process.wait(20)
        self.err = self.process.stderr.read().decode()
        return code

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if hasattr(self, "reader"):
            self.reader.join(20)
        self.process.stdout.close()
        self.process.stderr.close()


def test_follow_shows_what_comes_from_now_on(acme):
    with Follow(acme.data) as f:
        assert f.line()[1].split() == ["SEQ", "TIME", "SITE", "EVENT", "OUTCOME", "REASON", "ACTION", "SUBJECT"]
        before = len(acme.data.audit_lines())
        acme.data.run("action", "run", "acme", "mine", "--token-file", acme.data.file("t", "nonsense"), expect=1)
        row = f.line()[1].split()
        assert row[0] == str(before) and row[2:] == ["acme", "action", "blocked", "token_malformed", "mine", "-"]
        assert f.end() == 0 and f.err == "" and f.lines.empty()


def test_follow_goes_on_after_a_record_with_the_stored_bytes(acme):
    stored = acme.data.audit_lines()
    with Follow(acme.data, "--json", "--after", 3) as f:
        assert [f.line()[1] for _ in stored[4:]] == [line + "\n" for line in stored[4:]]
        for _ in range(3):
            acme.data.run("site", "set", "acme", "--name", "A")
        more = [f.line()[1] for _ in range(6)]
        assert f.end(signal.SIGTERM) == 0 and f.lines.empty()
    assert [line + "\n" for line in acme.data.audit_lines()[len(stored):]] == more
    with Follow(acme.data, "--json", "--since", "-1h") as f:
        assert len(f.records(len(stored) + 6)) == len(acme.data.audit_lines()) and f.end() == 0


def test_follow_filters(acme):
    acme.data.run("site", "add", "third")
    with Follow(acme.data, "--json", "--since", "-1h", "--site", "acme", "--reason", "token_malformed") as f:
        assert [r["outcome"] for r in f.records(1)] == ["blocked"]
        acme.data.run("site", "add", "fourth")
        acme.data.run("action", "run", "acme", "mine", "--token-file", acme.data.file("t", "more"), expect=1)
        assert [r["reason"] for r in f.records(1)] == ["token_malformed"]
        assert f.end() == 0 and f.lines.empty()
    for args in (["--until", "2100-01-01"], ["--with-identity"], ["--limit", "3"], ["--outcome", "perhaps"]):
        assert acme.data.ask("audit", "follow", *args).code == 2, args
    assert "site_unknown" in acme.data.run("audit", "follow", "--site", "nope", expect=1).err


def test_a_flood_loses_nothing_and_keeps_its_order(data):
    data.run("site", "add", "acme")
    with Follow(data, "--json", "--after", 1) as f:
        for start in range(2, 5002, 1000):
            put_lines(data, {seq: record(seq) for seq in range(start, start + 1000)})
        assert [r["seq"] for r in f.records(5000)] == list(range(2, 5002))
        assert f.end() == 0 and f.lines.empty()


def test_follow_shows_a_blocked_token_within_300_ms_of_its_answer(data, site):
    late = []
    with Worker(data, "--audit-budget", "0") as w, Follow(data, "--json", "--outcome", "blocked", "--after", 0) as f, \
            Connection(w.socket) as c:
        for token in ("x.y.z", site.token(secret="x" * 40)) * 5:
            answer = c.ask(environ(path="/v1/sites/acme/identity", token=token), keep=True).answer
            answered = time.monotonic()
            came, line = f.line()
            assert json.loads(line)["id"] == answer.request_id and json.loads(line)["remote"] == "203.0.113.0/24"
            late.append(came - answered)
        assert f.end() == 0
    assert sorted(late)[len(late) // 2] < 0.3, late


def test_hostile_rows_are_one_harmless_line_each(data):
    data.check_lines = False
    data.run("site", "add", "acme")
    put_lines(data, {2 + i: line for i, line in enumerate(HOSTILE)})
    with Follow(data, "--json", "--after", 1) as f:
        assert f.records(len(HOSTILE)) == HOSTILE[:5] + [json.loads(line) for line in HOSTILE[5:]]
        assert f.end() == 0 and f.lines.empty()
    with Follow(data, "--after", 1) as f:
        shown = "".join(f.line()[1] for _ in range(len(HOSTILE) + 1))
        assert f.end() == 0 and f.lines.empty()
    assert not any(ord(c) < 32 and c != "\n" or c == "\u202e" for c in shown), shown


def test_follow_ends_with_3_when_nobody_reads_though_nothing_comes(data):
    data.run("site", "add", "acme")
    with Follow(data, "--json", "--after", 0) as f:
        f.line()
        reader_gone = Follow(data)
        with reader_gone.process.stdout as out:
            out.readline()
        assert reader_gone.ended() == 3 and "standard output" in reader_gone.err
        reader_gone.process.stderr.close()
        assert f.end() == 0


def test_follow_ends_with_3_when_a_write_fails(data):
    data.run("site", "add", "acme")
    with open("/dev/full", "wb") as full:
        ran = subprocess.run([program("postern"), "audit", "follow", "--data", str(data.path)], env=environment(),
                             stdout=full, stderr=subprocess.PIPE, timeout=30, check=False)
    assert ran.returncode == 3 and b"standard output" in ran.stderr


def is_reading(data, process):
    """Does it hold a snapshot of the ledger at this moment?"""
    with RawDb(data.path / "ledger") as db:
        return process.pid in db.reader_pids()


def test_no_snapshot_is_held_while_it_waits(data):
    data.run("site", "add", "acme")
    with Follow(data) as f:
        f.line()
        assert sum(is_reading(data, f.process) for _ in range(100)) < 50
        assert f.end() == 0


def test_a_reader_that_stalls_holds_no_snapshot_and_a_signal_still_ends_it(data):
    def unread(pipe):
        return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]

    data.run("site", "add", "acme")
    put_lines(data, {seq: record(seq, action="a" * 60) for seq in range(2, 2002)})
    stalled = Follow(data, "--json", "--after", 0)          # its output is not read
    try:
        wait_until(lambda: unread(stalled.process.stdout) >= 60000, "the pipe to fill")
        wait_until(lambda: process_state(stalled.process.pid) == "S", "the write to wait")
        assert not is_reading(data, stalled.process)
        assert stalled.end(signal.SIGTERM) == 3 and "standard output" in stalled.err
    finally:
        stalled.__exit__()


def process_state(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        return f.read().rsplit(")", 1)[1].split()[0]


def test_a_ledger_that_was_replaced_is_not_followed_for_ever(data):
    data.run("site", "add", "acme")
    with Follow(data) as f:
        f.line()
        ledger = data.path / "ledger" / "data.mdb"
        kept = ledger.read_bytes()
        os.rename(ledger, data.home / "old.mdb")
        ledger.write_bytes(kept)
        os.chmod(ledger, 0o660)
        assert f.ended() == 3 and "replaced" in f.err
