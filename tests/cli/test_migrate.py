"""postern migrate: data of before the log had a tree, brought up without a change of its records; killed or refused, it stays as it was."""
import shutil
import struct
import subprocess

import pytest

from lib import rawlog
from lib.datadir import postern
from lib.programs import environment, program, wait_until
from lib.rawdb import RawDb
from lib.shim import NO_SPACE, Shim
from lib.worker import Worker

SAID = "postern migrate"
DELAY_US = 30_000_000
OF_3 = ("calls", "idempotency", "idempotency_expiry")      # the tables that came with schema 3
STEP_3 = "the ledger keeps the answers of Idempotency-Keys, and calls to other systems that are under way"
RECORDS = 700                     # two full tiles, one begun


def set_schema(folder, schema):
    with RawDb(folder) as db:
        db.put("meta", b"schema", struct.pack(">Q", schema))


def make_old(data, records=0):
    """As the program of before the tree left it: no tables tree and index, schema 1, no name of the log in the vault."""
    with RawDb(data.path / "vault") as db:
        for row in (b"log:names", b"log:seed", b"log:first"):
            db.delete("meta", row)
    with RawDb(data.path / "ledger") as db:
        line = db.rows("records")[-1][1]
        first = rawlog.size(db)
        db.put_all("records", [(struct.pack(">Q", seq), line.replace(b'"seq":%d,' % (first - 1), b'"seq":%d,' % seq))
                               for seq in range(first, first + records)])
        for table in ("tree", "index", *OF_3):
            db.drop(table)
    set_schema(data.path / "ledger", 1)


def rows(data, table="records"):
    with RawDb(data.path / "ledger") as db:
        return db.rows(table)


def schema(data):
    with RawDb(data.path / "ledger") as db:
        return struct.unpack(">Q", db.get("meta", b"schema"))[0], set(db.tables())


def assert_old(data):
    assert schema(data)[0] == 1
    ran = data.run("site", "list", expect=3)
    assert SAID in ran.err and ran.out == ""


@pytest.fixture
def old(data, site):
    """An old directory with a site and RECORDS more records than making it left."""
    assert site.kid
    make_old(data, RECORDS)
    return data


def test_fresh_data_has_nothing_to_do_and_is_left_alone(data, site):
    before = {p.name: p.read_bytes() for p in data.path.rglob("data.mdb")}
    assert data.run("migrate").out == "nothing to do\n"
    assert data.run("migrate", "--json").json == {"steps": []}
    with Worker(data):
        assert data.run("migrate").out == "nothing to do\n"
    assert data.audit(event="config") == []
    assert before["data.mdb"] and site.kid


def test_old_data_is_said_to_be_old_by_every_program(old):
    for args in (("site", "list"), ("audit", "verify"), ("key", "create", "acme"), ("audit", "export"), ("compact",),
                 ("backup", old.home / "copy")):
        ran = old.run(*args, expect=3)
        assert SAID in ran.err and ran.out == "", str(ran)
    done = subprocess.run([program("postern-fcgi"), "--data", str(old.path), "--listen", str(old.home / "s")],
                          capture_output=True, timeout=20, check=False, env=environment())
    assert done.returncode == 3 and SAID in done.stderr.decode()
    old.run("init")
    assert_old(old)
    old.run("migrate")


def test_old_data_is_migrated_and_its_records_are_byte_for_byte_the_same(old):
    before = rows(old)
    ran = old.run("migrate")
    assert ran.out.startswith("ledger: schema 1 to 2: ") and ran.err == ""
    after = rows(old)
    assert after[:-1] == before and len(before) > RECORDS
    (record,) = old.audit(event="config")
    assert record["detail"] == {"change": "migrate", "environment": "ledger", "from": 1, "to": 3} and record["outcome"] == "done"
    version, tables = schema(old)
    assert version == 3 and {"tree", "index", *OF_3} <= tables
    assert old.run("audit", "verify", "--json").json["verdict"] == "verified"
    assert old.run("migrate").out == "nothing to do\n"


def test_what_was_built_is_the_tree_that_appends_would_have_made(data, site):
    expected = rows(data, "tree")
    make_old(data)
    assert data.run("migrate", "--json").json["steps"] == [
        {"environment": "ledger", "from": 1, "to": 2, "what": "the audit log has a Merkle tree over its records"},
        {"environment": "ledger", "from": 2, "to": 3, "what": STEP_3}]
    (tile,), (before,) = rows(data, "tree"), expected
    assert tile[0] == before[0] and tile[1][:-rawlog.HASH] == before[1] and site.kid


def test_after_it_the_log_goes_on_is_signed_and_proved(old):
    old.run("migrate")
    with Worker(old) as worker:
        assert worker.pid
    old.run("site", "add", "second")
    old.run("audit", "checkpoint")
    assert old.run("audit", "verify", "--json").json["verdict"] == "verified"
    assert old.run("audit", "prove", "5").out
    old.run("audit", "vkey")


def test_an_old_directory_without_records(data):
    make_old_without = data.path / "ledger"
    with RawDb(make_old_without) as db:
        assert db.rows("records") == []
        db.drop("tree")
        db.drop("index")
    set_schema(make_old_without, 1)
    data.run("migrate")
    assert len(data.audit()) == 1
    data.run("audit", "verify")


