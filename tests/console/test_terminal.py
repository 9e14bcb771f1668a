"""The console and its terminal: it starts, it ends, and whatever happens in between the terminal is given back as it was."""
import os
import pwd
import random
import re
import shlex
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from lib.datadir import DataDir
from lib.programs import SANITIZED, environment, program, wait_until
from lib.terminal import Console, Tmux, arguments, found

pytestmark = pytest.mark.tree("plain")

LEAVES = b"\x1b[?1049l"                # xterm's way back to the screen it had before
PASTES_OFF = b"\x1b[?2004l"
COLOURS = re.compile(rb"\x1b\[(?:\d+;)*(?:3[0-9]|4[0-9]|9[0-7]|10[0-7])[;m]")
STARTED = "Sites]"


@pytest.fixture(scope="module")
def data(module_data):
    """Two sites, one with a key."""
    module_data.add_site("acme")
    module_data.add_site("zeta", key=False)
    return module_data


def start(data, *options, **how):
    c = Console(data, *options, **how)
    try:
        c.wait_for(STARTED)
    except BaseException:
        c.kill()
        raise
    return c


def check_given_back(c):
    """The modes it had, the screen it had; nothing of what the console asked of the terminal remains."""
    assert c.modes_now() == c.modes
    for on, off in ((b"\x1b[?1049h", LEAVES), (b"\x1b[?2004h", PASTES_OFF), (b"\x1b[?1h", b"\x1b[?1l")):
        assert c.raw.rfind(off) > c.raw.rfind(on) >= 0, bytes(c.raw[-200:])
    assert c.raw.rfind(b"\x1b[?25h") > c.raw.rfind(b"\x1b[?25l")


# ---- starting and ending ----

def test_it_starts_with_the_sites_and_q_ends_it(data):
    with start(data) as c:
        c.wait_for("acme")
        c.wait_for("zeta")
        c.press("q")
        assert c.wait_end() == 0
        check_given_back(c)
        assert c.said() == ""


@pytest.mark.parametrize("key", ["F10", "Ctrl-C"])
def test_other_keys_end_it_too(data, key):
    with start(data) as c:
        c.press(key)
        assert c.wait_end() == 0
        check_given_back(c)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_it(data, number):
    with start(data) as c:
        c.signal(number)
        assert c.wait_end() == 0
        check_given_back(c)


@pytest.mark.skipif(SANITIZED, reason="the sanitizer handles these itself")
@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGQUIT,
                                    signal.SIGUSR1])
def test_a_crash_gives_the_terminal_back(data, number):
    with start(data) as c:
        c.signal(number)
        assert c.wait_end() == -number
        check_given_back(c)


def test_a_terminal_that_is_gone_ends_it(data):
    with start(data) as c:
        began = time.monotonic()
        c.hang_up()
        assert c.wait_end() in (0, 3)                  # SIGHUP is on its way, too
        assert SANITIZED or time.monotonic() - began < 2


def test_a_terminal_that_is_gone_without_a_signal_ends_it(data):
    with start(data, controls=False) as c:
        began = time.monotonic()
        c.hang_up()
        assert c.wait_end() == 3
        assert "terminal was lost" in c.said()
        assert SANITIZED or time.monotonic() - began < 2


def stands_still(c):
    """Has it not been woken for half a second, by a key nor by itself?"""
    def switches():
        return re.search(r"^voluntary_ctxt_switches:\s*(\d+)", Path(f"/proc/{c.pid}/status").read_text("ascii"), re.M).group(1)
    before, end = switches(), time.monotonic() + 0.5
    os.write(c.master, b"\x0c")
    while time.monotonic() < end and switches() == before:
        time.sleep(0.01)               # between two looks
    return switches() == before


def test_a_terminal_that_takes_nothing_more_does_not_outlive_sigterm(data):
    """A line that was cut without a word: the console waits to write, for good."""
    with start(data) as c:
        wait_until(lambda: stands_still(c), "the console to wait for its terminal", 30)
        c.signal(signal.SIGTERM)
        wait_until(lambda: not c.alive(), "the console to end", 20)
        assert c.wait_end() == 3
        check_given_back(c)


# ---- what it refuses ----

def refused(data, *options, **how):
    """Its sentence, where it does not start on a terminal."""
    with Console(data, *options, **how) as c:
        assert c.wait_end() == 3
        assert c.modes_now() == c.modes
        assert b"\x1b" not in c.raw
        return c.said()


