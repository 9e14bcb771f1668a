"""The Nth call fails in a command that only reads, or copies: the truth, or that it could not be found out; never a false alarm, and
no copy that only looks whole."""
import json
import shutil

import pytest

from lib import notes
from lib.nth import SLOW
from lib.nthcommand import KINDS, Copies, verified

pytestmark = pytest.mark.tree("plain")


@pytest.fixture
def copies(data):
    data.add_site(notes.SITE, actions=notes.ACTIONS)
    data.run("audit", "checkpoint")
    return Copies(data)


READERS = {
    "verify": (("audit", "verify", "--json"), lambda c, ran: json.loads(ran.out)["verdict"] == "verified"),
    "export": (("audit", "export"), lambda c, ran: ran.out == c.exported),
    "stats": (("audit", "stats", "--json"), lambda c, ran: json.loads(ran.out)),
    "list": (("key", "list", notes.SITE, "--json"), lambda c, ran: len(json.loads(ran.out)) == 1),
    "doctor": (("doctor",), None),                      # what it finds of a fault is no mistake of its own
}


@pytest.mark.limit(1800 if SLOW else 60)
@pytest.mark.parametrize("name", [name if name == "verify" else pytest.param(name, marks=pytest.mark.slow) for name in READERS])
def test_what_only_reads_tells_the_truth_or_that_it_could_not_find_out(copies, name):
    c = copies
    command, right = READERS[name]
    c.exported = c.data.run("audit", "export").out

    def after(ran, fault):
        if right and ran.code == 0:
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
