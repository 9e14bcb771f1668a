"""The Nth call fails, for every N there is in a command of an admin's: exit 1 or 3 and one sentence, the old state or the new one
whole, and the same command works when it is given again.

POSTERN_SLOW=1 tries every N, else some."""
import json
import re
import shutil
import subprocess
from collections import Counter

import pytest

from lib import notes
from lib.datadir import Ran
from lib.nth import SLOW, Nth
from lib.programs import environment, program
from lib.worker import Worker

pytestmark = pytest.mark.tree("plain")

RING_MAX = 3
KINDS = ["memory", "write", "read", "sync", "map", "open", "thread", "change", "look"]
# What a command may still do although it says that something went wrong afterwards: its exit code is 0 then, and it says so.
TALK = re.compile(r"postern: \S.*|  .*")


class Copies:
    """Data as it was before the command, again for each N."""

    def __init__(self, data):
        self.data, self.nth, self.before, self.seen = data, Nth(data).only_ours(), data.home / "before", Counter()
        shutil.copytree(data.path, self.before)

    def fresh(self):
        shutil.rmtree(self.data.path)
        shutil.copytree(self.before, self.data.path)

    def keep(self):
        """What is there now is where each N begins."""
        shutil.rmtree(self.before)
        shutil.copytree(self.data.path, self.before)

    def try_all(self, command, after, kinds=tuple(KINDS), codes=(0, 1, 3)):
        """after(ran, fault): what must hold then."""
        for kind in kinds:
            for fault in self.nth.every(kind, few=3 if kind != "memory" else 1):
                self.fresh()
                with fault:
                    ran = run(self.data, command, self.nth.env)
                check_said(ran, fault, codes, self.data.secrets)
                self.seen[f"{kind} exit {ran.code}"] += 1
                assert fault.hit or ran.code == 0 or command[0] == "doctor", f"{fault}: {ran}"
                after(ran, fault)
            assert fault.number > 1 or kind not in ("memory", "open", "look"), f"{command}: no {kind} at all"
        print(dict(self.seen))


def run(data, command, env):
    done = subprocess.run([program("postern"), *map(str, command), "--data", str(data.path)], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=60, check=False, env=environment(**env))
    return Ran(list(map(str, command)), done.returncode, done.stdout.decode(), done.stderr.decode())


def check_said(ran, fault, codes, secrets):
    assert ran.code in codes, f"{fault}: {ran}"
    lines = [line for line in ran.err.split("\n") if line]
    assert ran.code == 0 or lines or ran.args[0] == "doctor", f"{fault}: not a word about it: {ran}"
    assert len(lines) <= 3 and all(TALK.fullmatch(line) for line in lines), f"{fault}: {ran}"
    assert not any(s in ran.err for s in secrets), f"{fault}: a secret on stderr: {ran}"


def ring(data):
    return {k["kid"]: k["state"] for k in data.run("key", "list", notes.SITE, "--json").json}


def sizes(data):
    return {r["id"]: r["outcome"] for r in data.audit(event="key")}


@pytest.fixture
def copies(data):
    site = data.add_site(notes.SITE, actions=notes.ACTIONS)
    data.run("audit", "checkpoint")
    c = Copies(data)
    c.site = site
    return c


def verified(data):
    verdict = data.run("audit", "verify", "--json").json
    assert verdict["verdict"] == "verified", verdict


def check_change(c, ran, fault, new_states, again):
    """The ring as it was, or as it should become; its records say the same; and the command can be given again."""
    data = c.data
    now, old = ring(data), c.old
    assert sum(s != "retired" for s in now.values()) <= RING_MAX
    changed = now != old
    c.seen["changed" if changed else "as it was"] += 1
    assert not changed or sorted(now.values()) == sorted(new_states), f"{fault}: half a change: {now}\n{ran}"
    assert changed or ran.code != 0, f"{fault}: said to be done: {ran}"
    verified(data)
    begun = {r["id"] for r in data.audit(event="key", outcome="intended")}
    ended = {r["id"] for r in data.audit(event="key") if r["outcome"] != "intended"}
    unexplained = begun - ended
    assert len(unexplained) <= 1
    if ran.code == 0 and not ran.err:
        assert not unexplained, f"{fault}: done, and its record is not: {ran}"
    if not changed:
        data.run(*again)
    data.run("key", "check", notes.SITE)