@pytest.mark.parametrize("term", ["", "dumb", "unknown", "no-such-terminal", "x" * 4000, "../../etc/passwd", "a\x1b[31mb"])
def test_a_terminal_it_cannot_use_is_told_what_to_use_instead(data, term):
    said = refused(data, env={"TERM": term})
    assert said.startswith("postern-console: ") and said.count("\n") == 1
    assert "TERM" in said and "\x1b" not in said
    commands = re.findall(r"postern ((?:[a-z]+ ?)+)", said)
    assert len(commands) > 2
    for command in commands:
        data.run("help", *(word for word in command.split() if word not in ("help", "and", "others")))


def test_without_a_terminal_it_says_what_to_use_instead(data):
    ran = subprocess.run(arguments(data, []), stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
                         env=environment(TERM="xterm"))
    assert ran.returncode == 3 and ran.stdout == b""
    assert b"terminal" in ran.stderr and b"postern help" in ran.stderr and ran.stderr.count(b"\n") == 1


def test_data_that_is_not_there_is_said_as_a_line(data):
    said = refused(data.home / "nowhere")
    assert "nowhere" in said and "postern init" in said


def test_a_site_that_is_not_there_is_said_as_a_line(data):
    assert "postern site list" in refused(data, "--site", "nope")


@pytest.mark.parametrize("options", [["--nope"], ["site"], ["--color"], ["--color=sometimes"], ["--data"], ["--site"],
                                     ["--read-only=no"], ["-x"], ["\x1b[31m"]])
def test_usage_errors(options):
    ran = subprocess.run([program("postern-console"), *options], stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                         check=False, env=environment(TERM="xterm"))
    assert ran.returncode == 2 and ran.stdout == b""
    assert b"postern-console --help" in ran.stderr and b"\x1b" not in ran.stderr and ran.stderr.count(b"\n") == 1


def test_help_and_version_need_no_terminal_and_no_data():
    def out(option):
        ran = subprocess.run([program("postern-console"), option, "--data", "/nowhere"], stdin=subprocess.DEVNULL,
                             capture_output=True, timeout=60, check=False, env=environment(TERM=""))
        assert ran.returncode == 0 and ran.stderr == b""
        return ran.stdout.decode()
    assert re.fullmatch(r"postern-console \d+\.\d+\.\d+\n", out("--version"))
    text = out("--help")
    assert all(word in text for word in ("--data DIR", "--site SITE", "--read-only", "--color", "--ascii", "PageDown", "Ctrl-Z"))


def test_help_that_cannot_be_written_is_no_success():
    with open("/dev/full", "wb") as full:
        ran = subprocess.run([program("postern-console"), "--help"], stdout=full, check=False, timeout=60, env=environment())
    assert ran.returncode == 3


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_closed_descriptor_is_not_given_to_a_file(data, closed):
    """Else the next file opened would be the terminal: the vault's."""
    command = f"exec {shlex.join(arguments(data, []))} {closed}>&-"
    with Console(None, args=["/bin/sh", "-c", command]) as c:
        if closed == 2:
            c.wait_for(STARTED)
            assert os.geteuid() != 0 or os.readlink(f"/proc/{c.pid}/fd/2") == "/dev/null"
            c.press("q")
        assert c.wait_end() == (0 if closed == 2 else 3)
    data.run("site", "list")


# ---- read-only ----

