"""Several admins at one ring: two consoles and the command line, with a worker that reads it all the while. Each sees what the
others did, nobody's change is lost, and no answer acts on a ring that has moved on since the question."""
import os
import random
import re
import subprocess
import time

import pytest

from lib import fastcgi
from lib.programs import SANITIZED, environment, program, wait_until
from lib.ringscreen import TIMES, RingScreen
from lib.terminal import Console

pytestmark = pytest.mark.tree("plain")

SEES_SECONDS = 10 if SANITIZED else 1
STEPS = 40 if SANITIZED else 120
ROUNDS = 3 if SANITIZED else 8
RING_MAX = 3
FOREIGN = "a secret that was made elsewhere, long enough"
SECONDS = dict(zip(TIMES, (0, 3600, 86400, 2 * 86400, 7 * 86400)))


def ring_of(data):
    """{kid: retire_at or None} of the live keys, as the command line has them."""
    return {k["kid"]: k["retire_at"] for k in data.run("key", "list", "acme", "--json").json if k["state"] != "retired"}


def states(ring):
    return {kid: "retiring" if at else "active" for kid, at in ring.items()}


def done_changes(data):
    """[(what, kid)] of the changes of keys that were made, each with its two records: `intended`, and how it ended. A key that
    is retired now does not wait for the second."""
    def both():
        found = {}
        for record in data.audit(event="key"):
            found.setdefault(record["id"], []).append(record)
        return list(found.values()) if all(len(records) > 1 for records in found.values()) else None
    made = []
    for records in wait_until(both, "both records of each change"):
        assert len(records) == 2 and records[0]["outcome"] == "intended", records
        last = records[1]
        assert last["detail"]["change"] == records[0]["detail"]["change"], records
        if last["outcome"] == "done":
            made.append((last["detail"]["change"], last["kid"]))
        else:
            assert last["outcome"] == "refused" and last["reason"] in ("ring_changed", "ring_full", "key_gone"), records
    return made


@pytest.fixture
def ring(data, site, worker):
    """A site with a key, the worker on it, and two consoles that show its ring: (site, A, B)."""
    assert worker.pid
    with Console(data, "--site", "acme") as one, Console(data, "--site", "acme") as other:
        a, b = RingScreen(one, site), RingScreen(other, site)
        for screen in (a, b):
            screen.wait_slots({site.kid: "active"})
        yield site, a, b


# ---- what one does, the others see ----

def test_each_sees_the_others_change_within_a_second(data, ring):
    site, a, b = ring
    first = site.kid

    def both_see(what, *args, **how):
        what(*args, **how)
        began, wanted = time.monotonic(), states(ring_of(data))
        for screen in (a, b):
            screen.wait_slots(wanted, began + SEES_SECONDS - time.monotonic())

    both_see(a.do, "create", label="by A")
    both_see(b.do, "create", label="by B")
    third = site.kid
    both_see(site.retire, third)
    for screen in (a, b):
        screen.screen.wait_for(re.compile(rf"x retired +{third}"), SEES_SECONDS)
    both_see(site.retire, first, "--in", "24h")
    both_see(b.do, "keep", first)
    both_see(a.do, "retire", first, when="in 48 h")
    both_see(a.do, "retire", first, when="now")
    both_see(b.do, "rotate", next(iter(ring_of(data))))
    both_see(data.run, "key", "import", "acme", stdin=FOREIGN)
    assert [what for what, _ in done_changes(data)] == ["create", "create", "create", "retire", "schedule", "keep", "schedule",
                                                        "retire", "rotate", "import"]


def test_the_list_of_sites_sees_them_too(data, ring):
    site, a, b = ring
    b.screen.press("1")
    b.screen.wait_for(re.compile(r"acme +pro +●○○"))
    a.do("create")
    b.screen.wait_for(re.compile(r"acme +pro +●●○"), SEES_SECONDS)
    site.retire(site.kid)
    b.screen.wait_for(re.compile(r"acme +pro +●○○"), SEES_SECONDS)
    data.run("site", "add", "another")
    b.screen.wait_for("another", SEES_SECONDS)
    data.run("site", "remove", "another", "--yes")
    b.screen.wait_gone("another", SEES_SECONDS)


def test_a_site_removed_under_a_dialog_is_said(data, ring):
    _, a, b = ring
    assert a.ask("create") and b.ask("rotate", next(iter(b.slots())))
    data.run("site", "remove", "acme", "--yes")
    for screen in (a, b):
        assert screen.accept() == "site_unknown"
        screen.screen.wait_for("There is no site acme")
        assert not screen.ask("create") and not screen.slots()
    data.run("site", "show", "acme", expect=1)


# ---- an answer to a question about another ring ----

