"""The real postern-console on a terminal: Console on a pseudo-terminal with pyte as its screen, Tmux in a tmux of its own.

Both are used with `with`, and end their processes whatever happens."""
import errno
import fcntl
import itertools
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import tempfile
import termios
import time
from pathlib import Path

import pyte
from wcwidth import wcwidth

from lib.programs import SANITIZED, SANITIZER_EXIT, environment, program, tool, wait_until

WAIT_SECONDS = 20 if SANITIZED else 10

# What a terminal sends. Terminals in application mode send the cursor keys with an O; the console takes both.
KEYS = {"Enter": "\r", "Escape": "\x1b", "Tab": "\t", "BackTab": "\x1b[Z", "Backspace": "\x7f", "Delete": "\x1b[3~",
        "Up": "\x1bOA", "Down": "\x1bOB", "Right": "\x1bOC", "Left": "\x1bOD", "Home": "\x1b[H", "End": "\x1b[F",
        "PageUp": "\x1b[5~", "PageDown": "\x1b[6~", "F1": "\x1bOP", "F10": "\x1b[21~", "Space": " ",
        **{f"Ctrl-{letter}": chr(ord(letter) & 31) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}}


def arguments(data, options):
    """The command line: data is a DataDir, a path, or None for none."""
    where = ["--data", str(getattr(data, "path", data))] if data is not None else []
    return [program("postern-console"), *where, *map(str, options)]


def found(what, rows):
    """Does any row, or several together, hold this text or match this pattern?"""
    text = "\n".join(rows)
    return what.search(text) if isinstance(what, re.Pattern) else what in text


class Looking:
    """What both kinds of terminal can be asked: they have screen() and alive()."""

    def wait_for(self, what, seconds=WAIT_SECONDS):
        """Waits until the screen shows a text or matches a compiled pattern; returns the screen's rows."""
        return self._wait(lambda rows: found(what, rows), f"{what!r} to appear", seconds)

    def wait_gone(self, what, seconds=WAIT_SECONDS):
        return self._wait(lambda rows: not found(what, rows), f"{what!r} to disappear", seconds)

    def close_secret(self, secret):
        """Enter, again until it is taken: one that comes within half a second of the key before it is not, so that a key held
        too long does not close the one screen that shows a secret. Where that screen is being drawn anew the secret is not on
        it for a moment, and it is still there; but then there is nothing, or its title."""
        pressed = 0.0

        def gone():
            nonlocal pressed
            rows = self.screen()
            if pressed and "".join(rows).strip() and not found(secret, rows) and not found("The secret of key", rows):
                return True
            if time.monotonic() - pressed > 0.7:
                self.press("Enter")
                pressed = time.monotonic()
            return False
        wait_until(gone, "the secret to close", WAIT_SECONDS)

    def _wait(self, condition, what, seconds):
        def look():
            rows = self.screen()
            if condition(rows):
                whole = self.whole_screen()
                return whole if condition(whole) else rows
            assert self.alive(), f"the console ended while waiting for {what}:\n{self.said()}"
            return None
        try:
            return wait_until(look, what, seconds)
        except AssertionError as e:
            raise AssertionError(f"{e}\n" + "\n".join(self.screen())) from None


    def whole_screen(self):
        """As screen(), but not amid a drawing, where that can be known."""
        return self.screen()


class Stream(pyte.ByteStream):
    """pyte knows neither REP (CSI n b) nor SU and SD (S, T), which xterm's description promises."""
    csi = {**pyte.ByteStream.csi, "b": "repeat", "S": "scroll_up", "T": "scroll_down"}
    events = pyte.ByteStream.events | {"repeat", "scroll_up", "scroll_down"}


class Screen(pyte.Screen):
    last = " "

    @property
    def display(self):
        """As pyte has it; but half a wide character, as another one's overwriting leaves it in the model, is a space."""
        return ["".join(self._row(self.buffer[y])) for y in range(self.lines)]

    def _row(self, line):
        wide = False
        for x in range(self.columns):
            data = line[x].data
            if data or not wide:
                yield data or " "
            wide = data != "" and wcwidth(data[0]) == 2

    def draw(self, data):
        super().draw(data)
        self.last = data[-1:] or self.last

    def repeat(self, count=1):
        self.draw(self.last * (count or 1))

    def scroll_up(self, count=1):
        self._scroll(self.index, (self.margins or pyte.screens.Margins(0, self.lines - 1)).bottom, count)

    def scroll_down(self, count=1):
        self._scroll(self.reverse_index, (self.margins or pyte.screens.Margins(0, self.lines - 1)).top, count)

    def _scroll(self, step, row, count):
        """step scrolls where the cursor is on that row."""
        row, self.cursor.y = self.cursor.y, row
        for _ in range(count or 1):
            step()
        self.cursor.y = row


