"""A worker killed in the middle of its work: what was answered is there, with its record, and nothing is there by half."""
import random
import threading
import time
from collections import Counter

import pytest

from lib import notes
from lib.programs import wait_until
from lib.rawdb import RawDb
from lib.worker import Worker

CLIENTS = 6
ROUNDS = 50


class Client(threading.Thread):
    """A visitor that creates notes and counts its first one up, until the worker is gone."""

    def __init__(self, worker, who, answered):
        super().__init__()
        self.worker, self.who, self.answered, self.failures = worker, who, answered, []

    def run(self):
        try:
            with self.worker.connect() as connection:
                self.work(connection)
        except (ConnectionError, TimeoutError):
            pass
        except Exception as problem:                # pylint: disable=broad-except
            self.failures.append(repr(problem))

    def ask(self, connection, action, parameters):
        """The answer's JSON, or None where the connection ended first."""
        env, body = notes.request_for(action, parameters, self.who["token"])
        reply = connection.ask(env, body, keep=True)
        if not reply.ended:
            return None
        answer = reply.answer.check()
        assert answer.status == 200, str(answer)
        self.answered.append((action, self.who["email"], answer.json))
        return answer.json

    def work(self, connection):
        if self.who["note"] and not self.look(connection):
            return
        while True:
            made = self.ask(connection, "create_note", {"text": self.who["email"]})
            if made is None:
                return
            self.who["note"] = self.who["note"] or made["result"]["id"]
            for _ in range(2):
                counted = self.ask(connection, "count_note", {"id": self.who["note"], "n": self.who["n"] + 1})
                if counted is None:
                    return
                self.who["n"] += 1

    def look(self, connection):
        """The last count may have been made without an answer."""
        seen = self.ask(connection, "read_note", {"id": self.who["note"]})
        if seen is None:
            return False
        n = seen["result"]["data"]["n"]
        assert self.who["n"] <= n <= self.who["n"] + 1, f"answered up to {self.who['n']}, there is {n}"
        self.who["n"] = n
        return True


def run_until_killed(data, visitors, answered, moment):
    worker = Worker(data, "--audit-budget", "0", threads=2)
    try:
        health = notes.health(worker)
        assert health.status == 200, str(health)
        before = len(answered)
        clients = [Client(worker, who, answered) for who in visitors]
        for c in clients:
            c.start()
        wait_until(lambda: len(answered) > before + 3, "the load to begin")
        time.sleep(moment)                          # the moment of the kill is what varies
    finally:
        worker.kill()
    for c in clients:
        c.join(20)
        assert not c.is_alive() and not c.failures, c.failures
    warnings = [line for line in worker.log().splitlines() if line[1] < "5" and "running as root" not in line]
    assert not warnings, warnings


def stored_notes(data):
    return data.run("document", "list", notes.SITE, "notes", "--json").json


def check_books(data, visitors, answered):
    """Every change has its record, every record its change, and what was answered is among them."""
    done = data.audit(event="action", outcome="done")
    ids = {r["id"] for r in done}
    assert len(ids) == len(done), "an action has two records"
    missing = [a for a in answered if a[2]["audit"] not in ids]
    assert not missing, f"answered without a record: {missing[:3]}"

    subjects = {}
    records = {r["id"]: r for r in done}
    for _, email, answer in answered:
        subjects.setdefault(email, set()).add(records[answer["audit"]]["subject"])
    assert all(len(s) == 1 for s in subjects.values())

    rows = {row["id"]: row["data"] for row in stored_notes(data)}
    per_record = Counter((r["subject"], r["action"]) for r in done)
    for who in visitors:
        subject = next(iter(subjects[who["email"]]))
        mine = {i: d for i, d in rows.items() if d["text"] == who["email"]}
        assert len(mine) == per_record[subject, "create_note"], who
        assert mine[who["note"]]["n"] == per_record[subject, "count_note"], who
        assert mine[who["note"]]["n"] >= who["n"]
        lost = [a for name, email, a in answered if name == "create_note" and email == who["email"] and a["result"]["id"] not in mine]
        assert not lost, f"answered, and not there: {lost[:3]}"
    assert len(rows) == sum(n for (_, name), n in per_record.items() if name == "create_note")


def kill_often(data, rounds):
    site = data.add_site(notes.SITE, actions=notes.ACTIONS)
    visitors = [{"email": f"v{i}@example.com", "note": None, "n": 0, "token": site.token(email=f"v{i}@example.com")}
                for i in range(CLIENTS)]
    answered, luck = [], random.Random(7)
    for _ in range(rounds):
        run_until_killed(data, visitors, answered, luck.uniform(0, 0.06))
    # The next start needs no repair: the ring is in order, the service answers, the books balance.
    data.run("key", "check", notes.SITE)
    with Worker(data) as worker:
        assert notes.health(worker).status == 200
        assert notes.identity(worker, site.token()).json["identity"]["status"] == "verified"
    check_books(data, visitors, answered)
    assert len(answered) > rounds * 4


@pytest.mark.limit(90)
def test_what_was_answered_before_a_kill_is_there_and_nothing_is_there_by_half(data):
    kill_often(data, ROUNDS)


@pytest.mark.slow
@pytest.mark.limit(500)
def test_the_same_over_hundreds_of_kills(data):
    kill_often(data, 400)


def test_reader_slots_of_killed_workers_are_cleared_by_the_next_start(data, site):
    killed = set()
    for _ in range(3):
        with Worker(data) as living, Worker(data) as dying:
            notes.identity(dying, site.token())
            notes.identity(living, site.token())
            dying.kill()
            killed.add(dying.pid)
            with RawDb(data.path / "vault") as vault:
                assert dying.pid in vault.reader_pids(), "nothing to clear: the test shows nothing"
            with Worker(data), RawDb(data.path / "vault") as vault:
                assert not killed & vault.reader_pids()
                assert living.pid in vault.reader_pids()


@pytest.mark.slow
def test_a_running_worker_clears_the_slots_of_a_killed_one_within_its_half_minute(data, site):
    with Worker(data) as living, Worker(data) as dying:
        notes.identity(dying, site.token())
        notes.identity(living, site.token())
        dying.kill()
        with RawDb(data.path / "vault") as vault:
            assert dying.pid in vault.reader_pids()
            wait_until(lambda: dying.pid not in vault.reader_pids(), "the slots to be cleared", 40)