def test_a_create_is_refused_once_the_ring_is_full(data, ring):
    """Two keys, and the dialog is open: another admin makes the third."""
    _, a, b = ring
    a.do("create")
    b.wait_slots(set(ring_of(data)))
    assert a.ask("create", label="one too many")
    b.do("create", label="the third")
    full = ring_of(data)
    assert len(full) == RING_MAX
    assert a.accept() == "ring_full"
    assert ring_of(data) == full
    a.wait_slots(set(full))
    assert not a.ask("create")                  # now it does not even ask
    a.screen.wait_for("ring_full")
    assert [what for what, _ in done_changes(data)] == ["create"] * 3
    assert data.audit(event="key", outcome="done")[-1]["detail"]["label"] == "the third"


# site, the other console; this: the key of the question; spare: the other one, which ends in 30 h
OTHERS = {
    "rotates": lambda site, other, this, spare: other.do("rotate", spare, when="in 24 h"),
    "retires-this": lambda site, other, this, spare: other.do("retire", this, when="now"),
    "retires-another": lambda site, other, this, spare: other.do("retire", spare, when="now"),
    "schedules-this": lambda site, other, this, spare: other.do("retire", this, when="in 7 d"),
    "keeps-another": lambda site, other, this, spare: other.do("keep", spare),
    "creates": lambda site, other, this, spare: other.do("create"),
    "cli-rotates-this": lambda site, other, this, spare: site.data.run("key", "rotate", "acme", this),
    "cli-retires-this": lambda site, other, this, spare: site.retire(this),
    "cli-schedules-this": lambda site, other, this, spare: site.retire(this, "--in", "1h"),
    "cli-keeps-another": lambda site, other, this, spare: site.data.run("key", "keep", "acme", spare),
    "cli-imports": lambda site, other, this, spare: site.data.run("key", "import", "acme", stdin=FOREIGN),
}


@pytest.mark.parametrize("question", ["retire", "rotate", "keep"])
@pytest.mark.parametrize("other", OTHERS)
def test_an_answer_to_a_question_about_another_ring_changes_nothing(data, ring, question, other):
    site, a, b = ring
    spare, this = site.kid, site.add_key()
    site.retire(spare, "--in", "30h")
    if question == "keep":
        site.retire(this, "--in", "20h", "--yes")
    for screen in (a, b):
        screen.wait_slots(states(ring_of(data)))
    assert a.ask(question, this, when="in 48 h")
    OTHERS[other](site, b, this, spare)
    after, records = ring_of(data), len(data.audit_lines())
    assert a.accept() == "ring_changed"
    assert ring_of(data) == after
    assert len(data.audit_lines()) == records, "what was not done is no event"
    a.wait_slots(states(after))
    a.screen.wait_for("look again")


def test_a_cancelled_answer_changes_nothing_either(data, ring):
    site, a, _ = ring
    site.add_key()
    site.retire(site.kid, "--in", "30h")
    a.wait_slots(states(ring_of(data)))
    before, records = ring_of(data), data.audit_lines()
    for what in ("create", "rotate", "retire", "keep"):
        assert a.ask(what, site.kid if what != "create" else None, when="now")
        a.cancel()
    assert ring_of(data) == before and data.audit_lines() == records


# ---- many changes of many admins ----

class Model:
    """What the ring must be, and what each actor must be told, if nothing is lost."""

    def __init__(self, ring):
        self.ring, self.version, self.made = dict(ring), 0, []

    def refusal(self, what, kid, seen):
        """seen: the version when the question was put; None: it was put of the ring as it is."""
        if what != "create" and seen not in (None, self.version):
            return "ring_changed"
        if what != "create" and kid not in self.ring:
            return "key_gone"
        return "ring_full" if what in ("create", "rotate") and len(self.ring) == RING_MAX else ""

    def apply(self, what, kid, when, new):
        """when: of rotate and retire. Moments are known to the second only: what counts is which of two is later."""
        at = time.time() + SECONDS[when]
        if what == "rotate" and self.ring[kid]:
            at = min(at, self.ring[kid])
        if what in ("create", "rotate"):
            self.ring[new] = None
        if what in ("rotate", "retire"):
            self.ring[kid] = at
        if what == "keep":
            self.ring[kid] = None
        if what in ("rotate", "retire") and when == "now":
            del self.ring[kid]
        self.version += 1
        self.made.append(({"retire": "retire" if when == "now" else "schedule"}.get(what, what), new or kid))

    def check(self, site, worker, kids):
        """Against what the command line says of the ring, and against what the worker says of tokens under these keys."""
        found = ring_of(site.data)
        assert set(found) == set(self.ring) and states(found) == states(self.ring), (found, self.ring)
        for kid, at in self.ring.items():
            assert at is None or abs(found[kid] - at) < 30, (kid, found[kid], at)
        for kid in filter(None, kids):
            answer = fastcgi.ask(worker, path="/v1/sites/acme/identity", token=site.token(kid))
            assert answer.status == (200 if kid in self.ring else 401), (kid, self.ring)


