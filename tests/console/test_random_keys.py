"""Keys as a cat presses them, while tokens are blocked and another admin works: the console lives, and nothing that is guarded
happens. The seed is printed; POSTERN_SEED=N plays the same keys again."""
import collections
import itertools
import os
import random
import re
import select
import string
import subprocess
import threading
import time
from pathlib import Path

import pytest

from lib import fastcgi
from lib.programs import SANITIZED, environment, program, wait_until
from lib.ringscreen import SECRET
from lib.terminal import KEYS, Console
from lib.worker import Worker

pytestmark = pytest.mark.tree("sanitized")

SECONDS = 300 if os.environ.get("POSTERN_SLOW") == "1" else 10
SITE = "a-site-whose-name-is-not-typed-by-chance"
MEMORY_GROWS_KIB = 32 * 1024
ANSWERS_SECONDS = 20 if SANITIZED else 2
BLOCKED_EACH = 0.02                    # seconds between two blocked tokens

# What ends the console is left out: q, F10, Ctrl-C; and Ctrl-\, a signal while a Ctrl-Z has given the terminal back.
ENDS = re.compile(rb"[q\x03\x1c]|\x1b\[21~")
PIECES = [b"\x1b", b"\x1b[", b"\x1bO", b"\x1b[1;", b"\x1b[<0;", b"\x1b[200~", b"\x1b[201~", b"\x1b[20", b"\x1b]0;x\x07",
          b"\x1bP1$r0m\x1b\\", b"\x1b[[", b"\x1b[M !!", b"\x1b[<0;10;10M", b"\x1b[<64;1;1m", b"\x1b[?1;2c", b"\x1b[24;80R", b"\x1b[I",
          b"\x1b[O", b"\x1b[97;5u", b"\x1b\x1b\x1b"]
BUTTONS = [b"\r", b"\r", b"\t", b" ", b"l", b"\x1b", KEYS["Right"].encode(), KEYS["Left"].encode(), KEYS["BackTab"].encode()]
COMMANDS = "1234566crtusipx/#?jkhlgGn \t"


def random_bytes(dice):
    return bytes(dice.choice((dice.randrange(256), dice.randrange(128, 256))) for _ in range(dice.randint(1, 40)))


def random_text(dice):
    return "".join(chr(dice.choice((dice.randrange(32, 127), dice.randrange(0xa0, 0xd800), dice.randrange(0xe000, 0x110000))))
                   for _ in range(dice.randint(1, 60))).encode()


def random_paste(dice):
    content = dice.choice((random_text, random_bytes))(dice) * dice.choice((1, 1, 1, 200))
    return b"\x1b[200~" + content + dice.choice((b"\x1b[201~", b"\x1b[201~", b"\x1b[201~", b""))


def random_keys(dice):
    kinds = {
        lambda: dice.choice(COMMANDS).encode() * dice.randint(1, 3): 30,
        lambda: KEYS[dice.choice(list(KEYS))].encode() * dice.randint(1, 4): 30,
        lambda: dice.choice(string.printable).encode(): 10,
        lambda: dice.choice(PIECES): 6,
        lambda: random_bytes(dice): 2,
        lambda: random_text(dice): 2,
        lambda: random_paste(dice): 2,
    }
    return ENDS.sub(b"", dice.choices(list(kinds), weights=kinds.values())[0]())


def letters(dice):
    """Letters, Enter and Escape; h and l are the arrows."""
    return dice.choice([b"\r", b"\r", b"\x1b", *(letter.encode() for letter in string.ascii_letters if letter not in "hlq")])


def feed(console, data):
    """What it takes at once, and what it sends meanwhile is read: nobody waits for the other."""
    console.sent.append(data)
    while data:
        console.screen()
        assert console.alive(), f"ended with {console.process.returncode}: {console.said()}\nthe last keys: {list(console.sent)}"
        if select.select([console.master], [console.master], [], 1)[1]:
            try:
                data = data[os.write(console.master, data[:256]):]
            except BlockingIOError:
                pass


def memory(pid):
    """KiB that are the process's own."""
    return int(re.search(r"^RssAnon:\s*(\d+)", Path(f"/proc/{pid}/status").read_text("ascii"), re.M).group(1))


class Meanwhile(threading.Thread):
    """Does something over and over, until the with block ends. What went wrong in it fails there."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work, self.over, self.failed, self.turns = work, threading.Event(), None, 0

    def run(self):
        try:
            while not self.over.is_set():
                self.work(self.turns, self.over)
                self.turns += 1
        except BaseException as e:       # pylint: disable=broad-except
            self.failed = e

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        self.over.set()
        self.join(30)
        if kind is None and self.failed:
            raise self.failed
        assert kind or self.turns > 0


def blocked_tokens(worker, site):
    """One after the other, each another token and reason."""
    bad = itertools.cycle([lambda n: site.token(ttl=-5 - n), lambda n: f"nonsense{n}", lambda n: site.token(email="a@b@c", sub=str(n)),
                           lambda n: site.token(secret="another secret, which is not the site's", sub=str(n))])
    path = f"/v1/sites/{site.name}/identity"

    def work(turn, over):
        answer = fastcgi.ask(worker, path=path, token=next(bad)(turn), REMOTE_ADDR=f"203.0.{turn % 250}.7")
        assert answer.status == 401
        over.wait(BLOCKED_EACH)
    return work


def another_admin(data, site):
    """The command line: keys of its own at this site and at another."""
    def run(*args):
        done = subprocess.run([program("postern"), *args, "--data", str(data.path)], capture_output=True, check=False, timeout=60,
                              env=environment(), text=True)
        assert done.returncode in (0, 1), done.stderr
        return done.stdout

    def work(turn, over):
        name = ("other", site.name)[turn % 2]
        made = re.search(r"k_\w{8}", run("key", "create", name, "--label", "not the guarded one"))
        run("key", "list", name)
        if made:
            run("key", "retire", name, made.group(0), "--now", "--yes")
        over.wait(0.2)
    return work


@pytest.fixture
def dice():
    seed = int(os.environ.get("POSTERN_SEED") or random.randrange(10**9))
    print(f"POSTERN_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def guarded(data):
    """A site with one key, which a visitor's token has just used, as its ring shows; and another site."""
    data.add_site("other")
    site = data.add_site(SITE)
    with Worker(data, "--audit-budget", "0") as worker:
        assert fastcgi.ask(worker, path=f"/v1/sites/{SITE}/identity", token=site.token()).status == 200
        wait_until(lambda: data.run("key", "list", SITE, "--json").json[0]["uses_1h"], "the use to be reported", 20)
        site.worker = worker
        yield site


