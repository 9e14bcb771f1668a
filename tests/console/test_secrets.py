"""A new key's secret, a pasted token: shown to one admin for a while, and then nowhere; whatever becomes of the terminal."""
import base64
import os
import re
import shlex
import signal

import pytest

from lib import tokens
from lib.core import core_of
from lib.programs import SANITIZED, wait_until
from lib.ringscreen import SECRET, RingScreen
from lib.shim import Shim
from lib.terminal import Console, Tmux, arguments

pytestmark = pytest.mark.tree("plain")

SHOWN_SECONDS = 120


@pytest.fixture
def site(data):
    return data.add_site("acme", key=False)


def start(data, *options, **how):
    c = Console(data, "--site", "acme", *options, **how)
    try:
        c.wait_for("c create")
    except BaseException:
        c.kill()
        raise
    return c


def make_key(c, site):
    """Up to the screen that shows the secret; returns that."""
    ring = RingScreen(c, site)
    assert ring.ask("create")
    c.press("Enter")
    rows = c.wait_for(SECRET)
    secret = SECRET.search("\n".join(rows)).group(0)
    site.data.secrets.add(secret)
    return secret


def after(c, secret):
    """All that it sent once the secret had been sent."""
    raw = bytes(c.raw)
    return raw[raw.rindex(secret.encode()) + len(secret):]


def is_gone(c, secret):
    return secret not in "\n".join(c.screen()) and secret[:20] not in "\n".join(c.screen())


# ---- how long it is shown, and to whom ----

def test_a_secret_is_gone_after_120_seconds(data, site):
    shim = Shim(data, "clock")
    with start(data, env=shim.env) as c:
        secret = make_key(c, site)
        shim["clock_offset_s"] = SHOWN_SECONDS - 30
        c.wait_for(re.compile(f"{secret}.*Gone after Enter, or in (30|29|28|27|26|25) s", re.S))
        shim["clock_offset_s"] = SHOWN_SECONDS + 1
        c.wait_gone(SECRET)
        c.wait_for("Its secret cannot be shown again")
        for key in "123456":
            c.press(key)
            c.wait_for(f"[{key} ")
            assert is_gone(c, secret)
        assert secret.encode() not in after(c, secret)


def test_a_clock_that_is_set_back_shows_it_no_longer(data, site):
    shim = Shim(data, "clock")
    with start(data, env=shim.env) as c:
        make_key(c, site)
        shim["clock_offset_s"] = -86400
        c.wait_for(re.compile(r"or in (118|117|116|115) s"))           # it has looked at its clock since
        shim["clock_offset_s"] = -86400 + SHOWN_SECONDS + 1
        c.wait_gone(SECRET)


@pytest.mark.parametrize("key", ["Escape", "q", "Space", "F1", "F10", "1", "Tab", "Right", "x", "?"])
def test_no_key_but_enter_closes_it(data, site, key):
    with start(data) as c:
        secret = make_key(c, site)
        c.press(key, key)
        c.resize(30, 100)
        c.wait_for(re.compile(f"{secret}.*Gone after Enter", re.S))
        c.close_secret(SECRET)


def test_another_console_never_shows_it(data, site):
    """Nor this one a second time, whatever is pressed."""
    with start(data) as a, start(data) as b:
        secrets = []
        for _ in range(3):
            secrets.append(make_key(a, site))
            RingScreen(b, site).wait_slots({k["kid"]: k["state"] for k in data.run("key", "list", "acme", "--json").json})
            a.close_secret(SECRET)
        for c in (a, b):
            c.press("2", "Down", "c", "Escape", "r", "Escape", "t", "Escape", "u", "4", "End", "Enter", "i", "Escape", *"361?")
            c.press("Escape", "2")
            c.wait_for("3 of 3 keys in use")
        for secret in secrets:
            assert secret.encode() not in b.raw and secret[11:40].encode() not in b.raw
            assert secret.encode() not in after(a, secret)


# ---- whatever becomes of the terminal ----

