"""postern key: the life of a key, and where its secret goes."""
import json
import os
import pathlib
import re
import stat
import subprocess

import pytest

from lib.ledger import HeldLedger
from lib.programs import environment, program, wait_until

pytestmark = pytest.mark.tree("sanitized")

SECRET = re.compile(r"postern_sk_[0-9A-Za-z]{49}")


def keys(data, site="acme"):
    return {k["kid"]: k for k in data.run("key", "list", site, "--json").json}


def changes(data):
    return [(r["detail"]["change"], r["outcome"], r.get("kid")) for r in data.audit(event="key")]


@pytest.fixture
def acme(data):
    return data.add_site("acme", key=False)


def test_create_shows_kid_and_secret_once(acme):
    made = acme.data.run("key", "create", "acme", "--label", "shop", "--json").json
    assert set(made) == {"site", "kid", "secret", "state"} and made["site"] == "acme" and made["state"] == "active"
    assert re.fullmatch(r"k_[a-z2-7]{8}", made["kid"]) and SECRET.fullmatch(made["secret"])
    for args in (["key", "list", "acme"], ["key", "list", "acme", "--json"], ["audit", "export"], ["site", "show", "acme"]):
        assert not SECRET.search(acme.data.run(*args).out)
    row = keys(acme.data)[made["kid"]]
    assert set(row) == {"kid", "label", "state", "fingerprint", "created_at", "retire_at", "last_used_at", "uses_1m",
                        "uses_1h", "uses_24h"}
    assert row["label"] == "shop" and row["retire_at"] is None and row["last_used_at"] is None
    assert re.fullmatch("[0-9a-f]{8}", row["fingerprint"])


def test_list_for_people_says_what_retiring_a_key_would_mean(acme):
    kid = acme.add_key("--label", "shop")
    assert re.search(rf"^{kid} .*not used yet +shop$", acme.data.run("key", "list", "acme").out, re.M)


def test_create_for_people_prints_both_on_stdout(acme):
    ran = acme.data.run("key", "create", "acme")
    assert re.search(r"\bk_[a-z2-7]{8}\n", ran.out) and SECRET.search(ran.out) and not SECRET.search(ran.err)


def test_secret_file_gets_the_secret_and_nothing_else_does(acme, tmp_path):
    path = tmp_path / "secret"
    for extra in ([], ["--json"]):
        ran = acme.data.run("key", "create", "acme", "--secret-file", path, *extra)
        assert SECRET.fullmatch(path.read_text()) and not SECRET.search(ran.out + ran.err), ran
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.unlink()
    ran = acme.data.run("key", "rotate", "acme", list(keys(acme.data))[0], "--secret-file", path)
    assert SECRET.fullmatch(path.read_text()) and not SECRET.search(ran.out + ran.err), ran


def test_secret_file_must_not_exist_and_no_key_is_made(acme, tmp_path):
    (tmp_path / "there").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("there", "link"):
        ran = acme.data.run("key", "create", "acme", "--secret-file", tmp_path / name, expect=2)
        assert "is there already: name a file" in ran.err
    acme.data.run("key", "create", "acme", "--secret-file", tmp_path / "no" / "where", expect=3)
    assert (tmp_path / "there").read_text() == "mine" and not (tmp_path / "elsewhere").exists()
    assert keys(acme.data) == {}


def test_secret_file_is_gone_where_no_key_was_made(acme, tmp_path):
    for _ in range(3):
        acme.add_key()
    assert "ring_full" in acme.data.run("key", "create", "acme", "--secret-file", tmp_path / "s", expect=1).err
    acme.data.run("key", "create", "nope", "--secret-file", tmp_path / "s", expect=1)
    assert list(tmp_path.iterdir()) == []


def child_of(run):
    """Whether the process has a child: subprocess gives run.pid to nobody else before it is waited for."""
    return pathlib.Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text(encoding="ascii")


