"""What goes wrong around a running console: a signal in the middle of a change, an impatient admin, files that are replaced, a paste
that never ends. No key is lost without a word, and nothing is done to files that nobody opens any more."""
import ctypes
import re
import shutil
import signal
import struct
import time
from pathlib import Path

import pytest

from lib.ledger import HeldLedger
from lib.programs import SANITIZED, wait_until
from lib.rawdb import RawDb, newest_txnid, set_newest_txnid
from lib.terminal import WAIT_SECONDS, Console

pytestmark = pytest.mark.tree("sanitized")

SECRET = re.compile(r"postern_sk_[0-9A-Za-z]{49}")
LEAVES = b"\x1b[?1049l"                # xterm's way back to the screen it had before
MIB = 1 << 20


@pytest.fixture
def bare(data):
    return data.add_site("acme", key=False)


def at_the_button(c):
    """The dialog is open that makes a key, and one Enter makes it."""
    c.wait_for("0 of 3 keys")
    c.press("c")
    c.wait_for("[ Create ]")
    c.press("Enter", "Tab")
    c.wait_for("Enter: Create")


def secret_on(c):
    return SECRET.search("\n".join(c.wait_for(SECRET))).group()


def kids(data):
    return [key["kid"] for key in data.run("key", "list", "acme", "--json").json]


# ---- a secret that nobody saw ----

def test_a_key_made_while_the_console_was_told_to_end_is_named(data, bare):
    assert bare
    with Console(data, "--site", "acme") as c:
        at_the_button(c)
        with HeldLedger(data):
            c.press("Enter")
            wait_until(lambda: "waits" if blocked(c) else None, "the console to wait for the ledger")
            c.signal(signal.SIGTERM)
        assert c.wait_end() == 0
        [kid] = kids(data)
        assert f"Key {kid} of site acme is active" in c.said() and f"postern key retire acme {kid}" in c.said()
        assert not SECRET.search(c.said())


def blocked(c):
    """Its threads all wait in the kernel, and the one that draws has not drawn an answer."""
    tasks = [p.read_text("ascii").rpartition(")")[2].split()[0] for p in Path(f"/proc/{c.pid}/task").glob("*/stat")]
    return len(tasks) > 1 and set(tasks) == {"S"}


def test_a_key_whose_secret_was_on_the_screen_as_it_ended_is_named_too(data, bare):
    assert bare
    with Console(data, "--site", "acme") as c:
        at_the_button(c)
        c.press("Enter")
        data.secrets.add(secret_on(c))
        c.signal(signal.SIGHUP)
        assert c.wait_end() == 0
        assert kids(data)[0] in c.said() and not SECRET.search(c.said())


def test_a_secret_that_was_read_is_not_spoken_of(data, bare):
    assert bare
    with Console(data, "--site", "acme") as c:
        at_the_button(c)
        c.press("Enter")
        secret = secret_on(c)
        data.secrets.add(secret)
        c.close_secret(secret)
        c.press("q")
        assert c.wait_end() == 0
        assert c.said() == ""


def test_an_enter_pressed_once_more_does_not_close_the_secret(data, bare):
    """Making a key took a while; the second Enter comes just as the secret has appeared."""
    assert bare
    with Console(data, "--site", "acme") as c:
        at_the_button(c)
        with HeldLedger(data):
            c.press("Enter")
            time.sleep(0.8)            # no condition: it is the time itself, longer than a key that repeats
        secret = secret_on(c)
        data.secrets.add(secret)
        c.press("Enter")
        c.wait_for(re.compile(r"or in 11\d s"))
        assert SECRET.search("\n".join(c.screen()))
        c.close_secret(secret)


# ---- files that are replaced ----

def known(data):
    """What any change would change: but that one was begun and failed may be recorded."""
    return kids(data), data.audit(event="key", outcome="done"), (data.path / "admin.state").read_bytes()