def test_schema_2_gets_the_tables_it_lacks_and_keeps_the_rest(data, site):
    data.run("audit", "checkpoint")
    with RawDb(data.path / "ledger") as db:
        for table in OF_3:
            db.drop(table)
    set_schema(data.path / "ledger", 2)
    before = rows(data), rows(data, "tree")[0][1]
    said = data.run("site", "list", expect=3)
    assert SAID in said.err and "schema 2" in said.err
    assert data.run("migrate", "--json").json["steps"] == [
        {"environment": "ledger", "from": 2, "to": 3, "what": STEP_3}]
    assert schema(data)[0] == 3 and set(OF_3) <= schema(data)[1]
    assert rows(data)[:-1] == before[0] and rows(data, "tree")[0][1].startswith(before[1])
    assert data.run("audit", "verify", "--json").json["verdict"] == "verified" and site.kid


def test_schema_1_that_has_its_tree_keeps_it(data, site):
    """What the first programs with a tree wrote: they did not count it as another schema."""
    data.run("audit", "checkpoint")
    before = rows(data), rows(data, "tree")
    set_schema(data.path / "ledger", 1)
    assert_old(data)
    data.run("migrate")
    assert rows(data)[:-1] == before[0] and rows(data, "tree")[0][1].startswith(before[1][0][1])
    assert data.run("audit", "verify", "--json").json["verdict"] == "verified" and site.kid


def test_attack_a_tree_removed_under_a_checkpoint_is_not_made_anew(data, site):
    """Whoever writes the ledger could alter records and pass it off as one of before the tree."""
    data.run("audit", "checkpoint")
    with RawDb(data.path / "ledger") as db:
        db.drop("tree")
    set_schema(data.path / "ledger", 1)
    ran = data.run("migrate", expect=3)
    assert "checkpoints" in ran.err and "restore" in ran.err and site.kid
    assert schema(data)[0] == 1 and "tree" not in schema(data)[1]
    data.check_lines = False


@pytest.mark.parametrize("key", [struct.pack(">Q", 3), struct.pack(">Q", 10**6), b"x"])
def test_rows_that_are_no_log_are_refused_and_left(old, key):
    with RawDb(old.path / "ledger") as db:
        if len(key) == 8 and db.get("records", key):
            db.delete("records", key)
        else:
            db.put("records", key, b"{}")
    before = rows(old)
    ran = old.run("migrate", expect=3)
    assert "are no records from" in ran.err
    assert rows(old) == before
    assert_old(old)
    old.check_lines = False


def test_a_newer_schema_is_refused(data):
    set_schema(data.path / "ledger", 4)
    ran = data.run("migrate", expect=3)
    assert "schema 4" in ran.err and "newer Postern" in ran.err and ran.out == ""
    set_schema(data.path / "ledger", 3)


def test_a_schema_from_which_no_way_leads_is_refused(data):
    set_schema(data.path / "ledger", 0)
    ran = data.run("migrate", expect=3)
    assert "schema 0" in ran.err and "cannot bring up" in ran.err
    assert schema(data)[0] == 0
    set_schema(data.path / "ledger", 3)


def test_data_in_use_is_not_migrated(old):
    for folder in ("vault", "ledger"):
        with RawDb(old.path / folder):
            ran = old.run("migrate", expect=3)
            assert "in use" in ran.err and "stop every worker" in ran.err
    assert_old(old)
    old.run("migrate")


def test_killed_before_its_commit_it_is_as_old_as_before_and_can_be_migrated(old):
    before = rows(old)
    shim = Shim(old, "disk")
    shim["sync_delay_us"] = DELAY_US
    with subprocess.Popen([program("postern"), "migrate", "--data", str(old.path)], env=environment(**shim.env),
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: shim["syncs"] > 0, "its pages to be on their way", 20)
        process.kill()
    assert_old(old)
    assert rows(old) == before and "tree" not in schema(old)[1]
    old.run("migrate")
    assert rows(old)[:-1] == before
    assert old.run("audit", "verify", "--json").json["verdict"] == "verified"


def test_on_a_full_disk_it_fails_and_nothing_has_changed(old):
    before = rows(old)
    shim = Shim(old, "disk")
    shim["writes"] = NO_SPACE
    ran = old.run("migrate", expect=3, env=shim.env)
    assert "stays as it was" in ran.err
    assert_old(old)
    assert rows(old) == before
    old.run("migrate")


def copy_of(data):
    copy = data.home / "copy"
    for folder in ("vault", "ledger"):
        (copy / folder).mkdir(parents=True)
        shutil.copy(data.path / folder / "data.mdb", copy / folder / "data.mdb")
    return copy


def test_a_backup_of_an_older_schema_is_restored_and_brought_up(data, site):
    data.run("audit", "checkpoint")
    before = rows(data)
    set_schema(data.path / "ledger", 1)
    copy = copy_of(data)
    said = postern("audit", "list", "--data", copy, env={"POSTERN_MASTER_KEY_FILE": data.path / "master.key"})
    assert said.code == 3 and "postern restore brings it up" in said.err
    data.run("migrate")
    data.run("restore", copy, "--accept-all-keys", "--yes")
    assert rows(data)[:len(before)] == before and site.kid
    assert [r["detail"]["change"] for r in data.audit()][len(before):] == ["migrate", "restore"]
    assert data.run("audit", "verify", "--json").json["verdict"] == "verified"


def test_a_copy_of_before_the_tree_has_nothing_that_vouches_for_it_and_is_not_restored(old):
    copy = copy_of(old)
    old.run("migrate")
    before = rows(old)
    ran = old.run("restore", copy, "--accept-all-keys", "--yes", expect=1)
    assert "unverifiable" in ran.err
    assert rows(old) == before


def test_it_takes_no_operand(data):
    data.run("migrate", "now", expect=2)