class Console(Looking):
    """with Console(data, "--site", "acme", env={"TERM": "vt100"}) as c: c.press("Down", "Enter"); c.wait_for("k_")

    raw: every byte it sent. said(): what it wrote to standard error, unless that is the terminal too (stderr=False). args:
    another command line. controls=False: no signal comes from the terminal. An empty variable in env is one that is not set.
    who: another user, as subprocess.Popen names one (user, group, extra_groups)."""

    def __init__(self, data, *options, rows=24, cols=80, env=None, stderr=True, args=None, controls=True, who=None):
        self.raw = bytearray()
        self.rows, self.cols = rows, cols
        self.model = Screen(cols, rows)
        self.stream = Stream(self.model)
        self.code = None
        self.hung_up = False
        self.errors = tempfile.TemporaryFile() if stderr else None
        self.master, slave = pty.openpty()
        self._set_size(rows, cols)
        self.slave = slave                     # kept open: the terminal's modes can be asked after the end
        self.modes = termios.tcgetattr(slave)
        env = {"TERM": "xterm-256color", **(env or {})}
        try:
            self.process = subprocess.Popen(args or arguments(data, options), stdin=slave, stdout=slave, stderr=self.errors or slave,
                                            preexec_fn=self._own_terminal if controls else self._own_session, **(who or {}),
                                            env={k: v for k, v in environment(**env).items() if v != ""})
        except BaseException:
            os.close(self.master)
            os.close(slave)
            raise

    @staticmethod
    def _own_session():
        os.setsid()
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):      # ignored where the tests run in a shell's background
            signal.signal(number, signal.SIG_DFL)

    @staticmethod
    def _own_terminal():
        Console._own_session()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def _set_size(self, rows, cols):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    @property
    def pid(self):
        return self.process.pid

    # ---- what it shows ----

    def read(self, seconds=0.0):
        """Takes what it sent; waits so long for more. False: nothing came, or there is no terminal any more."""
        if self.hung_up or not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            piece = os.read(self.master, 65536)
        except OSError as e:
            if e.errno != errno.EIO:
                raise
            piece = b""
        self.raw += piece
        self.stream.feed(piece)
        return bool(piece)

    def screen(self):
        """The rows as text, with what came up to now."""
        while self.read():
            pass
        return list(self.model.display)

    def whole_screen(self):
        """What is drawn once the program waits again: what it sends is read in pieces, and a piece may end amid a drawing."""
        end = time.monotonic() + 1              # one that never rests is looked at as it is
        while time.monotonic() < end and self.alive():
            resting = self._state() in "ST"
            if not self.read(0 if resting else 0.002) and resting:
                break
        return self.screen()

    def _state(self):
        return Path(f"/proc/{self.pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[0]

    def cursor(self):
        self.screen()
        return self.model.cursor.y, self.model.cursor.x

    def said(self):
        if self.errors is None:
            return ""
        self.errors.seek(0)
        return self.errors.read().decode("utf-8", "replace")

    # ---- what one does ----

    def send(self, text):
        data = text if isinstance(text, bytes) else text.encode()
        while data:
            self.screen()              # who never reads is not written to for long
            data = data[os.write(self.master, data[:1024]):]

    def press(self, *names):
        for name in names:
            self.send(KEYS.get(name, name))

    def paste(self, text):
        self.send(f"\x1b[200~{text}\x1b[201~")

    def resize(self, rows, cols):
        self.screen()
        self.rows, self.cols = rows, cols
        self.model.resize(rows, cols)
        self._set_size(rows, cols)     # which sends SIGWINCH to who is in the foreground

    def signal(self, number):
        if self.alive():
            self.process.send_signal(number)

    def hang_up(self):
        """The terminal is gone: the window closed, the line cut."""
        self.hung_up = True
        os.close(self.slave)
        os.close(self.master)

    def modes_now(self):
        return termios.tcgetattr(self.slave)

    # ---- how it ends ----

    def alive(self):
        return self.process.poll() is None

    def wait_end(self, seconds=WAIT_SECONDS):
        """Its exit code; what it sends until then is read. A sanitizer's finding fails here."""
        end = time.monotonic() + seconds
        while self.alive() and time.monotonic() < end:
            if not self.read(0.02) and self.hung_up:
                self._wait_hung_up(end)
        if self.alive():
            raise AssertionError(f"the console did not end within {seconds} s:\n" + "\n".join(self.model.display))
        self.screen()
        self.code = self.process.returncode
        assert self.code != SANITIZER_EXIT, self.said() or bytes(self.raw).decode("utf-8", "replace")
        return self.code

    def _wait_hung_up(self, end):
        try:
            self.process.wait(max(0.01, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            pass

    def close(self):
        """Where no test has seen it end it must still run, and end with 0 by SIGTERM, in time."""
        if self.code is not None:
            return
        assert self.alive(), f"the console ended by itself, with {self.process.returncode}:\n{self.said()}"
        self.signal(signal.SIGTERM)
        # Only who is stopped is continued: it would take back the stop by which a sanitizer looks for leaks at the end.
        if re.search(r"^State:\s+T", Path(f"/proc/{self.pid}/status").read_text("ascii"), re.M):
            self.signal(signal.SIGCONT)
        code = self.wait_end()
        assert code == 0, f"SIGTERM ended the console with {code}:\n{self.said()}"

    def kill(self):
        if self.alive():
            self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.close()
            else:
                print("---- the console's screen\n" + "\n".join(self.screen()) + f"\n---- what it said\n{self.said()}")
        finally:
            self.kill()
            if not self.hung_up:
                os.close(self.master)
                os.close(self.slave)
            if self.errors:
                self.errors.close()


class Tmux(Looking):
    """The same in tmux, a terminal others wrote, with a scrollback. It starts in a shell, so that what remains can be seen."""
    count = itertools.count(1)

    def __init__(self, data, *options, rows=24, cols=80, env=None, tmux_options=()):
        self.tmux = tool("tmux")
        self.shell = None              # the process of the pane, first of its group
        self.folder = tempfile.TemporaryDirectory(prefix="postern-tmux-")
        self.code_file = Path(self.folder.name) / "code"
        self.name = f"postern-{os.getpid()}-{next(Tmux.count)}"
        command = shlex.join(arguments(data, options)) + f"; echo $? > {shlex.quote(str(self.code_file))}; exec cat"
        self.env = environment(TERM="screen", TMUX_TMPDIR=self.folder.name, **(env or {}))
        before = [part for option in tmux_options for part in ("set-option", "-g", *option.split(), ";")]
        try:
            self.ran("start-server", ";", *before, "new-session", "-d", "-x", str(cols), "-y", str(rows), command)
            self.shell = int(self.ran("list-panes", "-F", "#{pane_pid}"))
        except BaseException:
            self.kill()
            raise

    def ran(self, *args):
        done = subprocess.run([self.tmux, "-L", self.name, "-f", "/dev/null", *args], capture_output=True, env=self.env,
                              timeout=WAIT_SECONDS, check=False)
        assert done.returncode == 0, f"tmux {' '.join(args)}: {done.stderr.decode()}"
        return done.stdout.decode("utf-8", "replace")

    def screen(self):
        return self.ran("capture-pane", "-p").split("\n")

    def scrollback(self):
        """Everything that could be scrolled back to, and the screen."""
        return self.ran("capture-pane", "-p", "-S", "-").split("\n")

    def send(self, text):
        self.ran("send-keys", "-l", text)

    def press(self, *names):
        """tmux's own names of keys: Enter, Up, Escape, BSpace, C-z; letters are themselves."""
        self.ran("send-keys", *names)

    def resize(self, rows, cols):
        self.ran("resize-window", "-x", str(cols), "-y", str(rows))

    def alive(self):
        return not self.code_file.exists()

    def said(self):
        return ""

    def wait_end(self, seconds=WAIT_SECONDS):
        """Its exit code."""
        code = int(wait_until(lambda: self.code_file.exists() and self.code_file.read_text(encoding="ascii").strip(),
                              "the console in tmux to end", seconds))
        assert code != SANITIZER_EXIT, "\n".join(self.scrollback())
        return code

    def close(self):
        """As Console.close(). One that has ended must have ended with 0."""
        if self.alive():
            children = Path(f"/proc/{self.shell}/task/{self.shell}/children").read_text(encoding="ascii")
            for pid in children.split():
                os.kill(int(pid), signal.SIGTERM)
        assert self.wait_end() == 0

    def kill(self):
        """Ends tmux and all in it: who waits for the terminal is told by SIGHUP that there is none, who does not listen is killed."""
        subprocess.run([self.tmux, "-L", self.name, "kill-server"], capture_output=True, env=self.env, timeout=WAIT_SECONDS,
                       check=False)
        if self.shell:
            try:
                os.killpg(self.shell, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.close()
            else:
                print("---- tmux\n" + "\n".join(self.screen()))
        finally:
            self.kill()
