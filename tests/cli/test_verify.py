"""postern audit checkpoint, vkey, verify and prove; and data/examples/verify-audit.py against ours on the same files."""
import base64
import ctypes
import hashlib
import json
import shutil
import signal
import struct
import subprocess
import sys

import pytest

from lib import audit
from lib.datadir import postern
from lib.programs import ROOT, environment, program, wait_until
from lib.rawdb import RawDb, Val

pytestmark = pytest.mark.tree("sanitized")

RECORDS = 700
TILE = 256


def key_of(seq):
    return struct.pack(">Q", seq)


def tile_key(level, index):
    return struct.pack(">BQ", level, index)


def leaf(line):
    return hashlib.sha256(b"\0" + line).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def tree_root(hashes):
    """RFC 6962 2.1, as it is written there."""
    if len(hashes) < 2:
        return hashes[0] if hashes else hashlib.sha256().digest()
    k = 1 << (len(hashes) - 1).bit_length() - 1
    return node(tree_root(hashes[:k]), tree_root(hashes[k:]))


def line_of(seq, site="acme"):
    return audit.canonical({"event": "action", "id": "01JD4ZK2M3N4P5Q6R7S8T9V0WX", "outcome": "done", "seq": seq, "site": site,
                            "time": 1763690000000000 + seq, "v": 1}).encode()


def change_rows(data, change, env="ledger"):
    """One transaction behind Postern's back, with what a worker may write: change(put, drop)."""
    with RawDb(data.path / env) as db:
        def work(txn, _):
            def table(name):
                dbi = ctypes.c_uint()
                db.call("mdb_dbi_open", txn, name.encode(), 0, ctypes.byref(dbi))
                return dbi

            def put(name, key, row):
                k, v = Val.of(key), Val.of(row)
                db.call("mdb_put", txn, table(name), ctypes.byref(k), ctypes.byref(v), 0)

            def drop(name, key=None):
                if key is None:
                    db.call("mdb_drop", txn, table(name), 0)
                    return
                k = Val.of(key)
                db.call("mdb_del", txn, table(name), ctypes.byref(k), None)
            change(put, drop)
        db.within("meta", 0, work)


