"""A console that may not change anything: by --read-only, and by itself where the vault cannot be written. It says why, and shows
everything else."""
import os
import pwd
import re
import subprocess
import time

import pytest

from lib import fastcgi
from lib.programs import program, tool, wait_until
from lib.rawdb import RawDb
from lib.ringscreen import KID, RingScreen
from lib.terminal import Console

NOBODY = "nobody"
PANELS = {"1": "acme", "2": "in use", "3": "token_expired", "4": "token_expired", "5": "Records", "6": "visitor's token"}


@pytest.fixture
def used(data, worker):
    """A site with a key that is about to go, and a blocked token."""
    site = data.add_site("acme")
    site.add_key()
    site.retire(site.kid, "--in", "24h")
    assert fastcgi.ask(worker, path="/v1/sites/acme/identity", token=site.token(ttl=-5)).status == 401
    return site


def tables(data):
    """Every row of the vault, and the records."""
    with RawDb(data.path / "vault") as vault:
        rows = {name: vault.rows(name) for name in ("meta", "sites", "heads", "rings", "tombstones", "retiring", "known")}
    with RawDb(data.path / "ledger") as ledger:
        return {**rows, "records": ledger.rows("records"), "identities": ledger.rows("identities")}


def look_at_everything(c, site):
    """All that changes nothing works."""
    for key, what in PANELS.items():
        c.press(key)
        c.wait_for(f"[{key} ")
        rows = c.wait_for(what)
        assert "read-only" in rows[0]
    c.press("Enter")
    c.wait_for("Check a token")
    c.paste(site.token())
    c.press("Enter")
    c.wait_for("VERIFIED")
    c.press("x", "4")
    c.wait_for("[4 Audit]")
    c.press("/")
    c.send("outcome:blocked")
    c.press("Enter")
    c.wait_for("outcome:blocked")
    c.press("Enter")
    c.wait_for("What it means")


def check_refuses(c, why):
    """It says why to each key that would change something; neither footer nor help offer one."""
    c.press("2")
    rows = c.wait_for("[2 Keys]")
    assert not re.search("create|rotate|retire |keep", rows[-1])
    for key in "crtu":
        c.press("Home")
        c.wait_gone("This console is read-only")
        c.press(key)
        rows = c.wait_for(re.compile(f"This console is read-only: .*{why}", re.S))
        assert "[ Cancel ]" not in "\n".join(rows)
    c.press("?")
    rows = c.wait_for("─ Help")
    assert "Create a key" not in "\n".join(rows)
    c.press("Escape")
    c.wait_gone("─ Help")


def check_shows_no_identity(c):
    """That somebody asked would have to be recorded."""
    c.press("3")
    c.wait_for("[3 Live]")
    c.press("Enter")
    c.wait_for("What it means")
    c.press("i")
    rows = c.wait_for("This console is read-only")
    assert "alex@example.com" not in "\n".join(rows)
    c.press("Escape")
    c.wait_gone("What it means")


def test_read_only_by_option(data, used):
    before = tables(data)
    with Console(data, "--read-only", "--site", "acme") as c:
        c.wait_for(used.kid)
        look_at_everything(c, used)
        c.press("Escape")
        check_refuses(c, "--read-only")
        check_shows_no_identity(c)
    assert tables(data) == before


def test_read_only_sees_what_others_do(data, used):
    with Console(data, "--read-only", "--site", "acme") as c:
        ring = RingScreen(c, used)
        ring.wait_slots(set(used.keys))
        kid = used.add_key()
        ring.wait_slots({*used.keys})
        used.retire(kid)
        c.wait_for(re.compile(rf"x retired +{kid}"))


def test_read_only_deletes_no_secret(data):
    """A key past its time stops by the clock; deleting it is a change."""
    site = data.add_site("acme")
    old = site.kid
    site.rotate("--grace", "1s")
    end = time.time() + 2
    wait_until(lambda: time.time() > end, "the key's time to pass")
    before = tables(data)
    with Console(data, "--read-only", "--site", "acme") as c:
        c.wait_for("its secret is not deleted yet")
        assert old in KID.findall("\n".join(c.screen()))
    assert tables(data) == before
    with Console(data, "--site", "acme") as c:
        c.wait_for(re.compile(rf"x retired +{old}"))
    assert [r["detail"]["change"] for r in data.audit(event="key", outcome="done", kid=old)] == ["create", "expire"]


# ---- somebody who may read, but not write ----

def as_nobody(data, *options, group):
    """The command line of a console that runs as nobody, in this group."""
    user = pwd.getpwnam(NOBODY)
    setpriv = [tool("setpriv"), f"--reuid={user.pw_uid}", f"--regid={group}", "--clear-groups", "--"]
    if subprocess.run([*setpriv, program("postern-console"), "--version"], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"{NOBODY} may not run {program('postern-console')}")
    return [*setpriv, program("postern-console"), "--data", str(data.path), *options]


@pytest.fixture
def readable(data, used):
    """The data is of nobody's group: by its modes that one reads the vault, and writes the ledger."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    group = pwd.getpwnam(NOBODY).pw_gid
    os.chmod(data.home, 0o755)
    for folder, folders, files in os.walk(data.path):
        for name in [".", *folders, *files]:
            os.chown(os.path.join(folder, name), 0, group)
    (data.path / "admin.key").chmod(0o600)
    return group


def test_a_vault_one_may_not_write(data, used, readable):
    before = tables(data)
    with Console(None, args=as_nobody(data, "--site", "acme", group=readable)) as c:
        rows = c.wait_for(used.kid)
        assert "read-only" in rows[0]
        said = re.compile("This console is read-only: (.{12})")
        why = said.search("\n".join(c.wait_for(said))).group(1)        # by itself, at the beginning
        look_at_everything(c, used)
        c.press("Escape")
        check_refuses(c, re.escape(why))
        check_shows_no_identity(c)
        kid = used.add_key()
        c.press("2")
        c.wait_for(kid)
        used.retire(kid)
    after = tables(data)
    assert after["sites"] == before["sites"] and after["rings"] != before["rings"]
    assert all(r["actor"].endswith(":root") for r in data.audit(event="key"))


def test_data_one_may_not_even_read_is_said_as_a_line(data, used, readable):
    (data.path / "vault/data.mdb").chmod(0o600)
    with Console(None, args=as_nobody(data, group=readable)) as c:
        assert c.wait_end() == 3
        assert "vault" in c.said() and c.said().count("\n") == 1 and b"\x1b" not in c.raw


def test_a_ledger_one_may_not_write_either(data, used, readable):
    for name in ("data.mdb", "lock.mdb"):
        (data.path / "ledger" / name).chmod(0o640)
    with Console(None, args=as_nobody(data, "--site", "acme", group=readable)) as c:
        assert c.wait_end() == 3
        assert "ledger" in c.said() and "run it as" in c.said() and c.said().count("\n") == 1 and b"\x1b" not in c.raw