def start(data):
    c = Console(data, "--site", SITE)
    try:
        c.wait_for("last hour")
        os.set_blocking(c.master, False)
        c.sent = collections.deque(maxlen=60)
    except BaseException:
        c.kill()
        raise
    return c


SHOWN_ONCE = "Gone after Enter"


def shows_secret(c):
    """Only an Enter after half a second of silence takes it away."""
    return SHOWN_ONCE in "\n".join(c.screen())


def calm_down(c):
    """Out of pastes, sizes, dialogs and records."""
    feed(c, b"\x1b[201~")
    if (c.rows, c.cols) != (24, 80):
        c.resize(24, 80)
    for _ in range(3):
        feed(c, b"\x1b")
        wait_until(lambda: not c.read(0.05), "it to be still", 20)
    if shows_secret(c):
        c.close_secret(SHOWN_ONCE)


def is_answering(c):
    began = time.monotonic()
    feed(c, b"1")
    rows = c.wait_for("[1 Sites]", ANSWERS_SECONDS)
    assert time.monotonic() - began < ANSWERS_SECONDS
    assert "? help" in rows[-1]


def check_guarded(data, site):
    """Nobody retired it or set it an end of its own; a rotation gives it an end that is hours ahead."""
    (row,) = [k for k in data.run("key", "list", SITE, "--json").json if k["kid"] == site.kid]
    assert row["state"] in ("active", "retiring")
    assert not [r for r in data.audit(event="key", kid=site.kid) if r["detail"]["change"] in ("retire", "schedule", "expire")]
    assert fastcgi.ask(site.worker, path=f"/v1/sites/{SITE}/identity", token=site.token()).status == 200


def press(c, dice, keys, seconds, sizes):
    """Returns how many presses it took."""
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        feed(c, keys(dice))
        count += 1
        if dice.random() < 0.05 and shows_secret(c):
            feed(c, b"\x1b[201~")
            c.close_secret(SHOWN_ONCE)
        if sizes and dice.random() < 0.01:
            c.resize(*dice.choice([(24, 80), (24, 80), (50, 200), (5, 20), (1, 1), (dice.randint(1, 70), dice.randint(1, 260))]))
    return count


@pytest.mark.limit(SECONDS + 180)
def test_random_keys(data, guarded, dice):
    with start(data) as c:
        with Meanwhile(blocked_tokens(guarded.worker, guarded)) as tokens, Meanwhile(another_admin(data, guarded)) as admin:
            press(c, dice, random_keys, SECONDS / 4, True)
            before = memory(c.pid)
            count = press(c, dice, random_keys, SECONDS * 3 / 4, True)
            calm_down(c)
            is_answering(c)
            assert SANITIZED or memory(c.pid) - before < MEMORY_GROWS_KIB, (before, memory(c.pid))
        print(f"{count} presses, {tokens.turns} blocked tokens, {admin.turns} changes by another admin")
        assert c.said() == ""
        data.secrets.update(found.decode() for found in re.findall(SECRET.pattern.encode(), bytes(c.raw)))
    check_guarded(data, guarded)


@pytest.mark.limit(SECONDS + 180)
def test_letters_enter_and_escape_alone_change_no_ring(data, guarded, dice):
    """Cancel is the default of every dialog, so none of them ever reaches the button that acts."""
    with start(data) as c:
        before = data.audit(event="key")
        with Meanwhile(blocked_tokens(guarded.worker, guarded)):
            press_in_dialogs(c, dice, "crt", letters)
            calm_down(c)
            is_answering(c)
    assert data.audit(event="key") == before
    check_guarded(data, guarded)


@pytest.mark.limit(SECONDS + 180)
def test_no_keys_but_its_name_retire_a_key_that_is_in_use(data, guarded, dice):
    with start(data) as c:
        press_in_dialogs(c, dice, "t", all_about_buttons)
        calm_down(c)
        is_answering(c)
    check_guarded(data, guarded)


def all_about_buttons(dice):
    return dice.choice([*BUTTONS, letters(dice)])


def press_in_dialogs(c, dice, openers, keys):
    """Over and over from the ring on: opens a dialog, and presses some keys in it."""
    end, opened = time.monotonic() + SECONDS / 3, 0
    while time.monotonic() < end:
        calm_down(c)
        feed(c, b"2")
        c.wait_for("[2 Keys]")
        feed(c, KEYS["Home"].encode() + dice.choice(openers).encode())
        rows = c.wait_for(re.compile(r"\[ Cancel \]|ring_full|Choose a site|This slot is free"))
        opened += "[ Cancel ]" in "\n".join(rows)
        for _ in range(dice.randint(1, 40)):
            feed(c, keys(dice))
    assert opened > 3