@pytest.mark.parametrize("env", ["vault", "ledger"])
def test_data_that_was_replaced_is_said_and_left_alone(data, bare, env):
    bare.add_key()
    with Console(data, "--site", "acme") as c:
        c.wait_for("1 of 3 keys")
        (data.path / env).rename(data.home / "moved")
        shutil.copytree(data.home / "moved", data.path / env)
        shutil.copystat(data.home / "moved", data.path / env)
        before = known(data)
        c.wait_for(f"the {env} in")
        c.press("c")
        c.wait_for("[ Create ]")
        c.press("Enter", "Tab")
        c.wait_for("Enter: Create")
        c.press("Enter")
        c.wait_gone("[ Create ]")
        c.press("3")
        c.wait_for("Live]")
        c.wait_for(f"the {env} in")            # on every screen, as long as it is so
        assert not SECRET.search("\n".join(c.screen())) and b"postern_sk_" not in c.raw
        assert known(data) == before


def test_a_vault_that_is_set_back_is_said(data, bare):
    """A worker that was taken over may do that while somebody has the vault open: the key that was retired last is back."""
    kid = bare.add_key()
    bare.add_key()
    with Console(data, "--site", "acme") as c:
        c.wait_for("2 of 3 keys")
        bare.retire(kid)
        c.wait_for("1 of 3 keys")
        newest = newest_txnid(data.path / "vault")
        set_newest_txnid(data.path / "vault", newest - 1)
        c.wait_for("vault rolled back")
        c.press("3")
        c.wait_for("Live]")
        c.wait_for("vault rolled back")
        set_newest_txnid(data.path / "vault", newest)
        c.press("2")
        c.wait_for("1 of 3 keys")
        c.wait_gone("vault rolled back", 2 * WAIT_SECONDS)


def test_a_row_of_any_size_in_the_log_costs_nothing(data, bare):
    """A worker that was taken over may write one. It is no record, and nobody reads it to its end."""
    assert bare
    data.check_lines = False
    with RawDb(data.path / "ledger") as ledger:
        ledger.call("mdb_env_set_mapsize", ledger.env, ctypes.c_size_t(1024 * MIB))
        seq = len(ledger.rows("records"))
        ledger.put("records", struct.pack(">Q", seq), b'{"outcome":"blocked","site":"acme","x":[' + b"1," * (50 * MIB) + b"1]}")
    with Console(data) as c:
        c.wait_for("acme")
        c.press("3")
        c.wait_for("(unreadable)")
        c.press("4")
        c.wait_for("not a record")
        c.press("Enter")
        c.wait_for("Not a record")
        c.press("End", "Escape", "2")
        c.wait_for("Keys]")
        peak = int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{c.pid}/status").read_text("ascii")).group(1))
        assert SANITIZED or peak < 64 * 1024


# ---- the terminal ----

def test_a_paste_that_never_ends_leaves_the_terminals_keys(data):
    with Console(data) as c:
        c.wait_for("Sites]")
        c.send("\x1b[200~cut off")
        c.wait_for("Pasted text is ignored")
        c.wait_gone("Pasted text is ignored", 2 * WAIT_SECONDS)
        before = len(c.raw)
        c.press("Ctrl-L")
        wait_until(lambda: c.screen() and b"\x1b[2J" in c.raw[before:], "the screen to be drawn anew")


def test_a_secret_is_taken_off_the_screen_it_is_on(data, bare):
    """Stopped and continued by somebody else: not one cell of the shell's screen is overwritten."""
    assert bare
    with Console(data, "--site", "acme") as c:
        at_the_button(c)
        c.press("Enter")
        secret = secret_on(c)
        data.secrets.add(secret)
        c.signal(signal.SIGSTOP)
        wait_until(lambda: re.search(r"^State:\s+T", Path(f"/proc/{c.pid}/status").read_text("ascii"), re.M), "it to stop")
        before = len(c.raw)
        c.signal(signal.SIGCONT)
        wait_until(lambda: c.screen() and secret.encode() in c.raw[before:], "the secret again")
        sent = bytes(c.raw[before:])
        assert b" " * len(secret) in sent[:sent.index(LEAVES)]
        assert b" " * 40 not in sent[sent.index(LEAVES):sent.index(b"\x1b[?1049h")]
        c.close_secret(secret)
