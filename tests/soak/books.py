"""What must be true of a run as a whole, from what the clients were answered, the log as it was exported, and the rows that are left."""
import base64
import hashlib
import json
from collections import Counter, defaultdict

from lib import audit
from soak import shop

SCHEMA_EVERY = 97                  # lines between two that are held against the schema: all of them would take longer than the run
LOST_SECONDS = 3.0                 # what a worker that ended may have answered before its end without its record being written
QUEUED = {"hello"}                 # public reads: their record is not waited for
RECORDED = {"count", "look", "create", "delete", "listing", "foreign", "hello", "leave", "take_away", "own_conversation", "race", "thief",
            "parameters", "forged", "expired", "retired", "other_site", "sign_in"}
TAKES = ("take_", "release_")


class Row:
    """An answer, or that none came, as clients.py writes it."""
    __slots__ = ("kind", "action", "visitor", "socket", "sent", "at", "status", "code", "id", "conversation")

    def __init__(self, values):
        for name, value in zip(self.__slots__, values):
            setattr(self, name, value)


def read_clients(paths):
    """(rows, what the visitors know, problems)"""
    rows, visitors, problems = [], [], []
    for path in paths:
        lines = path.read_text(encoding="utf-8").splitlines()
        for line in lines:
            value = json.loads(line)
            if isinstance(value, list):
                rows.append(Row(value))
            elif "problem" in value:
                problems += [value["problem"]] if value["problem"] else []
            else:
                visitors.append(value)
        assert lines and "problem" in json.loads(lines[-1]), f"{path} has no end: its process crashed"
    return rows, visitors, problems


# ---- the log ----

def check_joined(lines):
    """Gapless and without doubles from the first record on; a sample against the schema. Returns the records."""
    records = []
    for seq, line in enumerate(lines):
        record = json.loads(line)
        assert record["seq"] == seq, f"the exports that were joined have seq {record['seq']} in place {seq}"
        if seq % SCHEMA_EVERY == 0:
            audit.check_line(line, seq)
        records.append(record)
    return records


def check_followed(lines, joined, doubles):
    """Every record, in order, byte for byte; again only where doubles are allowed, and then from an earlier one on."""
    expected, again = 0, 0
    for line in lines:
        seq = json.loads(line)["seq"]
        assert line == joined[seq], f"record {seq} was exported in two spellings"
        assert seq <= expected, f"records {expected} to {seq - 1} are missing"
        again += seq < expected
        expected = seq + 1
    assert expected == len(joined), f"the export ends at {expected}, the log at {len(joined)}"
    assert doubles or not again, f"{again} records came again"
    return again


def notes_of(text):
    """[(size, root)] of signed notes, one after the other."""
    lines = text.split("\n")
    return [(int(lines[i + 1]), base64.b64decode(lines[i + 2])) for i, line in enumerate(lines)
            if line.startswith("postern/") and i + 2 < len(lines) and lines[i + 1].isdigit()]


def check_notes(lines, notes):
    """Each note's root is that of so many leaves, worked out here by RFC 6962."""
    wanted = dict(notes)
    assert len(wanted) == len(set(notes)), "two roots were signed for one size"
    peaks = []                          # [(height, hash)], the highest first
    for size, line in enumerate(lines, 1):
        height, node = 0, hashlib.sha256(b"\0" + line.encode()).digest()
        while peaks and peaks[-1][0] == height:
            node = hashlib.sha256(b"\1" + peaks.pop()[1] + node).digest()
            height += 1
        peaks.append((height, node))
        if size in wanted:
            root = peaks[-1][1]
            for _, left in reversed(peaks[:-1]):
                root = hashlib.sha256(b"\1" + left + root).digest()
            assert root == wanted.pop(size), f"the checkpoint of {size} records has another root"
    wanted.pop(0, None)
    assert not wanted, f"checkpoints of more than there is: {wanted}"


def exempt(row, ends):
    """Was it answered by a worker that may have ended before a record that nobody waits for was written?"""
    return any(row.socket == socket and row.at - 0.5 <= end <= row.at + LOST_SECONDS for socket, end in ends)


def check_answers(rows, records, ends):
    """Every answer has its record, which says the same. Returns how many had none for a reason."""
    by_id = defaultdict(list)
    for record in records:
        by_id[record["id"]].append(record)
    excused = 0
    for row in rows:
        if row.status is None or row.status == 503 or row.status == 409 and not row.code:
            continue
        found = by_id.get(row.id, [])
        recorded = row.kind in RECORDED or row.kind.startswith(TAKES) or (row.kind == "identity" and row.status == 401)
        if not recorded:
            assert not found, f"{row.kind}, answered {row.status}, has a record: {found}"
            continue
        if not found and exempt(row, ends) and (row.kind in QUEUED or row.status == 401):
            excused += 1
            continue
        assert len(found) == 1, f"{row.kind}, answered {row.status} {row.code} with {row.id}, has {len(found)} records: {found}"
        outcome = "done" if row.status == 200 else "blocked" if row.code in ("token_invalid", "token_expired") else "refused"
        assert found[0]["outcome"] == outcome, (row.kind, row.status, found)
    return excused


