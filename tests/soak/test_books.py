"""The soak's books find what they look for: each check is given a run that is in order, and then one that is not."""
import base64
import hashlib
import json

import pytest

from soak import books, shop

SUBJECTS = ["h1:" + str(i) * 32 for i in range(2)]


def record(seq, action, visitor, outcome="done", **more):
    return {"seq": seq, "id": f"id-{seq}", "event": "action", "outcome": outcome, "action": action, "subject": SUBJECTS[visitor], **more}


def answer(seq, kind, visitor, status=200, code=None, conversation=None, socket="alone", at=100.0):
    return books.Row([kind, kind, visitor, socket, at, at, status, code, f"id-{seq}", conversation])


def a_run():
    """Two visitors: each makes two notes, counts one and deletes the other."""
    records, rows, visitors, documents = [], [], [], {}
    for v in range(2):
        for kind, action in (("create", "create_note"), ("create", "create_note"), ("count", "count_note"), ("delete", "delete_note")):
            rows.append(answer(len(records), kind, v))
            records.append(record(len(records), action, v))
        visitors.append({"visitor": v, "counter": f"n{v}", "n": 1, "unsure": False, "notes": {f"n{v}": f"text {v}"},
                         "maybe_made": [], "maybe_gone": {}})
        documents[f"n{v}"] = (shop.email(v), {"text": f"text {v}", "n": 1})
    return records, rows, visitors, documents


def lines_of(records):
    return [json.dumps(r) for r in records]


def test_a_run_in_order_is_in_order():
    records, rows, visitors, documents = a_run()
    assert books.check_answers(rows, records, []) == 0
    assert books.check_strangers(rows, records, 0) == 0
    books.check_deeds(rows, records, visitors, documents)


def test_an_answer_without_its_record():
    records, rows, *_ = a_run()
    with pytest.raises(AssertionError, match="has 0 records"):
        books.check_answers(rows, records[1:], [])
    hello = [answer("gone", "hello", None)]
    with pytest.raises(AssertionError, match="has 0 records"):
        books.check_answers(hello, records, [("alone", 200.0), ("mortal", 100.0)])
    assert books.check_answers(hello, records, [("alone", 101.0)]) == 1


def test_a_record_that_says_otherwise_or_is_nobodys():
    records, rows, *_ = a_run()
    with pytest.raises(AssertionError):
        books.check_answers(rows, [{**r, "outcome": "refused"} if r["seq"] == 3 else r for r in records], [])
    with pytest.raises(AssertionError, match="nobody asked"):
        books.check_strangers(rows[1:], records, 0)
    with pytest.raises(AssertionError, match="has 2 records"):
        books.check_answers(rows, [*records, records[0]], [])


@pytest.mark.parametrize("wrong", [
    lambda d, v: d.pop("n0"), lambda d, v: d.update(n2=(shop.email(0), {"text": "again", "n": 0})),
    lambda d, v: d["n0"][1].update(n=2), lambda d, v: d["n0"][1].update(n=0), lambda d, v: d.update(n0=(shop.email(1), d["n0"][1])),
    lambda d, v: v[0].update(n=2), lambda d, v: d.update(n9=("stranger@example.com", {"text": "x", "n": 0})),
    lambda d, v: v[0]["notes"].update(n7="another")])
def test_a_deed_too_many_or_too_few(wrong):
    records, rows, visitors, documents = a_run()
    wrong(documents, visitors)
    with pytest.raises((AssertionError, KeyError)):
        books.check_deeds(rows, records, visitors, documents)


def test_two_visitors_of_one_subject():
    records, rows, *_ = a_run()
    with pytest.raises(AssertionError, match="one subject"):
        books.subjects_of(rows, [{**r, "subject": SUBJECTS[0]} for r in records])
    with pytest.raises(AssertionError, match="two subjects"):
        books.subjects_of(rows, [{**r, "subject": SUBJECTS[1]} if r["seq"] == 1 else r for r in records])


def test_exports_with_gaps_and_doubles(monkeypatch):
    monkeypatch.setattr(books.audit, "check_line", lambda *_: None)       # what a line is made of is tests/lib/audit.py's
    lines = lines_of(a_run()[0])
    assert len(books.check_joined(lines)) == len(lines)
    for wrong in (lines[:3] + lines[4:], lines[:3] + lines[2:], lines[1:]):
        with pytest.raises(AssertionError, match="have seq"):
            books.check_joined(wrong)
    assert books.check_followed(lines, lines, False) == 0
    assert books.check_followed(lines[:4] + lines[2:], lines, True) == 1
    for wrong in (lines[:3] + lines[4:], lines[:-1], [*lines[:-1], lines[-1].replace("done", "DONE")]):
        with pytest.raises(AssertionError):
            books.check_followed(wrong, lines, True)
    with pytest.raises(AssertionError, match="came again"):
        books.check_followed(lines[:4] + lines[2:], lines, False)


def test_a_root_that_is_another():
    lines = ["a", "b", "c"]
    leaf = [hashlib.sha256(b"\0" + line.encode()).digest() for line in lines]
    two = hashlib.sha256(b"\1" + leaf[0] + leaf[1]).digest()
    three = hashlib.sha256(b"\1" + two + leaf[2]).digest()
    text = f"postern/host/1\n3\n{base64.b64encode(three).decode()}\n\n\N{EM DASH} postern/host/1 sig\n"
    assert books.notes_of(text) == [(3, three)]
    books.check_notes(lines, [(1, leaf[0]), (2, two), (3, three), (3, three)])
    for wrong in ([(2, three)], [(4, three)], [(3, three), (3, two)]):
        with pytest.raises(AssertionError):
            books.check_notes(lines, wrong)


def test_one_thing_two_takers():
    order = ["take_1", "release_1", "take_1", "take_2", "release_1", "release_2"]
    books.check_slots([], [record(i, a, 0) for i, a in enumerate(order)])
    for wrong in (["take_1", "take_1", "take_2"], ["release_1", "take_2"], ["take_1"]):
        with pytest.raises(AssertionError):
            books.check_slots([], [record(i, a, 0) for i, a in enumerate(wrong)])


def test_a_conversation_of_two():
    assert books.check_conversations([answer(0, "race", 0, conversation="r"), answer(1, "race", 0, conversation="r"),
                                      answer(2, "race", 1, 403, "conversation_conflict", "r")]) == 1
    with pytest.raises(AssertionError, match="several"):
        books.check_conversations([answer(0, "race", 0, conversation="r"), answer(1, "race", 1, conversation="r")])