@pytest.fixture
def owned():
    """A data directory that belongs to somebody else, of which others may traverse the path; and who is in the owner's group."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    try:
        owner, member = pwd.getpwnam("www-data"), pwd.getpwnam("nobody")
    except KeyError:
        pytest.skip("no users www-data and nobody")
    if subprocess.run(["test", "-x", program("postern-console")], user=member.pw_uid, check=False).returncode != 0:
        pytest.skip("nobody may not run what was built here")
    with DataDir() as data:
        data.add_site("acme")
        os.chmod(data.home, 0o755)
        for folder, folders, files in os.walk(data.path):
            for name in [".", *folders, *files]:
                os.chown(Path(folder) / name, owner.pw_uid, owner.pw_gid)
        yield data, {"user": member.pw_uid, "group": member.pw_gid, "extra_groups": [owner.pw_gid]}


def check_changes_nothing(c):
    c.wait_for("read-only")
    c.press("Enter")
    c.wait_for("1 of 3 keys")
    c.press("c")
    c.wait_for("This console is read-only")
    assert not found("[ Create ]", c.screen())
    c.press("q")
    assert c.wait_end() == 0


def test_who_may_only_read_may_look(owned):
    data, member = owned
    with Console(data, who=member) as c:
        c.wait_for("This console is read-only")        # said without being asked
        c.wait_for(re.compile(r"admin\.key:\s+Permission\s+denied"))
        check_changes_nothing(c)


def test_who_may_not_even_read_is_told(owned):
    data, member = owned
    stranger = {**member, "extra_groups": []}
    assert "Permission denied: run it with sudo" in refused(data, who=stranger)


def test_asked_to_change_nothing_it_changes_nothing(data):
    with Console(data, "--read-only") as c:
        check_changes_nothing(c)


# ---- kinds of terminals ----

@pytest.mark.parametrize("term", ["xterm-256color", "xterm", "linux", "vt100", "vt220", "screen", "tmux-256color", "putty",
                                  "rxvt-unicode-256color"])
def test_terminals_of_many_kinds_show_the_same(data, term):
    with start(data, env={"TERM": term}) as c:
        c.press("?")
        c.wait_for("Help")
        c.press("Escape")
        c.wait_gone("Help")
        wait_until(lambda: "acme" in "\n".join(c.screen()) and "quit" in c.screen()[23], "the whole screen")
        for site in ("acme", "zeta"):
            wait_until(lambda: site in c.screen()[c.cursor()[0]], f"the cursor on the line of {site}")
            c.press("Down")
        c.press("q")
        assert c.wait_end() == 0
        assert c.modes_now() == c.modes


@pytest.mark.parametrize("options,env", [([], {"NO_COLOR": "1"}), (["--color=never"], {}), (["--color", "always"], {"TERM": "vt100"}),
                                         ([], {"TERM": "vt100"}), (["--color=never"], {"TERM": "linux"})])
def test_without_colour_none_is_sent(data, options, env):
    with start(data, *options, env=env) as c:
        c.press("?")
        c.wait_for("Help")
        assert not COLOURS.search(c.raw)
        assert re.search(rb"\x1b\[([\d;]+;)?7m", c.raw)       # what is selected is told by other means


@pytest.mark.parametrize("options,env", [([], {}), (["--color=always"], {"NO_COLOR": "1"}), (["--color=auto"], {"TERM": "linux"}),
                                         (["--color=always"], {"TERM": "screen"})])
def test_with_colour_some_is_sent(data, options, env):
    with start(data, *options, env=env) as c:
        assert COLOURS.search(c.raw)


@pytest.mark.parametrize("options,env", [(["--ascii"], {}), ([], {"LC_ALL": "C"}), ([], {"LC_ALL": "POSIX", "TERM": "vt100"})])
def test_ascii_where_nothing_else_is_known(data, options, env):
    data.run("site", "set", "zeta", "--name", "Zürich 中文")
    with start(data, *options, env=env) as c:
        c.wait_for("rich")
        c.press("?")
        c.wait_for("Help")
        c.press("q")
        assert c.raw.isascii()


@pytest.mark.parametrize("env", [{"LC_ALL": "xx_XX.UTF-8"}, {"LC_ALL": "", "LANG": "xx_XX.utf8"},
                                 {"LC_ALL": "", "LC_CTYPE": "C.UTF-8", "LANG": "C"}])
def test_characters_of_a_language_that_is_not_installed(data, env):
    with start(data, env=env) as c:
        c.wait_for("─")


@pytest.mark.parametrize("lines,columns", [("10", "300"), ("1000000", "1000000")])
def test_lines_and_columns_of_another_terminal_are_not_believed(data, lines, columns):
    with start(data, env={"LINES": lines, "COLUMNS": columns}) as c:
        assert "quit" in c.wait_for("quit")[23]


# ---- keys ----

def test_sequences_that_no_key_is_known_by_do_nothing(data):
    """Their letters are not keys: the 4 of Ctrl-Up would go to Audit, the q of an answer end the console."""
    with start(data) as c:
        for sequence in ("\x1b[1;4q", "\x1b[<0;4;4M", "\x1b[?64;4c", "\x1bO4", "\x1b[[E", "\x1b[33~", "\x1b[4;1u"):
            c.send(sequence)
        c.press("?")
        rows = c.wait_for("Help")
        assert STARTED in rows[0]


def test_a_character_may_come_in_pieces(data):
    with start(data) as c:
        c.press("/")
        rows = len("".join(c.screen()).strip())
        for byte in "zü€😀".encode():
            c.send(bytes([byte]))
            c.read(0.02)
        c.wait_for("zü€😀")
        c.send(b"\xff\xc3(")
        c.wait_for("�(")
        assert rows


# ---- sizes ----

def test_a_small_terminal_says_so_in_one_line(data):
    with start(data) as c:
        c.resize(5, 20)
        rows = c.wait_for("80x24")
        assert sum(bool(row.strip()) for row in rows) == 1
        c.resize(24, 80)
        c.wait_for(STARTED)
        c.resize(43, 132)
        wait_until(lambda: "quit" in c.screen()[42], "the footer on the last line")


@pytest.mark.parametrize("rows,cols", [(1, 1), (1, 80), (24, 1), (2, 2), (23, 80), (24, 79)])
def test_it_starts_on_a_terminal_that_is_too_small(data, rows, cols):
    with Console(data, rows=rows, cols=cols) as c:
        wait_until(lambda: "".join(c.screen()).strip(), "anything at all")
        c.resize(24, 80)
        c.wait_for(STARTED)
        c.press("q")
        assert c.wait_end() == 0


@pytest.mark.parametrize("rows,cols", [(0, 0), (300, 300), (24, 5000), (2000, 80)])
def test_a_terminal_of_unlikely_size(data, rows, cols):
    """0x0: nobody told; then it is what its description says, 24x80."""
    with Console(data, rows=rows, cols=cols) as c:
        c.model.resize(rows or 24, cols or 80)
        c.wait_for(STARTED)


def test_a_storm_of_sizes(data):
    sizes = random.Random(7)
    with start(data) as c:
        for _ in range(200):
            c.resize(sizes.randint(1, 60), sizes.randint(1, 200))
            c.press(sizes.choice("?jk12\x1b"))
        c.resize(24, 80)
        c.wait_for("Postern")
        c.press("Escape")              # what is not shown takes no keys: there may be a dialog
        c.wait_gone("[ Close ]")
        c.press("1")
        wait_until(lambda: STARTED in c.screen()[0] and "quit" in c.screen()[23], "the sites, from the first line to the last")


# ---- away and back ----

@contextmanager
def in_shell(data, *options, before="", **env):
    """A shell with job control, and the console started from it."""
    with Console(None, args=["/bin/sh", "-i"], env={"PS1": "shell: ", "ENV": "", **env}, stderr=False) as c:
        c.wait_for("shell:")
        c.send(f"{before} {shlex.join(arguments(data, options))}\r")
        yield c
        if console_of(c):
            back_in_shell(c, lambda: c.press("q"))
        c.send("exit\r")
        c.wait_end()


@pytest.fixture
def shell(data):
    with in_shell(data) as c:
        c.wait_for(STARTED)
        yield c


def back_in_shell(c, act):
    before = len(c.raw)
    act()
    wait_until(lambda: c.screen() and b"shell: " in c.raw[before:], "the shell")


def console_of(shell):
    """The process that the shell has started; None: it ended."""
    children = Path(f"/proc/{shell.pid}/task/{shell.pid}/children").read_text("ascii").split()
    return int(children[0]) if children else None


@pytest.mark.parametrize("how", ["key", "signal"])
def test_the_shell_gets_the_terminal_and_the_console_takes_it_again(shell, how):
    for _ in range(2):
        back_in_shell(shell, lambda: shell.press("Ctrl-Z") if how == "key" else os.kill(console_of(shell), signal.SIGTSTP))
        check_given_back(shell)
        shell.model.reset()
        shell.send("echo he''re\r")
        shell.wait_for("here")
        shell.send("fg\r")
        shell.wait_for(STARTED)
        assert "here" not in "\n".join(shell.screen())
        shell.press("?")
        shell.wait_for("Help")
        shell.press("Escape")
        shell.wait_gone("Help")


def test_who_started_it_is_stopped_with_it(data):
    """A script that waits for it: else nobody would have the terminal."""
    with in_shell(data, before="/bin/sh -c '\"$@\"; true' script") as c:
        c.wait_for(STARTED)
        back_in_shell(c, lambda: c.press("Ctrl-Z"))
        c.send("fg\r")
        c.wait_for(STARTED)


def test_another_size_while_it_was_away(shell):
    back_in_shell(shell, lambda: shell.press("Ctrl-Z"))
    shell.resize(30, 100)
    shell.send("fg\r")
    wait_until(lambda: "quit" in shell.screen()[29], "the footer on the last line")


def test_ended_while_it_was_away(shell):
    """What is stopped takes its signal once it is continued; the shell keeps the terminal."""
    back_in_shell(shell, lambda: shell.press("Ctrl-Z"))
    os.kill(console_of(shell), signal.SIGTERM)
    back_in_shell(shell, lambda: shell.send("fg\r"))
    check_given_back(shell)


def test_where_no_shell_could_continue_it_goes_on(data):
    """It is the only one in its session: nobody could say fg."""
    with start(data) as c:
        c.press("Ctrl-Z")
        c.press("?")
        c.wait_for("Help")


def test_stopped_and_continued_by_somebody_else_it_draws_everything_anew(data):
    with start(data) as c:
        c.signal(signal.SIGSTOP)
        wait_until(lambda: re.search(r"^State:\s+T", Path(f"/proc/{c.pid}/status").read_text("ascii"), re.M), "it to stop")
        os.write(c.slave, b"\x1b[2J\x1b[5;5Hsomebody else")
        c.wait_for("somebody else")
        c.signal(signal.SIGCONT)
        c.wait_for(STARTED)
        c.wait_gone("somebody else")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to write to another process's descriptor")
@pytest.mark.parametrize("how", ["key", pytest.param("crash", marks=pytest.mark.skipif(SANITIZED, reason="a sanitizer's crash"))])
def test_what_is_said_on_standard_error_comes_out_at_the_end(data, how):
    """Where that is the terminal, too: it would be drawn across the screen, or be lost with it."""
    with start(data, stderr=False) as c:
        with open(f"/proc/{c.pid}/fd/2", "a", encoding="ascii") as stderr:
            stderr.write("an assertion failed\n")
        c.press("?")
        c.wait_for("Help")
        assert b"assertion" not in c.raw
        if how == "key":
            c.press("Escape", "q")
        else:
            c.signal(signal.SIGABRT)
        assert c.wait_end() == (0 if how == "key" else -signal.SIGABRT)
        check_given_back(c)
        assert c.raw.rfind(b"an assertion failed\r\n") > c.raw.rfind(LEAVES)


# ---- a secret ----

ERASES_OR_MOVES = re.compile(rb"\x1b\[[\d;?]*[JLMSTr]|\n|\x1b[MDE]|\x1b\[\?1049")
SECRET = re.compile(r"postern_sk_[0-9A-Za-z]{49}")


def new_key(data, c, site):
    """Makes a key on the Keys screen; returns its secret, as it is shown."""
    c.wait_for(re.compile(rf"{site} .*0 of 3 keys", re.S))
    c.press("c")
    c.wait_for("[ Create ]")
    c.press("Enter", "Tab", "Enter")
    secret = SECRET.search("\n".join(c.wait_for(SECRET))).group()
    data.secrets.add(secret)
    return secret


@pytest.fixture
def bare(data, request):
    """The name of a site without keys."""
    name = "s" + re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[-40:].strip("-")
    data.add_site(name, key=False)
    return name


def shows(c, secret):
    return sum(secret in row for row in c.screen())


@pytest.mark.parametrize("term", ["xterm-256color", "linux", "vt100", "screen"])
def test_a_secret_is_shown_once_and_overwritten_before_anything_else_is_sent(data, bare, term):
    with Console(data, "--site", bare, env={"TERM": term}) as c:
        secret = new_key(data, c, bare)
        c.wait_for(re.compile(r"or in 11\d s"))
        assert shows(c, secret) == 1
        assert c.raw.count(secret.encode()) == 1       # what is written again drops the mouse's selection
        c.close_secret(secret)
        c.wait_for("1 of 3 keys")
        assert shows(c, secret[:20]) == 0
        after = bytes(c.raw[c.raw.rfind(secret.encode()) + len(secret):])
        blanks = re.search(rb"\x1b\[[\d;]*H {%d}\x1b" % len(secret), after)
        assert blanks and not ERASES_OR_MOVES.search(after[:blanks.start()]), after
    token = data.run("token", "mint", bare, "--email", "alex@example.com", "--secret-file", data.file("secret", secret)).out
    data.secrets.add(token.strip())
    assert data.run("token", "explain", bare, "--json", stdin=token).json["decision"] == "verified"


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGSEGV, marks=pytest.mark.skipif(
    SANITIZED, reason="the sanitizer handles it itself"))])
def test_a_secret_does_not_outlive_the_console(data, bare, number):
    """On a terminal without a second screen, where everything else stays."""
    with Console(data, "--site", bare, env={"TERM": "vt100"}) as c:
        secret = new_key(data, c, bare)
        c.signal(number)
        c.wait_end()
        assert shows(c, secret[:20]) == 0
        assert any("cannot be shown again" in row for row in c.screen())


def test_a_secret_stays_where_it_is_shown(data, bare):
    with Console(data, "--site", bare) as c:
        secret = new_key(data, c, bare)
        for rows, cols in ((30, 100), (24, 80), (10, 40), (60, 200), (24, 80)):
            c.resize(rows, cols)
            wait_until(lambda: shows(c, secret) == (cols >= 80), f"the secret on {rows}x{cols}")
        c.press("Ctrl-L")
        c.wait_for("Gone after Enter")
        wait_until(lambda: shows(c, secret) == 1, "the secret on a screen drawn anew")
        assert shows(c, secret[:20]) == 1


def test_a_secret_is_not_left_to_the_shell(data, bare):
    with in_shell(data, "--site", bare, TERM="vt100") as c:
        secret = new_key(data, c, bare)
        back_in_shell(c, lambda: c.press("Ctrl-Z"))
        assert shows(c, secret[:20]) == 0
        c.send("fg\r")
        wait_until(lambda: shows(c, secret) == 1, "the secret again")
        c.close_secret(secret)
        c.wait_for("1 of 3 keys")
        back_in_shell(c, lambda: c.press("q"))
        assert shows(c, secret[:20]) == 0


@pytest.mark.parametrize("option", ["alternate-screen on", "alternate-screen off"])
def test_a_secret_is_never_in_the_scrollback(data, bare, option):
    with Tmux(data, "--site", bare, tmux_options=[option]) as t:
        secret = new_key(data, t, bare)

        def but_the_time():
            return [row for row in t.screen() if "Gone after" not in row]
        drawn = but_the_time()                           # at 100 columns the console breaks its lines elsewhere
        t.press("C-l")
        t.resize(30, 100)
        wait_until(lambda: len(t.screen()[0].rstrip()) == 100, "the title's line across a wider screen")
        t.resize(24, 80)
        wait_until(lambda: but_the_time() == drawn, "the secret on a screen drawn anew")
        assert sum(secret[:20] in row for row in t.scrollback()) == 1
        t.close_secret(secret)
        t.wait_for("1 of 3 keys")
        assert not any(secret[:20] in row for row in t.scrollback())
        t.press("C-l", "q")
        assert t.wait_end() == 0
        assert not any(secret[:20] in row for row in t.scrollback())


def memory(pid):
    """Everything the process could read and write."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            span, modes = line.split()[:2]
            begin, end = (int(n, 16) for n in span.split("-"))
            if modes.startswith("rw"):
                mem.seek(begin)
                yield mem.read(end - begin)