class CommandLine:
    """An actor whose question and answer are one."""

    def __init__(self, site):
        self.site, self.order = site, None

    def ask(self, what, kid, when):
        self.order = what, kid, when
        return True

    def accept(self):
        what, kid, when = self.order
        retire = {"now": ("--now",), "in 1 h": ("--in", "1h"), "in 24 h": ("--in", "24h"), "in 48 h": ("--in", "48h"),
                  "in 7 d": ("--in", "7d")}[when]
        args = {"create": ("key", "create", "acme", "--json"), "keep": ("key", "keep", "acme", kid),
                "rotate": ("key", "rotate", "acme", kid, "--json", "--grace", when.removeprefix("in ").replace(" ", "")),
                "retire": ("key", "retire", "acme", kid, *retire, "--yes")}[what]
        ran = self.site.data.ask(*["0s" if arg == "now" else arg for arg in args])
        assert ran.code in (0, 1), ran
        if ran.code:
            return re.match(r"postern: (\w+)", ran.err).group(1)
        if what in ("create", "rotate"):
            self.site.knows(ran.json["kid"], ran.json["secret"])
        return ""


def choose(dice, ring):
    """(what, kid, when): something that an admin who sees this ring may want."""
    ending = [kid for kid, at in ring.items() if at]
    what = dice.choice(["create", "rotate", "retire", "retire", *["keep"] * bool(ending)])
    kid = dice.choice(ending if what == "keep" else list(ring)) if ring and what != "create" else None
    return (what, kid, dice.choice(["now", *TIMES])) if kid else ("create", None, "now")


def step(dice, actor, pending, model, worker):
    """The actor puts a question, or gets the answer to the one it has put."""
    console = isinstance(actor, RingScreen)
    if actor not in pending:
        what, kid, when = choose(dice, model.ring)
        if console:
            actor.enter_anew()                  # else it may show the ring as it was a tenth of a second ago
            actor.wait_slots(states(model.ring))
        if actor.ask(what, kid, when=when):
            pending[actor] = what, kid, when, model.version
        else:
            assert model.refusal(what, kid, None) == "ring_full", (what, kid)
        return
    what, kid, when, seen = pending.pop(actor)
    if console and dice.random() < 0.2:
        actor.cancel()
        return
    known = set(actor.site.keys)
    expected = model.refusal(what, kid, seen if console else None)
    assert actor.accept() == expected, (what, kid, when, seen, model.version)
    new = next(iter(set(actor.site.keys) - known), None)
    if not expected:
        model.apply(what, kid, when, new)
    model.check(actor.site, worker, [kid, new])


def test_whoever_acts_in_whatever_order_no_change_is_lost(data, ring, worker):
    site, a, b = ring
    seed = int(os.environ.get("POSTERN_SEED") or random.randrange(10**6))
    print(f"POSTERN_SEED={seed}")
    dice, model, pending, actors = random.Random(seed), Model(ring_of(data)), {}, [a, b, CommandLine(site)]
    model.made.append(("create", site.kid))
    for _ in range(STEPS):
        step(dice, dice.choice(actors), pending, model, worker)
    for screen in (a, b):
        if screen in pending:
            screen.cancel()
        screen.wait_slots(states(model.ring), SEES_SECONDS)
    assert sorted(done_changes(data)) == sorted(model.made)
    assert len(model.made) > STEPS / 10


def test_of_those_who_press_enter_at_the_same_moment_one_wins(data, ring):
    """Two keys in the ring, three who make the third: two consoles and a command."""
    site, a, b = ring
    site.add_key()
    two = ring_of(data)
    for _ in range(ROUNDS):
        for screen in (a, b):
            screen.wait_slots(set(two))
            assert screen.ask("create")
        before = len(done_changes(data))
        with subprocess.Popen([program("postern"), "key", "create", "acme", "--data", str(data.path)], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, env=environment()) as command:
            os.write(a.screen.master, b"\r")
            os.write(b.screen.master, b"\r")
            told = [a.answer(), b.answer(), "" if command.wait(30) == 0 else "ring_full"]
        assert sorted(told) == ["", "ring_full", "ring_full"]
        made = [kid for _, kid in done_changes(data)[before:]]
        assert len(made) == 1 and set(ring_of(data)) == {*two, *made}
        site.retire(made[0])


def test_of_two_who_act_on_the_same_key_one_wins(data, ring):
    site, a, b = ring
    for turn in range(ROUNDS):
        kid = site.add_key()
        for screen, what in ((a, "retire"), (b, ("retire", "rotate")[turn % 2])):
            screen.wait_slots(set(ring_of(data)))
            assert screen.ask(what, kid, when="now")
        before = len(done_changes(data))
        os.write(a.screen.master, b"\r")
        os.write(b.screen.master, b"\r")
        told = [a.answer(), b.answer()]
        # The second is told that the key is gone where it looked at it after the first had deleted it: both are right.
        assert "" in told and set(told) - {""} <= {"ring_changed", "key_gone"} and len(set(told)) == 2, told
        made = done_changes(data)[before:]
        assert len(made) == 1 and kid not in ring_of(data), made
        for other in ring_of(data):
            if len(ring_of(data)) > 1:
                site.retire(other)