TERMINALS = pytest.mark.parametrize("term", ["xterm-256color", "linux", "vt100"])


@TERMINALS
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT, signal.SIGSEGV])
def test_a_console_that_is_ended_leaves_no_secret_on_the_screen(data, site, term, number):
    """Also where the terminal has no second screen to leave."""
    if SANITIZED and number == signal.SIGSEGV:
        pytest.skip("the sanitizer handles this one itself")
    with start(data, env={"TERM": term}) as c:
        secret = make_key(c, site)
        c.signal(number)
        c.wait_end()
        assert is_gone(c, secret), "\n".join(c.screen())
        assert secret.encode() not in after(c, secret)
        assert c.modes_now() == c.modes
        assert len(data.run("key", "list", "acme", "--json").json) == 1


@pytest.mark.parametrize("controls", [True, False], ids=["with SIGHUP", "without"])
def test_a_lost_session_ends_a_console_that_shows_a_secret(data, site, controls):
    with start(data, controls=controls) as c:
        make_key(c, site)
        c.hang_up()
        assert c.wait_end() in (0, 3)
    assert [r["outcome"] for r in data.audit(event="key")] == ["intended", "done"]


@pytest.mark.parametrize("what", ["token", "label", "retire", "rotate"])
@pytest.mark.parametrize("how", ["SIGHUP", "SIGTERM", "hang up"])
def test_a_lost_session_is_no_answer_to_a_dialog(data, site, what, how):
    """One whose button that acts has the focus; or with a token in it that is not sent yet."""
    site.add_key()
    token = site.token()
    with start(data) as c:
        ring = RingScreen(c, site)
        ring.wait_slots({site.kid: "active"})
        before = data.audit_lines()
        if what == "token":
            c.press("6")
            c.wait_for("[6 Token]")
            c.press("Enter")
            c.wait_for("Check a token")
            c.paste(token)
            c.wait_for(token[-20:])
        else:
            assert ring.ask({"label": "create"}.get(what, what), None if what == "label" else site.kid, when="now", label="typed")
        if how == "hang up":
            c.hang_up()
            assert c.wait_end() in (0, 3)
        else:
            c.signal(getattr(signal, how))
            assert c.wait_end() == 0
        assert token not in c.said()
    assert data.audit_lines() == before
    assert [k["state"] for k in data.run("key", "list", "acme", "--json").json] == ["active"]


def test_in_tmux_it_is_not_in_the_scrollback(data, site):
    with Tmux(data, "--site", "acme", "--ascii") as t:
        t.wait_for("c create")
        t.press("c")
        t.wait_for("Label")
        t.press("Enter", "Right", "Enter")
        secret = SECRET.search("\n".join(t.wait_for(SECRET))).group(0)
        data.secrets.add(secret)
        t.resize(30, 100)
        t.wait_for(secret)
        t.resize(24, 80)
        t.wait_for(secret)
        t.close_secret(SECRET)
        t.press("q")
        assert t.wait_end() == 0
        assert secret not in "\n".join(t.scrollback())


def test_suspended_it_is_not_on_the_screen(data, site):
    with Console(None, args=["/bin/sh", "-i"], env={"PS1": "shell: ", "ENV": "", "TERM": "vt100"}, stderr=False) as c:
        c.wait_for("shell:")
        c.send(f"{shlex.join(arguments(data, ['--site', 'acme']))}\r")
        c.wait_for("c create")
        secret = make_key(c, site)
        sent = len(c.raw)
        c.press("Ctrl-Z")
        wait_until(lambda: c.screen() and b"shell: " in c.raw[sent:], "the shell")
        assert is_gone(c, secret), "\n".join(c.screen())
        c.send("fg\r")
        c.wait_for(secret)
        c.close_secret(SECRET)
        c.press("q")
        wait_until(lambda: c.screen() and c.raw.endswith(b"shell: "), "the shell")
        assert is_gone(c, secret)
        c.send("exit\r")
        c.wait_end()


# ---- what remains in memory ----