def check_strangers(rows, records, lost):
    """No record of a client's request that was neither answered nor lost."""
    answered = {row.id for row in rows if row.id}
    strange = [r for r in records if r["event"] in ("action", "identity") and r["id"] not in answered]
    assert len(strange) <= lost, f"{len(strange)} records of requests nobody asked, {lost} had no answer: {strange[:3]}"
    return len(strange)


# ---- deeds ----

def subjects_of(rows, records):
    """{visitor: subject}: one each, and each another."""
    by_id = {r["id"]: r for r in records}
    found = defaultdict(set)
    for row in rows:
        if row.visitor is not None and row.status == 200 and row.id in by_id and "subject" in by_id[row.id]:
            found[row.visitor].add(by_id[row.id]["subject"])
    assert all(len(s) == 1 for s in found.values()), "a visitor has two subjects"
    flat = {visitor: next(iter(s)) for visitor, s in found.items()}
    assert len(set(flat.values())) == len(flat), "two visitors have one subject"
    return flat


def check_deeds(rows, records, visitors, documents):
    """Each deed as often as it was answered, and at most those besides that had no answer; and as often as the log says."""
    subjects = subjects_of(rows, records)
    done = Counter((r["subject"], r["action"]) for r in records if r["outcome"] == "done" and "subject" in r and "action" in r)
    answered = Counter((row.visitor, row.kind) for row in rows if row.status == 200)
    lost = Counter((row.visitor, row.kind) for row in rows if row.status is None)
    for said in visitors:
        v, subject = said["visitor"], subjects.get(said["visitor"])
        mine = {i: data for i, (owner, data) in documents.items() if owner == shop.email(v)}
        for kind, action in (("create", "create_note"), ("count", "count_note"), ("delete", "delete_note")):
            assert answered[v, kind] <= done[subject, action] <= answered[v, kind] + lost[v, kind], \
                f"{shop.email(v)}: {kind}: {answered[v, kind]} answered, {lost[v, kind]} without, {done[subject, action]} done"
        assert len(mine) == done[subject, "create_note"] - done[subject, "delete_note"], f"{shop.email(v)} has {mine}"
        assert not set(said["notes"]) - set(mine), f"{shop.email(v)} lost {set(said['notes']) - set(mine)}"
        texts = Counter(data["text"] for data in mine.values())
        assert all(n == 1 for n in texts.values()), f"{shop.email(v)}: something was made twice: {texts}"
        strange = {i for i, data in mine.items() if i not in said["notes"] and i not in said["maybe_gone"]
                   and data["text"] not in said["maybe_made"]}
        assert not strange, f"{shop.email(v)} has what it never made, or deleted: {strange}"
        if said["counter"]:
            assert mine[said["counter"]]["n"] == done[subject, "count_note"], f"{shop.email(v)} counts otherwise than the log"
            assert said["n"] <= mine[said["counter"]]["n"] <= said["n"] + said["unsure"]
    owners = {shop.email(said["visitor"]) for said in visitors}
    assert {owner for owner, _ in documents.values()} <= owners, "somebody else owns notes"


def check_slots(rows, records):
    """Of many who want one thing, one gets it: as the log has it, takes and releases take turns."""
    by_id = {r["id"] for r in records}
    for number in (slot.rsplit("-", 1)[1] for slot in shop.SLOTS):
        order = [r["action"] for r in records if r.get("action") in (f"take_{number}", f"release_{number}") and r["outcome"] == "done"]
        assert order, "nobody took anything"
        for i, action in enumerate(order):
            assert action == (f"take_{number}" if i % 2 == 0 else f"release_{number}"), f"slot {number} was taken twice at once: {order[i - 2:i + 2]}"
        kinds = {f"take_{number}", f"release_{number}"}
        assert all(row.id in by_id for row in rows if row.kind in kinds and row.status == 200)


def check_conversations(rows):
    """One that many wanted is one visitor's."""
    owners = defaultdict(set)
    for row in rows:
        if row.kind == "race" and row.status == 200:
            owners[row.conversation].add(row.visitor)
    shared = {c: who for c, who in owners.items() if len(who) > 1}
    assert not shared, f"conversations of several: {shared}"
    return len(owners)
