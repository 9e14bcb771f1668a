"""postern init: every file with its mode, twice without harm, and the demo."""
import json
import os
import stat

import pytest

from lib.datadir import DataDir, postern
from lib.programs import ROOT


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_files_have_their_modes_and_get_them_back(data):
    modes = {"": 0o750, "vault": 0o750, "vault/data.mdb": 0o640, "vault/lock.mdb": 0o660, "ledger": 0o750,
             "ledger/data.mdb": 0o660, "ledger/lock.mdb": 0o660, "master.key": 0o640, "admin.key": 0o600, "admin.state": 0o600}
    for name in modes:
        assert mode(data.path / name) == modes[name], name
    os.chmod(data.path / "vault/data.mdb", 0o666)
    ran = data.run("init")
    assert mode(data.path / "vault/data.mdb") == 0o640 and "was there" in ran.out


def test_init_again_keeps_everything(site):
    before = site.data.run("key", "list", site.name, "--json").json
    assert site.data.run("init", "--json").json == {"data": str(site.data.path), "created": False}
    assert site.data.run("key", "list", site.name, "--json").json == before


def test_unknown_group_is_exit_3(tmp_path):
    ran = postern("init", "--group", "no-such-group", "--data", tmp_path / "d")
    assert ran.code == 3 and "no-such-group" in ran.err, ran


def test_a_ledger_cut_to_nothing_is_said_to_be_empty(data):
    ledger = data.path / "ledger" / "data.mdb"
    before = ledger.read_bytes()
    ledger.write_bytes(b"")
    ran = data.run("audit", "list", expect=3)
    ledger.write_bytes(before)
    assert "data.mdb is empty: restore a backup" in ran.err and "are whole" not in ran.err


@pytest.fixture
def demo():
    with DataDir(demo=True) as d:
        yield d


def test_demo_has_what_the_files_say(demo):
    actions = json.loads((ROOT / "data/demo/actions.json").read_text(encoding="utf-8"))["actions"]
    rows = (ROOT / "data/demo/documents.jsonl").read_text(encoding="utf-8").splitlines()
    assert [a["name"] for a in demo.run("action", "list", "demo", "--json").json] == [a["name"] for a in actions]
    orders = {row["id"]: row for row in map(json.loads, rows) if row["collection"] == "orders"}
    listed = demo.run("document", "list", "demo", "orders", "--json").json
    assert orders and {row["id"]: row for row in listed} == orders


def test_demo_again_changes_nothing(demo):
    before = demo.audit_lines()
    assert demo.run("init", "--demo", "--json").json["demo"] is False
    assert demo.audit_lines() == before


def test_demo_files_are_looked_for_where_the_environment_says(tmp_path):
    ran = postern("init", "--demo", "--data", tmp_path / "d", env={"POSTERN_DEMO_DIR": tmp_path})
    assert ran.code == 3 and str(tmp_path / "site.json") in ran.err, ran
    assert not (tmp_path / "d").exists()