def test_secret_file_is_gone_when_the_command_is_killed(acme, tmp_path):
    with HeldLedger(acme.data):
        run = subprocess.Popen([program("postern"), "key", "create", "acme", "--secret-file", str(tmp_path / "s"), "--data",
                                str(acme.data.path)], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_until(lambda: child_of(run), "the guard of the file")
        assert (tmp_path / "s").exists()
        run.kill()
        run.communicate()
        wait_until(lambda: not (tmp_path / "s").exists(), "the guard to remove it")


def test_a_secret_that_cannot_be_printed_is_said_to_be_lost(acme):
    with open("/dev/full", "w", encoding="utf-8") as full:
        ran = subprocess.run([program("postern"), "key", "create", "acme", "--data", str(acme.data.path)], stdout=full,
                             stderr=subprocess.PIPE, text=True, env=environment(), check=False)
    assert ran.returncode == 3 and "retire it" in ran.stderr and not SECRET.search(ran.stderr), ran


def test_ring_holds_three(acme):
    for _ in range(3):
        acme.add_key()
    assert "ring_full" in acme.data.run("key", "create", "acme", expect=1).err
    assert "ring_full" in acme.data.run("key", "rotate", "acme", acme.kid, expect=1).err
    assert acme.data.audit(event="key", outcome="refused", reason="ring_full")
    assert all(k["retire_at"] is None for k in keys(acme.data).values())


# ---- import ----

def test_import_takes_a_secret_from_stdin_and_drops_one_newline(acme, tmp_path):
    secret = "x" * 40
    made = acme.data.run("key", "import", "acme", "--label", "old", "--json", stdin=secret + "\n").json
    assert made["state"] == "active" and "secret" not in made
    (tmp_path / "s").write_text(secret)
    token = acme.data.run("token", "mint", "acme", "--email", "alex@example.com", "--secret-file", tmp_path / "s").out
    assert acme.data.run("token", "explain", "acme", stdin=token).code == 0


@pytest.mark.parametrize("secret", [b"", b"x" * 31, b"x" * 513, b"x" * 5000, b"x" * 20 + b"\0" + b"x" * 20,
                                    b"postern_sk_" + b"0" * 49, b"x" * 31 + b"\n"])
def test_import_refuses_what_is_no_secret(acme, secret):
    assert "secret_invalid" in acme.data.run("key", "import", "acme", stdin=secret, expect=1).err
    assert keys(acme.data) == {}


def test_import_refuses_a_secret_any_site_ever_held(acme):
    kid = acme.add_key()
    acme.data.run("site", "add", "other")
    acme.retire(kid)
    assert "key_known" in acme.data.run("key", "import", "other", stdin=acme.keys[kid], expect=1).err


# ---- rotate ----

def test_rotate_makes_one_and_ends_the_only_active_one(acme):
    old = acme.add_key("--label", "shop")
    made = acme.data.run("key", "rotate", "acme", "--grace", "2h", "--json").json
    acme.knows(made["kid"], made["secret"])
    after = keys(acme.data)
    assert made["retiring"] == old and after[old]["state"] == "retiring" and after[made["kid"]]["state"] == "active"
    assert after[old]["retire_at"] == made["retire_at"] == pytest.approx(after[made["kid"]]["created_at"] + 7200, abs=2)
    assert after[made["kid"]]["label"] == "shop"
    done = acme.data.audit(event="key", outcome="done")[-1]
    assert done["kid"] == made["kid"] and done["detail"]["replaces"] == old
    for kid in (old, made["kid"]):
        assert acme.data.run("token", "explain", "acme", stdin=acme.token(kid)).code == 0


def test_rotate_never_prolongs_a_key_that_retires_sooner(acme):
    old = acme.add_key()
    acme.data.run("key", "retire", "acme", old, "--in", "1m", "--yes")
    ends = keys(acme.data)[old]["retire_at"]
    made = acme.data.run("key", "rotate", "acme", old, "--json").json
    acme.knows(made["kid"], made["secret"])
    assert made["retire_at"] == ends == keys(acme.data)[old]["retire_at"]


def test_rotate_defaults_to_48_hours(acme):
    acme.add_key()
    made = acme.data.run("key", "rotate", "acme", "--json").json
    assert made["retire_at"] == pytest.approx(keys(acme.data)[made["kid"]]["created_at"] + 48 * 3600, abs=2)


def test_rotate_without_kid_is_exit_2_unless_one_key_is_active(acme):
    before = acme.data.audit_lines()
    assert "key_ambiguous" in acme.data.run("key", "rotate", "acme", expect=2).err
    assert acme.data.audit_lines() == before
    acme.add_key()
    acme.add_key()
    assert "key_ambiguous" in acme.data.run("key", "rotate", "acme", expect=2).err
    assert len(keys(acme.data)) == 2
    acme.rotate(acme.kid)


def test_rotate_without_grace_ends_the_old_key_at_once(acme):
    old = acme.add_key()
    acme.rotate("--grace", "0s")
    assert keys(acme.data)[old]["state"] == "retired"
    ran = acme.data.run("token", "explain", "acme", "--json", stdin=acme.token(old), expect=1)
    assert ran.json["reason"] == "key_retired"


# ---- retire, keep ----

def test_retire_now_deletes_and_leaves_a_tombstone(acme):
    kid, other = acme.add_key(), acme.add_key()
    acme.data.run("key", "retire", "acme", kid, "--now")
    after = keys(acme.data)
    assert after[kid]["state"] == "retired" and after[kid]["retire_at"] and after[other]["state"] == "active"
    for args in (["retire", "acme", kid, "--now"], ["keep", "acme", kid], ["rotate", "acme", kid]):
        assert "key_gone" in acme.data.run("key", *args, expect=1).err
    assert changes(acme.data)[-2:] == [("retire", "intended", kid), ("retire", "done", kid)]


def test_retire_later_can_be_kept(acme):
    kid, _ = acme.add_key(), acme.add_key()
    acme.data.run("key", "retire", "acme", kid, "--in", "1h")
    assert keys(acme.data)[kid]["state"] == "retiring"
    acme.data.run("key", "keep", "acme", kid)
    assert keys(acme.data)[kid]["state"] == "active" and keys(acme.data)[kid]["retire_at"] is None
    acme.data.run("key", "retire", "acme", kid, "--at", "2100-01-01T00:00:00Z")
    assert keys(acme.data)[kid]["retire_at"] == 4102444800
    assert [c[0] for c in changes(acme.data) if c[1] == "done"][-3:] == ["schedule", "keep", "schedule"]


@pytest.mark.parametrize("when", [["--now"], ["--in", "1h"], ["--at", "2100-01-01"]])
def test_the_last_key_needs_yes(acme, when):
    kid = acme.add_key()
    before = acme.data.audit_lines()
    ran = acme.data.run("key", "retire", "acme", kid, *when, expect=2)
    assert "key_last" in ran.err and "--yes" in ran.err
    assert acme.data.audit_lines() == before and keys(acme.data)[kid]["retire_at"] is None
    acme.data.run("key", "retire", "acme", kid, *when, "--yes")
    assert acme.data.audit(event="key", outcome="done")[-1]["detail"]["last"] is True


def test_a_key_that_ends_earlier_does_not_stand_in_for_the_last(acme):
    early, late = acme.add_key(), acme.add_key()
    acme.data.run("key", "retire", "acme", early, "--in", "1h")
    acme.data.run("key", "retire", "acme", late, "--in", "2h", expect=2)
    acme.data.run("key", "retire", "acme", late, "--in", "30m")      # early still verifies then


def test_a_key_past_its_time_is_swept_by_the_next_command(acme):
    kid, _ = acme.add_key(), acme.add_key()
    acme.data.run("key", "retire", "acme", kid, "--in", "1s")
    wait_until(lambda: keys(acme.data)[kid]["state"] == "retired", "the key's second to be over")
    assert ("expire", "done", kid) in changes(acme.data)
    assert len([c for c in changes(acme.data) if c[0] == "expire"]) == 2
    for _ in range(2):
        acme.add_key()                                       # its slot is free again


# ---- the ledger is held by somebody ----

def test_retire_now_never_waits_for_the_ledger(acme):
    kid, _ = acme.add_key(), acme.add_key()
    with HeldLedger(acme.data) as held:
        run = subprocess.Popen([program("postern"), "key", "retire", "acme", kid, "--now", "--data", str(acme.data.path)],
                               env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        def retired():
            shown = acme.data.ask("token", "explain", "acme", "--json", stdin=acme.token(kid))
            return shown.json["reason"] == "key_retired"
        wait_until(retired, "the key to be gone while the ledger is held", 1.9)
        _, err = run.communicate(timeout=20)
        assert run.returncode == 0 and "audit log" in err, err
        held.release()
    assert ("retire", "done", kid) not in changes(acme.data)


def test_other_changes_are_withdrawn_and_refused_while_the_ledger_is_held(acme):
    kid, _ = acme.add_key(), acme.add_key()
    before = keys(acme.data)
    with HeldLedger(acme.data):
        for args in (["create", "acme"], ["rotate", "acme", kid], ["retire", "acme", kid, "--in", "1h"]):
            ran = acme.data.run("key", *args, expect=3)
            assert "nothing was changed" in ran.err and not SECRET.search(ran.out), ran
    assert keys(acme.data) == before


# ---- check, concurrency ----

def test_check_says_what_is_wrong(acme):
    def check(expect):
        return acme.data.run("key", "check", "acme", "--json", expect=expect).json
    [problem] = check(1)["problems"]
    assert problem.endswith("postern key create acme")
    kid = acme.add_key()
    assert check(0) == {"site": "acme", "healthy": True, "problems": []}
    acme.data.run("key", "retire", "acme", kid, "--in", "1h", "--yes")
    assert check(1)["healthy"] is False
    assert "postern key create acme, or postern key keep acme KID" in acme.data.run("key", "check", "acme", expect=1).out
    acme.add_key()
    check(0)


def test_many_creators_at_once_never_make_a_fourth(acme):
    runs = [subprocess.Popen([program("postern"), "key", "create", "acme", "--json", "--data", str(acme.data.path)],
                             env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(8)]
    codes = []
    for run in runs:
        out, _ = run.communicate(timeout=60)
        codes.append(run.returncode)
        if run.returncode == 0:
            made = json.loads(out)
            acme.knows(made["kid"], made["secret"])
    assert sorted(codes) == [0, 0, 0, 1, 1, 1, 1, 1]
    assert set(keys(acme.data)) == set(acme.keys)


# ---- a terminal is asked ----

def at_a_terminal(answer, *args, meanwhile=lambda: None):
    """Runs the command on a pseudo-terminal and types answer when it asks: the exit code, and what it said."""
    main, side = os.openpty()
    run = subprocess.Popen([program("postern"), *map(str, args)], stdin=side, stderr=side, stdout=subprocess.PIPE,
                           env=environment(), start_new_session=True)
    os.close(side)
    said = b""
    while b"to go on: " not in said:
        said += os.read(main, 4096)
    meanwhile()
    os.write(main, answer.encode() + b"\n")
    run.stdout.read()
    code = run.wait(timeout=60)
    try:
        while more := os.read(main, 4096):
            said += more
    except OSError:                    # how a terminal says that nobody is left at its other end
        pass
    os.close(main)
    return code, said.decode()


def test_a_terminal_is_asked_for_the_kid_and_anything_else_is_no(acme):
    kid = acme.add_key()
    retire = ["key", "retire", "acme", kid, "--now", "--data", acme.data.path]
    assert at_a_terminal("yes", *retire)[0] == 1
    assert keys(acme.data)[kid]["state"] == "active"
    code, said = at_a_terminal(kid, *retire)
    assert code == 0 and "not used yet" in said
    assert keys(acme.data)[kid]["state"] == "retired"


def test_the_answer_holds_only_for_the_ring_that_was_asked_about(acme):
    kid = acme.add_key()
    for change in (["create", "acme"], ["retire", "acme", kid, "--in", "1h", "--yes"], ["keep", "acme", kid]):
        code, said = at_a_terminal(kid, "key", "retire", "acme", kid, "--in", "2h", "--data", acme.data.path,
                                   meanwhile=lambda change=change: acme.data.run("key", *change))
        assert code == 1 and "ring_changed" in said, said
        for other in [k for k, row in keys(acme.data).items() if k != kid and row["state"] != "retired"]:
            acme.data.run("key", "retire", "acme", other, "--now")
    assert keys(acme.data)[kid]["state"] == "active"
    assert not acme.data.audit(event="key", reason="ring_changed")          # refused before anything was recorded
