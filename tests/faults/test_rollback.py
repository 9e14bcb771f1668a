"""An older vault put in the place of the newest: admin programs know how far it had come."""
import shutil

import pytest

from lib import notes
from lib.programs import wait_until
from lib.rawdb import RawDb, newest_txnid, set_newest_txnid
from lib.worker import Worker


def assert_rolled_back(data):
    for command in [("key", "list", "acme"), ("site", "list"), ("key", "create", "acme"), ("site", "set", "acme", "--name", "x")]:
        ran = data.ask(*command)
        assert ran.code == 3 and "vault rolled back" in ran.err, str(ran)
        assert ran.out == "", str(ran)


def test_where_lmdb_keeps_its_newest_transaction_is_known(data, site):
    """What the next tests write is what LMDB reads."""
    with Worker(data), RawDb(data.path / "vault") as vault:
        before = newest_txnid(data.path / "vault")
        vault.put("meta", b"schema", vault.get("meta", b"schema"))
        assert newest_txnid(data.path / "vault") == before + 1


def test_the_last_retirement_cannot_be_undone_through_the_lock_file(data, site):
    """Whoever may write vault/lock.mdb, as the worker's group may, can show everyone the commit before the last one."""
    old = site.kid
    site.add_key()
    vault = data.path / "vault"
    with Worker(data) as worker:
        site.retire(old)
        assert notes.identity(worker, site.token(old)).status == 401
        newest = newest_txnid(vault)
        set_newest_txnid(vault, newest - 1)
        assert_rolled_back(data)
        assert newest_txnid(vault) == newest - 1, "a refused command wrote to the vault"
        set_newest_txnid(vault, newest)
        data.run("key", "check", "acme")
        assert notes.identity(worker, site.token(old)).status == 401


def copy_vault(data, to):
    shutil.copy2(data.path / "vault/data.mdb", to)


def put_back(data, copy):
    """In the same file, as a copied-back backup would be; no program has the vault open."""
    with open(copy, "rb") as old, open(data.path / "vault/data.mdb", "r+b") as f:
        shutil.copyfileobj(old, f)
        f.truncate()


def test_an_older_copy_of_the_vault_is_refused(data, site):
    older, newest = data.home / "older", data.home / "newest"
    old = site.kid
    site.add_key()
    copy_vault(data, older)
    site.retire(old)
    copy_vault(data, newest)
    put_back(data, older)
    assert_rolled_back(data)
    assert_rolled_back(data)                    # and that was not taken for the new truth
    put_back(data, newest)
    data.run("key", "check", "acme")


def test_an_older_copy_that_grew_as_many_changes_is_refused_too(data, site):
    """The counters are equal then; the rings are not."""
    older, state = data.home / "older", data.home / "state"
    old = site.kid
    copy_vault(data, older)
    shutil.copy2(data.path / "admin.state", state)
    site.add_key()
    after = (data.path / "admin.state").read_bytes()
    put_back(data, older)
    shutil.copy2(state, data.path / "admin.state")
    data.run("key", "retire", "acme", old, "--now", "--yes")
    (data.path / "admin.state").write_bytes(after)
    assert_rolled_back(data)
    data.check_lines = False                    # the log cannot be exported while the vault is refused


@pytest.mark.parametrize("content", [b"", b"{", b'{"counter":-1,"rings":"00"}', b"null", b'{"counter":1}'])
def test_a_damaged_admin_state_is_never_taken_for_none(data, site, content):
    state = data.path / "admin.state"
    good = state.read_bytes()
    state.write_bytes(content)
    ran = data.ask("site", "list")
    assert ran.code == 3 and "admin.state" in ran.err, str(ran)
    state.write_bytes(good)
    data.run("site", "list")


def test_a_running_worker_says_that_its_vault_was_replaced(data, site):
    copy = data.home / "copy"
    vault = data.path / "vault/data.mdb"
    with Worker(data) as worker:
        assert notes.health(worker).status == 200
        shutil.copy2(vault, copy)
        aside = data.home / "aside"
        vault.rename(aside)
        shutil.copy2(copy, vault)
        sick = wait_until(lambda: (a := notes.health(worker)).status == 503 and a, "health to say so")
        assert sick.json["vault"] is False
        vault.unlink()
        assert notes.health(worker).json["vault"] is False
        aside.rename(vault)
        wait_until(lambda: notes.health(worker).status == 200, "health to be well again")