def spellings(secret):
    """As text, as UTF-16 and UTF-32 (curses' own), as hex, and as base64 would make it at each alignment."""
    text = secret.encode()
    yield from (text, secret.encode("utf-16-le"), secret.encode("utf-32-le"), text.hex().encode())
    yield from (base64.b64encode(bytes(i) + text)[4 * ((i + 2) // 3):-4] for i in range(3))


def copies(core, secret):
    return {form: core.count(form) for form in spellings(secret) if form in core}


@pytest.fixture
def dump(data):
    return lambda console: core_of(console.pid, data.home / "core")


def test_a_closed_secret_is_in_no_memory(data, site, dump):
    with start(data) as c:
        secret = make_key(c, site)
        assert copies(dump(c), secret[11:51]), "this finds what is there"
        c.close_secret(SECRET)
        c.wait_for("Its secret cannot be shown again")
        assert copies(dump(c), secret[11:51]) == {}


def test_a_secret_whose_time_is_over_is_in_no_memory(data, site, dump):
    shim = Shim(data, "clock")
    with start(data, env=shim.env) as c:
        secret = make_key(c, site)
        c.resize(40, 120)
        c.wait_for("Gone after Enter")
        c.resize(24, 80)
        shim["clock_offset_s"] = SHOWN_SECONDS + 1
        c.wait_gone(SECRET)
        c.wait_for("Its secret cannot be shown again")
        assert copies(dump(c), secret[11:51]) == {}


def test_one_that_cannot_be_drawn_is_in_no_memory_either(data, site, dump):
    """The terminal is too small for a moment, then large again."""
    with start(data) as c:
        secret = make_key(c, site)
        c.resize(5, 20)
        c.wait_for("80x24")
        assert is_gone(c, secret)
        c.resize(24, 80)
        c.wait_for(SECRET)
        c.close_secret(SECRET)
        c.wait_for("Its secret cannot be shown again")
        assert copies(dump(c), secret[11:51]) == {}


def test_a_forgotten_token_is_in_no_memory(data, site, dump):
    site.add_key()
    token = site.token(name="N" * 50, more="m" * 300)
    signature = token.rsplit(".", 1)[1]
    with start(data) as c:
        c.press("6")
        c.wait_for("visitor's token")
        c.press("Enter")
        c.wait_for("Check a token")
        c.paste(token)
        c.press("Enter")
        c.wait_for("VERIFIED")
        c.wait_for(tokens.fingerprint(token))
        assert copies(dump(c), signature), "this finds what is there"
        c.press("x")
        c.wait_for("The token is forgotten")
        core = dump(c)
        assert copies(core, signature) == {} and copies(core, site.secret[11:51]) == {}
        c.press("Enter")
        c.wait_for("Check a token")
        c.paste(token)
        c.wait_for(token[-20:])
        c.press("Home")                        # now all of it is what follows the cursor
        c.wait_for(token[:20])
        c.press("Escape")
        c.wait_for("visitor's token")
        assert copies(dump(c), signature) == {}


def test_another_site_forgets_the_token(data, site, dump):
    site.add_key()
    data.add_site("zeta")
    token = site.token()
    with start(data) as c:
        c.press("6", "Enter")
        c.wait_for("Check a token")
        c.paste(token)
        c.press("Enter")
        c.wait_for("VERIFIED")
        c.press("s")
        c.wait_for("Choose a site")
        c.send("zeta")
        c.press("Enter")
        c.wait_for("Token at site zeta")
        c.wait_gone("VERIFIED")
        assert copies(dump(c), token.rsplit(".", 1)[1]) == {}


def test_the_console_forbids_core_dumps(data, site):
    with start(data) as c:
        with open(f"/proc/{c.pid}/limits", encoding="utf-8") as f:
            limit = next(row for row in f if row.startswith("Max core file size"))
        assert limit.split()[4:6] == ["0", "0"]
        assert os.stat(f"/proc/{c.pid}/mem").st_uid == 0