@pytest.mark.limit(1800 if SLOW else 60)
def test_a_rotation(copies):
    c, secret = copies, copies.data.home / "secret"
    command = ("key", "rotate", notes.SITE, "--secret-file", secret, "--json")

    def after(ran, fault):
        new = set(ring(c.data)) - set(c.old)
        if new and ran.code == 0:
            assert secret.exists(), f"{fault}: a key that nobody has: {ran}"
            c.data.secrets.add(secret.read_text().strip())
        if secret.exists() and not new:
            raise AssertionError(f"{fault}: a secret without its key is left behind: {ran}")
        secret.unlink(missing_ok=True)
        check_change(c, ran, fault, ["retiring", "active"], command)
        secret.unlink(missing_ok=True)
    c.old = ring(c.data)
    c.try_all(command, after, KINDS if SLOW else ["memory", "change"])
    assert c.seen["changed"] and c.seen["as it was"]


@pytest.mark.slow
@pytest.mark.limit(1800)
def test_a_creation(copies):
    c = copies
    command = ("key", "create", notes.SITE, "--json")
    c.old = ring(c.data)
    c.try_all(command, lambda ran, fault: check_change(c, ran, fault, ["active", "active"], command))


@pytest.mark.limit(1800 if SLOW else 60)
def test_a_retirement_at_once(copies):
    c = copies
    old = c.site.kid
    c.site.add_key()
    c.keep()
    command = ("key", "retire", notes.SITE, old, "--now")
    token = c.site.token(old)

    def after(ran, fault):
        check_change(c, ran, fault, ["retired", "active"], command)
        if SLOW:
            with Worker(c.data) as worker:
                assert notes.identity(worker, token).status == 401
    c.old = ring(c.data)
    c.try_all(command, after, KINDS if SLOW else ["sync"])


@pytest.mark.slow
@pytest.mark.limit(1800)
def test_a_new_site(copies):
    c = copies
    command = ("site", "add", "second", "--plan", "pro")

    def after(ran, fault):
        there = {s["site"] for s in c.data.run("site", "list", "--json").json}
        assert there in ({notes.SITE}, {notes.SITE, "second"}) and (ran.code != 0 or "second" in there), f"{fault}: {ran}"
        verified(c.data)
        if "second" not in there:
            c.data.run(*command)
        c.data.run("key", "create", "second")           # it has its pseudonym key and all else that belongs to it
    c.try_all(command, after)


READERS = {
    "verify": (("audit", "verify", "--json"), lambda c, ran: json.loads(ran.out)["verdict"] == "verified"),
    "export": (("audit", "export"), lambda c, ran: ran.out == c.exported),
    "stats": (("audit", "stats", "--json"), lambda c, ran: json.loads(ran.out)),
    "list": (("key", "list", notes.SITE, "--json"), lambda c, ran: len(json.loads(ran.out)) == 1),
    "doctor": (("doctor",), lambda c, ran: ran.out),
}


@pytest.mark.limit(1800 if SLOW else 60)
@pytest.mark.parametrize("name", [name if name == "verify" else pytest.param(name, marks=pytest.mark.slow) for name in READERS])
def test_what_only_reads_tells_the_truth_or_that_it_could_not_find_out(copies, name):
    c = copies
    command, right = READERS[name]
    c.exported = c.data.run("audit", "export").out

    def after(ran, fault):
        if name != "doctor" and ran.code == 0:
            assert right(c, ran), f"{fault}: {ran}"
        if name == "verify" and ran.code != 0:
            assert "tampered" not in ran.out and "truncated" not in ran.out, f"{fault}: a false alarm: {ran}"
    c.fresh = lambda: None                              # it changes nothing
    c.try_all(command, after, KINDS if SLOW else ["memory"])
    verified(c.data)


@pytest.mark.slow
@pytest.mark.limit(1800)
def test_a_backup(copies):
    c, folder = copies, copies.data.home / "backup"

    def after(ran, fault):
        if ran.code == 0:
            verdict = c.data.ask("audit", "verify", folder, "--json")
            assert verdict.code == 0 and verdict.json["verdict"] == "verified", f"{fault}: {ran}\n{verdict}"
        else:
            assert not (folder / "ledger/data.mdb").exists(), f"{fault}: half a backup is left that looks whole: {ran}"
        shutil.rmtree(folder, ignore_errors=True)
    c.fresh = lambda: None
    c.try_all(("backup", folder), after)
