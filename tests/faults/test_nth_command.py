"""The Nth call fails, for every N there is in a command of an admin's: exit 1 or 3 and one sentence, the old state or the new one
whole, and the same command works when it is given again.

POSTERN_SLOW=1 tries every N, else some."""
import pytest

from lib import notes
from lib.nth import SLOW
from lib.nthcommand import KINDS, Copies, verified
from lib.worker import Worker

pytestmark = pytest.mark.tree("plain")

RING_MAX = 3


def ring(data):
    return {k["kid"]: k["state"] for k in data.run("key", "list", notes.SITE, "--json").json}


@pytest.fixture
def copies(data):
    site = data.add_site(notes.SITE, actions=notes.ACTIONS)
    data.run("audit", "checkpoint")
    c = Copies(data)
    c.site = site
    return c


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
    c.try_all(command, after, KINDS if SLOW else ["memory"])
    assert c.seen["changed"] and c.seen["as it was"]


@pytest.mark.slow
@pytest.mark.limit(1800)
def test_a_creation(copies):
    c = copies
    command = ("key", "create", notes.SITE, "--json")
    c.old = ring(c.data)
    c.try_all(command, lambda ran, fault: check_change(c, ran, fault, ["active", "active"], command))


@pytest.mark.slow
@pytest.mark.limit(1800)
def test_a_retirement_at_once(copies):
    c = copies
    old = c.site.kid
    c.site.add_key()
    c.keep()
    command = ("key", "retire", notes.SITE, old, "--now")
    token = c.site.token(old)

    def after(ran, fault):
        check_change(c, ran, fault, ["retired", "active"], command)
        with Worker(c.data) as worker:
            assert notes.identity(worker, token).status == 401
    c.old = ring(c.data)
    c.try_all(command, after)


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