def write_log(data, lines):
    """The whole log, with a tree that fits it."""
    def change(put, drop):
        drop("records")
        drop("tree")
        for seq, line in enumerate(lines):
            put("records", key_of(seq), line)
        level, hashes = 0, [leaf(line) for line in lines]
        while hashes:
            for i in range(0, len(hashes), TILE):
                put("tree", tile_key(level, i // TILE), b"".join(hashes[i:i + TILE]))
            hashes = [tree_root(hashes[i:i + TILE]) for i in range(0, len(hashes) - TILE + 1, TILE)]
            level += 1
    change_rows(data, change)


@pytest.fixture
def log(data):
    """RECORDS records of which 300 and then all were signed; the last checkpoint's note is log.note."""
    data.run("site", "add", "acme")
    data.lines = [line_of(seq) for seq in range(RECORDS)]
    data.check_lines = False               # they are the test's own
    write_log(data, data.lines[:300])
    data.run("audit", "checkpoint")
    write_log(data, data.lines)
    data.note = data.run("audit", "checkpoint").out
    data.vkey = data.run("audit", "vkey").out.strip()
    return data


def verdict(data, *args, expect):
    return data.run("audit", "verify", *args, "--json", expect=expect).json


# ---- checkpoints ----

def test_a_checkpoint_is_a_signed_note_that_also_goes_to_stderr(log):
    origin, size, root, *_ = log.note.split("\n")
    assert origin.startswith("postern/") and size == str(RECORDS)
    assert base64.b64decode(root) == tree_root([leaf(line) for line in log.lines])
    assert log.vkey.startswith(origin + "+")
    again = log.run("audit", "checkpoint")
    assert again.out == log.note
    assert again.err == f"<6>checkpoint {' '.join(line for line in log.note.splitlines() if line)}\n"
    document = log.run("audit", "checkpoint", "--json").json
    assert document == {"new": False, "note": log.note}


def test_an_inconsistent_log_is_not_signed(log):
    write_log(log, log.lines[:-1] + [line_of(RECORDS - 1, "lies")])
    ran = log.run("audit", "checkpoint", expect=1)
    assert ran.out == "" and ran.err.startswith("<3>no checkpoint was signed: tampered: ")
    refused = json.loads(log.audit_lines()[-1])
    audit.check_line(log.audit_lines()[-1], RECORDS)
    assert refused["outcome"] == "refused" and refused["detail"]["change"] == "checkpoint"
    write_log(log, log.lines[:200])
    assert log.run("audit", "checkpoint", "--json", expect=1).json["verdict"] == "truncated"


def test_a_service_signs_what_is_new_beats_and_stops_at_the_first_inconsistency(log):
    out = log.home / "out"
    with open(out, "wb") as f, subprocess.Popen([program("postern"), "audit", "checkpoint", "--every", "1s", "--data", log.path],
                                                env=environment(), stdout=f, stderr=subprocess.PIPE) as service:
        wait_until(lambda: out.read_text().count(log.note) >= 2, "two beats of the same note")
        log.run("site", "add", "other")
        wait_until(lambda: f"\n{RECORDS + 2}\n" in out.read_text(), "a checkpoint of the new records")
        write_log(log, log.lines[:100])
        err = service.communicate(timeout=20)[1].decode()
        assert service.returncode == 1 and "<3>no checkpoint was signed: truncated" in err


def test_a_service_ends_when_told(log):
    out = log.home / "out"
    with open(out, "wb") as f, subprocess.Popen([program("postern"), "audit", "checkpoint", "--every", "1h", "--data", log.path],
                                                env=environment(), stdout=f, stderr=subprocess.DEVNULL) as service:
        wait_until(lambda: log.note in out.read_text(), "the first note")
        service.send_signal(signal.SIGTERM)
        assert service.wait(10) == 0
    assert log.ask("audit", "checkpoint", "--every", "0s").code == 2


# ---- the log in its file ----

def test_the_log_as_it_was_written_is_verified(log):
    found = verdict(log, expect=0)
    assert found["verdict"] == "verified" and (found["first"], found["size"], found["checkpoints"]) == (0, RECORDS, 2)
    assert log.run("audit", "verify").out.startswith(f"verified: {RECORDS} records")
    assert log.run("audit", "verify").err == ""


def test_a_log_that_nobody_signed_cannot_be_verified(data, site):
    assert verdict(data, expect=3)["verdict"] == "unverifiable"


def test_rows_altered_in_the_file_are_named(log):
    for seq in (0, 255, 256, 420, RECORDS - 1):
        for change in (lambda put, _, seq=seq: put("records", key_of(seq), log.lines[seq].replace(b"acme", b"bcme")),
                       lambda put, _, seq=seq: put("records", key_of(seq), log.lines[seq - 1])):
            change_rows(log, change)
            found = verdict(log, expect=1)
            assert (found["verdict"], found["at"]) == ("tampered", seq)
            write_log(log, log.lines)
    change_rows(log, lambda _, drop: drop("records", key_of(420)))
    assert verdict(log, expect=1)["at"] == 420
    assert "record" in log.run("audit", "verify", expect=1).out


@pytest.mark.parametrize("lines, expected", [
    (lambda lines: lines[:400] + [line_of(400, "lies")] + lines[401:], ("tampered", [300, RECORDS])),
    (lambda lines: lines[:20] + lines[21:], ("tampered", 20)),
    (lambda lines: lines[:20] + [lines[21], lines[20]] + lines[22:], ("tampered", 20)),
    (lambda lines: lines[:20] + [line_of(20, "lies")] + lines[21:], ("tampered", [0, 300])),
    (lambda lines: lines[:500], ("truncated", 500)),
    (lambda lines: lines[:299], ("truncated", 299)),
    (lambda lines: lines[:500] + [line_of(seq, "lies") for seq in range(500, 900)], ("tampered", [300, RECORDS])),
], ids=["flip", "drop", "swap", "flip-early", "cut", "cut-far", "roll-back-and-on"])
def test_a_log_rewritten_with_its_tree_does_not_fit_its_checkpoints(log, lines, expected):
    write_log(log, lines(log.lines))
    found = verdict(log, expect=1)
    assert (found["verdict"], found.get("have", found.get("at", found.get("between")))) == expected
    if found["verdict"] == "truncated":
        assert found["want"] == RECORDS


def test_a_ledger_rolled_back_is_truncated(log):
    old = log.home / "old"
    write_log(log, log.lines)
    shutil.copy(log.path / "ledger/data.mdb", old)
    log.run("site", "add", "another")
    log.run("audit", "checkpoint")
    shutil.copyfile(old, log.path / "ledger/data.mdb")
    (log.path / "ledger/lock.mdb").write_bytes(b"")
    found = verdict(log, expect=1)
    assert (found["verdict"], found["have"], found["want"]) == ("truncated", RECORDS, RECORDS + 2)


def test_a_note_kept_elsewhere_counts_though_the_vault_forgot_it(log):
    note = log.file("note", log.note)
    change_rows(log, lambda _, drop: drop("checkpoints"), "vault")
    verdict(log, expect=3)
    assert verdict(log, "--note", note, expect=0)["checkpoints"] == 1
    write_log(log, log.lines[:600])
    assert verdict(log, "--note", note, expect=1)["verdict"] == "truncated"
    write_log(log, log.lines)
    assert verdict(log, "--note", log.file("bad", log.note.replace("700", "701")), expect=3)["verdict"] == "unverifiable"
    assert log.ask("audit", "verify", "--note", log.home / "none").code == 3
    assert log.ask("audit", "verify", "--vkey", "nonsense").code == 2


def test_a_copy_of_the_data_is_verified_with_the_same_master_key(log):
    copy = log.home / "copy"
    shutil.copytree(log.path, copy)
    for name in ("master.key", "admin.key", "admin.state"):
        (copy / name).unlink()
    assert verdict(log, copy, expect=0)["size"] == RECORDS
    with RawDb(copy / "ledger") as db:
        db.put("records", key_of(5), line_of(5, "lies"))
    assert verdict(log, copy, expect=1)["at"] == 5
    assert verdict(log, expect=0)["verdict"] == "verified"


# ---- proofs ----

def test_a_proof_leads_from_the_record_to_the_signed_root(log):
    proof = log.run("audit", "prove", 300).out
    head, _, note = proof.partition("\n\n")
    first, index, *hashes = head.split("\n")
    assert (first, index, note) == ("c2sp.org/tlog-proof@v1", "index 300", log.note)
    at, last, top = 300, RECORDS - 1, leaf(log.lines[300])
    for other in map(base64.b64decode, hashes):
        if at & 1 or at == last:
            top = node(other, top)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            top = node(top, other)
        at, last = at >> 1, last >> 1
    assert last == 0 and top == base64.b64decode(note.split("\n")[2])
    both = log.run("audit", "prove", 300, "--json").json
    assert both == {"seq": 300, "line": log.lines[300].decode(), "proof": proof}
    assert "not_found" in log.run("audit", "prove", RECORDS, expect=1).err
    log.run("audit", "prove", "x", expect=2)


# ---- exports: ours, and the example that needs nothing of ours ----

def example(path, vkey):
    return subprocess.run([sys.executable, ROOT / "data/examples/verify-audit.py", path, vkey], capture_output=True, text=True,
                          check=False, env=environment())


class Export:
    """A file in the making: records, and what stands around them."""

    def __init__(self, log):
        self.log, self.head, self.lines, self.tail, self.note = log, b"", list(log.lines), b"", log.note.encode()
        self.hashes = [leaf(line) for line in log.lines]

    def content(self):
        return self.head + b"".join(line + b"\n" for line in self.lines) + self.tail + self.note

    def range_of(self, size):
        """The roots of the perfect subtrees that the first size leaves fall into."""
        out, at = [], 0
        for bit in reversed(range(size.bit_length())):
            if size >> bit & 1:
                out.append(tree_root(self.hashes[at:at + (1 << bit)]))
                at += 1 << bit
        return [base64.b64encode(h).decode() for h in out]

    def inclusion(self, seq, hashes=None):
        hashes = self.hashes if hashes is None else hashes
        if len(hashes) == 1:
            return []
        k = 1 << (len(hashes) - 1).bit_length() - 1
        if seq < k:
            return [*self.inclusion(seq, hashes[:k]), tree_root(hashes[k:])]
        return [*self.inclusion(seq - k, hashes[k:]), tree_root(hashes[:k])]

    def consistency(self, size, hashes=None, whole=True):
        hashes = self.hashes if hashes is None else hashes
        if size == len(hashes):
            return [] if whole else [tree_root(hashes)]
        k = 1 << (len(hashes) - 1).bit_length() - 1
        if size <= k:
            return [*self.consistency(size, hashes[:k], whole), tree_root(hashes[k:])]
        return [*self.consistency(size - k, hashes[k:], False), tree_root(hashes[:k])]

    def from_record(self, first):
        self.head = audit.canonical({"export": 1, "first": first, "hashes": self.range_of(first)}).encode() + b"\n"
        self.lines = self.log.lines[first:]
        return self

    def up_to(self, size):
        self.lines = self.lines[:len(self.lines) - (RECORDS - size)]
        proof = [base64.b64encode(h).decode() for h in self.consistency(size)]
        self.tail = audit.canonical({"consistency": proof, "size": size}).encode() + b"\n"
        return self

    def proved(self, *seqs):
        self.lines = []
        for seq in seqs:
            proof = [base64.b64encode(h).decode() for h in self.inclusion(seq)]
            self.lines += [self.log.lines[seq], audit.canonical({"proof": proof, "seq": seq}).encode()]
        return self


def judge(log, content, code, verdict_name, at=None):
    """Ours with the log at hand, ours without it, and the example's: all three must say so."""
    path = log.file("export.jsonl", content)
    here = log.run("audit", "verify", path, "--json", expect=code).json
    assert here["verdict"] == verdict_name and (at is None or here["at"] == at), here
    elsewhere = postern("audit", "verify", path, "--vkey", log.vkey, "--data", log.home / "none", "--json")
    assert (elsewhere.code, elsewhere.json["verdict"]) == (code, verdict_name), str(elsewhere)
    theirs = example(path, log.vkey)
    assert theirs.returncode == code, theirs.stdout + theirs.stderr
    return here


@pytest.mark.parametrize("make", [
    lambda e: e, lambda e: e.from_record(256), lambda e: e.from_record(301), lambda e: e.up_to(512), lambda e: e.up_to(600),
    lambda e: e.from_record(256).up_to(611), lambda e: e.proved(0, 5, 300, RECORDS - 1), lambda e: e.proved(7),
], ids=["whole", "after-a-prune", "after-any", "archive", "archive-odd", "middle", "proofs", "one-proof"])
def test_every_form_of_an_export_is_verified(log, make):
    judge(log, make(Export(log)).content(), 0, "verified")


def test_the_export_of_the_program_is_verified_through_a_pipe_too(log):
    content = log.run("audit", "export").out + log.note
    judge(log, content, 0, "verified")
    assert log.run("audit", "verify", "-", "--json", stdin=content).json["size"] == RECORDS
    assert verdict(log, log.file("plain", log.run("audit", "export").out), "--note", log.file("note", log.note), expect=0)


def test_an_archive_says_how_many_records_come_after_it(log):
    found = judge(log, Export(log).up_to(600).content(), 0, "verified")
    assert found["size"] == 600 and found["text"].endswith("the 100 after them are not in the file")


def flipped(e):
    e.lines[420] = e.lines[420].replace(b"acme", b"bcme")


def dropped(e):
    del e.lines[420]


def duplicated(e):
    e.lines.insert(420, e.lines[419])


def swapped(e):
    e.lines[420], e.lines[421] = e.lines[421], e.lines[420]


def inserted(e):
    e.lines.insert(420, line_of(420, "lies"))


def first_dropped(e):
    del e.lines[0]


@pytest.mark.parametrize("damage", [flipped, dropped, duplicated, swapped, inserted, first_dropped])
def test_a_damaged_export_is_tampered_with_and_the_log_tells_where(log, damage):
    e = Export(log)
    damage(e)
    judge(log, e.content(), 1, "tampered", at=0 if damage is first_dropped else 420)


def test_lines_after_the_last_are_no_part_of_the_log(log):
    e = Export(log)
    e.lines.append(line_of(RECORDS))
    judge(log, e.content(), 1, "tampered", at=RECORDS)


def test_an_export_cut_off_is_truncated(log):
    e = Export(log)
    e.lines = e.lines[:500]
    found = judge(log, e.content(), 1, "truncated")
    assert (found["have"], found["want"]) == (500, RECORDS)
    e = Export(log).up_to(600)
    e.lines.pop()
    assert judge(log, e.content(), 1, "truncated")["have"] == 599


def test_an_export_without_its_note_cannot_be_verified(log):
    content = Export(log).content()
    without = content[:-len(log.note.encode())]
    for cut in (without, without[:-10], content[:-30], content[:len(without) + 20]):
        judge(log, cut, 3, "unverifiable")
    found = verdict(log, log.file("cut", without[:-10]), "--note", log.file("note", log.note), expect=1)
    assert (found["verdict"], found["have"]) == ("truncated", RECORDS - 1)


def test_damage_around_the_records_is_seen(log):
    judge(log, Export(log).content().replace(b"\n700\n", b"\n701\n"), 1, "tampered")
    e = Export(log).from_record(256)
    e.head = e.head.replace(b'"first":256', b'"first":128')
    judge(log, e.content(), 1, "tampered")
    e = Export(log).from_record(256)
    wrong = base64.b64encode(bytes(32)).decode()
    e.head = audit.canonical({"export": 1, "first": 256, "hashes": [wrong]}).encode() + b"\n"
    judge(log, e.content(), 1, "tampered")
    e = Export(log).up_to(600)
    e.tail = audit.canonical({"consistency": [wrong] * 5, "size": 600}).encode() + b"\n"
    judge(log, e.content(), 1, "tampered")


def header(first, *hashes):
    return audit.canonical({"export": 1, "first": first, "hashes": [base64.b64encode(h).decode() for h in hashes]}).encode() + b"\n"


def test_hashes_before_the_first_record_stand_for_no_others(log):
    """Whoever has an export has the root: none of it may stand in for records that are in the file."""
    root = tree_root([leaf(line) for line in log.lines])
    lies = [line_of(seq, "lies") for seq in range(RECORDS)]
    e = Export(log)
    for e.lines, e.tail in ((lies, header(0, root)), (lies[-1:], header(RECORDS - 1, root)), (lies[:3], header(RECORDS - 3, root))):
        judge(log, e.content(), 1, "tampered")
    e = Export(log).from_record(256)
    e.head += e.head
    judge(log, e.content(), 1, "tampered")
    e.head, e.lines = header(RECORDS, root), []
    judge(log, e.content(), 1, "tampered")


def test_a_record_out_of_its_place_is_seen_whatever_comes_before_and_after(log):
    """The last one is right, and so is the number of them: 699 is 0b1010111011, and so many hashes lead to the root."""
    e = Export(log)
    before = [base64.b64decode(h) for h in e.range_of(RECORDS - 1)]
    first = next(n for n in range(RECORDS - 4, 0, -1) if n.bit_count() == len(before))
    e.head = header(first, *before)
    e.lines = [line_of(seq, "lies") for seq in range(RECORDS - 1 - first)] + log.lines[-1:]
    judge(log, e.content(), 1, "tampered")


def test_lines_behind_the_last_and_members_of_proofs_are_no_records(log):
    lie = line_of(RECORDS, "lies") + b"\n"
    for after in (lie, b"\n" + lie, lie[1:]):
        content = Export(log).content() + after
        ran = log.ask("audit", "verify", log.file("x", content), "--json")
        assert ran.code in (1, 3) and ran.json["verdict"] != "verified", str(ran)
        assert example(log.home / "x", log.vkey).returncode in (1, 3)
    e = Export(log).up_to(512)
    e.lines.insert(300, e.tail[:-1])
    judge(log, e.content(), 1, "tampered")
    e = Export(log).proved(7)
    e.lines[1] = audit.canonical({**json.loads(e.lines[1]), "action": "refund", "outcome": "done"}).encode()
    judge(log, e.content(), 1, "tampered")


def test_a_record_that_its_proof_does_not_prove_is_named(log):
    e = Export(log).proved(0, 5, 300)
    e.lines[2] = line_of(5, "lies")
    judge(log, e.content(), 1, "tampered", at=5)
    e = Export(log).proved(0, 5, 300)
    del e.lines[3]
    judge(log, e.content(), 1, "tampered", at=5)
    e = Export(log).proved(0, 300, 5)
    judge(log, e.content(), 1, "tampered", at=5)
    e = Export(log).proved(0, 5, 5)
    judge(log, e.content(), 1, "tampered", at=5)


def test_another_logs_export_needs_its_key(log):
    path = log.file("export.jsonl", Export(log).content())
    assert postern("init", "--data", log.home / "other").code == 0
    other = postern("audit", "verify", path, "--data", log.home / "other", "--json")
    assert (other.code, other.json["verdict"]) == (3, "unverifiable")
    assert postern("audit", "verify", path, "--data", log.home / "other", "--vkey", log.vkey).code == 0
    theirs = postern("audit", "vkey", "--data", log.home / "other").out.strip()
    assert postern("audit", "verify", path, "--data", log.home / "other", "--vkey", theirs).code == 3
    assert example(path, theirs).returncode == 3


def test_an_altered_log_does_not_make_a_right_export_wrong(log):
    write_log(log, log.lines[:20] + [line_of(20, "lies")] + log.lines[21:])
    judge(log, Export(log).content(), 0, "verified")


@pytest.mark.parametrize("content", [b"", b"\n", b"{", b"{}\n", b"nonsense\n", b"\0" * 70000, b"{" + b"x" * 400000, b"[]\n" * 9000,
                                     b'{"export":1,"first":3,"hashes":[]}\n', b'{"consistency":[],"size":0}\n'])
def test_what_is_no_export_is_never_verified(log, content):
    for tail in (b"", log.note.encode()):
        ran = log.ask("audit", "verify", log.file("x", content + tail), "--json")
        assert ran.code in (1, 3) and ran.json["verdict"] != "verified", str(ran)
        assert example(log.home / "x", log.vkey).returncode in (1, 3)


def test_what_else_is_not_an_export_is_called_by_its_name(log):
    def says(content, *args, code=3):
        return verdict(log, log.file("x", content), *args, expect=code)["text"]
    for form in ("csv", "ecs", "cef"):
        assert f"an export in {form};" in says(log.run("audit", "export", "--after", "690", "--format", form).out)
    assert "--json makes" in says(log.run("audit", "export", "--after", "690", "--json").out)
    assert "audit export --proofs" in says(log.run("audit", "prove", "5").out)
    assert "neither records nor" in says("root:x:0:0\n")
    late = log.run("audit", "export", "--after", "690").out
    assert "without --checkpoint" in says(late, "--note", log.file("note", log.note), code=1)


def test_lines_with_identities_are_not_blamed_on_anybody(data, site):
    site.import_actions({"actions": [{
        "name": "mine", "title": "Mine", "description": "What is mine.", "access": "personal", "effect": "read",
        "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
        "connector": {"type": "documents", "collection": "things", "operation": "list"}}]})
    data.run("action", "run", "acme", "mine", "--token-file", data.file("t", site.token()))
    note = data.file("note", data.run("audit", "checkpoint").out)
    plain = data.file("plain", data.run("audit", "export").out)
    named = data.file("named", data.run("audit", "export", "--with-identity").out)
    assert data.run("audit", "verify", plain, "--note", note).out.startswith("verified")
    assert "--with-identity adds" in data.run("audit", "verify", named, "--note", note, expect=1).out


def test_one_record_is_one(data, site):
    data.run("audit", "checkpoint")
    last = json.loads(data.run("audit", "export").out.splitlines()[-1])["seq"]
    one = data.run("audit", "export", "--checkpoint", "--after", last - 1).out
    assert "1 record, from" in data.run("audit", "verify", data.file("one", one)).out
    one = data.run("audit", "export", "--proofs", "--after", last - 1).out
    assert "1 record, proved" in data.run("audit", "verify", data.file("one", one)).out


def test_every_flipped_byte_of_a_small_export_is_seen(data):
    data.check_lines = False
    lines = [line_of(seq) for seq in range(3)]
    data.run("site", "add", "acme")
    write_log(data, lines)
    content = b"".join(line + b"\n" for line in lines) + data.run("audit", "checkpoint").out.encode()
    vkey = data.run("audit", "vkey").out.strip()
    note = content.index(b"postern/")
    for at in range(0, len(content), 7):
        damaged = content[:at] + bytes([content[at] ^ 1]) + content[at + 1:]
        ran = data.ask("audit", "verify", data.file("x", damaged), "--json")
        assert ran.json["verdict"] in ("tampered", "truncated", "unverifiable"), (at, str(ran))
        if at < note:
            assert ran.code == 1 and ran.json["at"] <= at // len(lines[0]), (at, str(ran))
    assert data.run("audit", "verify", data.file("x", content), "--vkey", vkey)