def copies(pid, text):
    """How often it is in memory: as bytes, or as characters in cells of some size, as curses and a canvas have them."""
    patterns = [(rb".{%d}" % gap).join(re.escape(ch.encode()) for ch in text) for gap in range(40)]
    return sum(len(re.findall(pattern, piece, re.S)) for piece in memory(pid) for pattern in patterns)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to look into another process's memory")
@pytest.mark.skipif(SANITIZED, reason="the sanitizer's memory is too large to be looked through")
def test_a_secret_is_in_memory_once_and_then_no_more(data, bare):
    with Console(data, "--site", bare) as c:
        secret = new_key(data, c, bare)
        assert copies(c.pid, secret[11:27]) == 1
        c.close_secret(secret)
        c.wait_for("1 of 3 keys")
        assert copies(c.pid, secret[11:27]) == 0
        assert copies(c.pid, "2 Keys] 3 Live") > 1, "what is in cells is not found"


# ---- what it costs ----

@pytest.mark.skipif(SANITIZED, reason="what a sanitizer costs says nothing")
def test_at_rest_it_costs_next_to_nothing(data):
    def used():
        return int(Path(f"/proc/{c.pid}/schedstat").read_text("ascii").split()[0]) / 1e9
    with start(data) as c:
        began = time.monotonic()
        before, sent = used(), len(c.raw)
        while time.monotonic() - began < 4:
            c.read(0.5)
        assert (used() - before) / (time.monotonic() - began) < 0.01
        assert len(c.raw) - sent < 4000


# ---- another terminal ----

def test_in_tmux(data):
    with Tmux(data) as t:
        t.wait_for(STARTED)
        t.press("?")
        t.wait_for("Help")
        t.press("Escape")
        t.wait_gone("Help")
        t.resize(40, 120)
        wait_until(lambda: "quit" in t.screen()[39], "the footer on the last line")
        t.press("q")
        assert t.wait_end() == 0
        assert not any(STARTED in row for row in t.scrollback())
