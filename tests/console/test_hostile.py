"""Text from outside in every place that the console shows: what it sends to its terminal is made of its own sequences alone, and
its frame stays where it is."""
import json
import os
import random
import re
import socket
import struct
import time

import pytest

from lib import audit, fastcgi, rawlog, tokens
from lib.programs import SANITIZED, wait_until
from lib.rawdb import RawDb
from lib.ringscreen import RingScreen
from lib.terminal import Console
from lib.worker import Worker

pytestmark = pytest.mark.tree("sanitized")

# What a terminal would obey, or draw where it does not belong. None of the sequences is one that the console uses itself.
EVIL = [
    "\x1b]0;OWNED\x07", "\x1b]52;c;T1dORUQ=\x1b\\", "\x1b[35;5m\x1b[8m", "\x1b[2J\x1b[1;1HOWNED", "\x1bP0;1|17/ab\x1b\\",
    "\x1b_Gf=100\x1b\\", "\x1b[?1000h\x1b[?1003h\x1b[?1006h", "\x1b[6n\x1b[c\x1b[0c\x05", "\x1bc\x1b#8\x1b(0lqk\x0e\x0f",
    "\x9b35m\x9d0;OWNED\x9c\x85\x90", "\u202egnp.exe\u202c\u2066\u2067\u2069\u061c\u200e\u200f",
    "a\u200b\u200d\u2060\ufeff\u00ad\u180eb",
    "\u2028\u2029\x7f\x08\x08\r\nOWNED\t\x0b\x0c", "\u4e2d\u6587\u5b57\u5e55\uff21\uff22\uac00\u3042" * 3,
    "e\u0301\u0302\u0303\u0304\u0305" * 6, "\u0301\u0302leading", "\u0e33\u0f71\u0600\u0e49\u0e49\u0e49",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\U0001f3f3\ufe0f\u200d\U0001f308\U0001f1e9\U0001f1ea", "\ufdfd\U0001242b\u2e3b",
    "\ufffe\uffff\ufffd\U0010ffff", "\U000e0041\U000e007f\ufff9\ufffa\ufffb", "%s%n%1$s%c", "\u3164\u115f\uffa0\u2800",
    "\\x1b[31m\\u202e", "\u05d0\u05d1 \u0627\u0644\u0639 OWNED",
]
NOT_UTF8 = [b"\x1b]0;OWNED\x07\xff\xfe", b"\xc3\x28\xe2\x80\xf0\x9f\x98\xed\xa0\x80\xc0\xaf\xf8\x88\x80\x80\x80",
            b"\x9b35m\x9d0;OWNED\x9c", b"\x01\x02\x1b[35m"]
EVIL_BYTES = [text.encode() for text in EVIL] + NOT_UTF8
ESCAPED = re.compile(r"\\x1b[\]\[]")               # how an escape sequence is shown

# What curses and screen.c send to these terminals, and nothing else.
MODES = r"4[hl]|\?(?:1|7|12|25|1049|2004)[hl]|\?12;25[hl]|2[23];0;0t"
COLOUR = "(?:0|1|2|4|7|22|24|27|3[0123679]|4[469])"
CSI = rf"\[(?:{MODES}|(?:{COLOUR}(?:;{COLOUR})*)?m|[0-9;]*[ABCDGHJKLMPSTXbdr])"
ALLOWED = re.compile(rf"\x1b(?:{CSI}|[()][0B]|[=>78M]|\]104\x07)|[\r\n\x08\t\x0e\x0f]".encode())
INVISIBLE = re.compile("[\x80-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
                       "\U000e0000-\U000e0fff]")
PANELS = ["Sites", "Keys", "Live", "Audit", "Health", "Token"]
FOOTERS = {"record": "back", "panel": "quit"}
LEFT, RIGHT, TOP_LEFT, TOP_RIGHT, BOTTOM_LEFT, RULE = map(set, ("│|┌└+", "│|┐┘+", "┌+", "┐+", "└+", "─-"))

SLOW = os.environ.get("POSTERN_SLOW") == "1"

KINDS = pytest.mark.parametrize("how", [{}, {"rows": 43, "cols": 170}, {"env": {"LC_ALL": "C"}}, {"env": {"TERM": "vt100"}}],
                                ids=["80x24", "170x43", "ascii", "vt100"])
KINDS_FEW = pytest.mark.parametrize("how", [{}, {"rows": 43, "cols": 170}], ids=["80x24", "170x43"])
KINDS_ASCII = pytest.mark.parametrize("how", [{}, {"env": {"LC_ALL": "C"}}], ids=["80x24", "ascii"])


@pytest.fixture
def data(data):
    """What is planted here fits no schema."""
    data.check_lines = False
    yield data


# ---- what must be true of a terminal that shows it ----

def check_raw(console):
    """All that it sent is characters, and sequences of its own."""
    left = ALLOWED.sub(b"", bytes(console.raw))
    bad = re.search(rb"[\x00-\x1f\x7f]", left)
    assert not bad, left[max(0, bad.start() - 40):bad.start() + 60]
    text = left.decode("utf-8")
    found = INVISIBLE.search(text)
    assert not found, f"{found.group(0)!r} in {text[max(0, found.start() - 40):found.start() + 40]!r}"


def header_of(panel, cols):
    tabs = "".join(f"[{i} {name}]" if name == panel else f" {i} {name} " for i, name in enumerate(PANELS, 1))
    room = cols - len(" Postern ") - len(tabs) - 1
    return f" Postern {tabs}" + socket.gethostname()[:room].rjust(room) + " "


def box_of(console):
    """(top, bottom, left, right) of the dialog; None: there is none."""
    for y in range(1, console.rows - 1):
        line = console.model.buffer[y]
        for x in range(console.cols - 1):
            if line[x].data in TOP_LEFT and line[x + 1].data in RULE and line[x + 2].data == " ":
                right = max((i for i in range(console.cols) if line[i].data in TOP_RIGHT), default=0)
                below = range(y + 1, console.rows)
                bottom = next((b for b in below if console.model.buffer[b][x].data in BOTTOM_LEFT), None)
                return bottom and (y, bottom, x, right)
    return None


def is_whole(console, panel, place):
    """The header is what it always is, and so is the footer, or the dialog's box is a box."""
    rows = console.screen()
    if rows[0] != header_of(panel, console.cols):
        return False
    if place != "dialog":
        return "? help" in rows[-1] and FOOTERS[place] in rows[-1]
    box = box_of(console)
    if not box:
        return False
    top, bottom, left, right = box
    lines = [console.model.buffer[y] for y in range(top, bottom + 1)]
    return all(line[left].data in LEFT and line[right].data in RIGHT for line in lines) and "[ Cancel ]" in "\n".join(rows)


def settle(console, panel, what="", place="panel"):
    """Waits until it is there whole and shows the text, or matches the pattern."""
    def look():
        text = "\n".join(console.screen())
        return is_whole(console, panel, place) and (what.search(text) if isinstance(what, re.Pattern) else what in text)
    try:
        wait_until(look, f"{panel} in its frame, with {what!r}", 60 if SANITIZED else 15)
    except AssertionError as e:
        raise AssertionError(f"{e}\n" + "\n".join(console.screen())) from None


def go(console, panel, what=""):
    console.press(str(PANELS.index(panel) + 1))
    settle(console, panel, what)


class Watched:
    """with Watched(data, "--site", "acme", how=how) as c: ... At the end all that it sent is looked at."""

    def __init__(self, data, *options, how=None):
        self.how = how or {}
        self.console = Console(data, *options, **self.how)

    def __enter__(self):
        return self.console.__enter__()

    def __exit__(self, kind, *more):
        self.console.__exit__(kind, *more)
        if kind is None:
            check_raw(self.console)
            assert self.how.get("env", {}).get("LC_ALL") != "C" or self.console.raw.isascii()


# ---- what is in the vault ----

def plant_names(data, names):
    """Sites with these names, put into the vault behind Postern's back in place of plain ones of the same size."""
    for i, name in enumerate(names):
        data.run("site", "add", f"evil-{i:02}", "--name", "N" * len(name))
    with RawDb(data.path / "vault") as vault:
        for i, name in enumerate(names):
            key, plain = f"evil-{i:02}".encode(), b"N" * len(name)
            row = vault.get("sites", key)
            assert row.count(plain) == 1
            vault.put("sites", key, row.replace(plain, name))


@KINDS
def test_names_of_sites(data, how):
    names = [name * 3 for name in EVIL_BYTES] + [b"\x1b[35m\xe2\x80\xae" * 100]
    plant_names(data, names)
    with Watched(data, how=how) as c:
        settle(c, "Sites", f"{len(names)} sites")
        c.wait_for(ESCAPED)
        for _ in names:
            settle(c, "Sites")
            c.press("Enter")
            settle(c, "Keys", "in use")
            c.press("c")
            settle(c, "Keys", "Create a key of", "dialog")
            c.press("Escape")
            settle(c, "Keys")
            c.press("1", "Down")
        c.press("/")
        settle(c, "Sites", "Id or name has", "dialog")
        c.send("35m")
        c.press("Enter")
        settle(c, "Sites", 'filter "35m"')


def plain_enough(text):
    """What the command line takes of it as a label."""
    plain = "".join(ch for ch in text if ch >= " " and ch != "\x7f" and not INVISIBLE.search(ch))
    return plain.encode()[:63].decode("utf-8", "ignore")


@KINDS_FEW
def test_labels_of_keys_and_of_tombstones(data, how):
    """A label of the ring is under its seal; a tombstone's is not, so that one is planted."""
    site = data.add_site("acme", key=False)
    for text in EVIL_BYTES:
        kid = site.add_key("--label", "N" * 63)
        site.retire(kid)
        with RawDb(data.path / "vault") as vault:
            key = b"acme\x00" + kid.encode()
            row = vault.get("tombstones", key)
            vault.put("tombstones", key, row.replace(b"N" * 63, (text * 63)[:63]))
    labels = [label for label in map(plain_enough, EVIL) if len(label) > 3]
    with Watched(data, "--site", "acme", how=how) as c:
        ring = RingScreen(c, site)
        settle(c, "Keys", f"{len(EVIL_BYTES)} RETIRED")
        c.press("End")
        settle(c, "Keys")
        for _ in range(len(EVIL_BYTES) + 3):
            c.press("Up")
            settle(c, "Keys")
        for label in labels:
            kid = site.add_key("--label", label)
            ring.wait_slots({kid: "active"})
            c.press("Home", "r")
            settle(c, "Keys", "Rotate k_", "dialog")
            c.press("Escape", "t")
            settle(c, "Keys", "Retire k_", "dialog")
            c.press("Escape")
            settle(c, "Keys")
            site.retire(kid)


@pytest.mark.parametrize("part", range(5))
def test_what_is_typed_or_pasted_into_a_field(data, part):
    """Escape sequences reach a program in pasted text if a terminal lets them through."""
    data.add_site("acme")
    with Watched(data, "--site", "acme") as c:
        settle(c, "Keys", "1 of 3")
        for text in EVIL[part::5]:
            paste_everywhere(c, text * 9)


def paste_everywhere(c, text):
    for panel, key, place in (("Keys", "c", "Label"), ("Live", "/", "Filter"), ("Audit", "/", "Filter"),
                              ("Sites", "/", "Id or name"), ("Token", "s", "Site")):
        go(c, panel)
        c.press(key)
        settle(c, panel, place, "dialog")
        c.paste(text)
        settle(c, panel, place, "dialog")
        if place == "Label":
            c.press("Enter")
            settle(c, panel, "Enter: Cancel", "dialog")
        c.press("Enter", "Escape")                    # it answers: no such site, no such word
        settle(c, "Sites" if place == "Label" else panel)


# ---- what is in the ledger: a worker that was taken over writes what it likes ----

def put_records(data, lines):
    """Rows at the end of the log, behind Postern's back."""
    with RawDb(data.path / "ledger") as ledger:
        return rawlog.append(ledger, lines)


def line_of(**members):
    """A blocked record; members may be anything."""
    record = {"event": "action", "id": "01JD4ZK2M3N4P5Q6R7S8T9V0WX", "outcome": "blocked", "reason": "token_expired", "seq": 0,
              "site": "acme", "time": time.time_ns() // 1000, "v": 1}
    return audit.canonical({**record, **members}).encode()


def evil_records():
    """Each member by itself with each text; values of types that they never have; lines that are no records at all."""
    members = ["reason", "site", "remote", "kid", "kid_claimed", "token", "action", "subject", "event", "conversation", "status",
               "actor", "id"]
    never = [None, True, -1, 2**53, [], {"\x1b[35m": ["\u202e"]}, [["\x1b]0;x\x07"]]]
    folds = [(2**63 - 1, 1, 2**63 - 1), (-5, 7, 3), (10**18, 0, 1), ("\x1b[35m", "\u202e", "x")]
    blocked = b'"outcome":"blocked"'
    lines = [line_of(**{name: text}) for text in EVIL for name in members]
    lines += [line_of(**{name: (text * 6000)[:4000 if text.isascii() else 600] for name in members[:4]}) for text in EVIL]
    lines += [line_of(**{name: value}) for name in members for value in never]
    lines += [line_of(count=n, first=first, last=last, remote="203.0.113.0/24") for n, first, last in folds]
    lines += [line_of(time=t) for t in (0, -1, 1, 2**63 - 1, "\x1b[35m", None, [])]
    lines += [line_of(event="key", outcome="done", detail={t: t, "change": t, "label": t}, actor=t) for t in EVIL]
    lines += [b"{" + blocked + b"," + text + b"}" for text in EVIL_BYTES]
    lines += [blocked + (text * 9000)[:16300] for text in EVIL_BYTES] + EVIL_BYTES
    lines += [b'{"a":' * 3000 + blocked, b"{" + blocked + b',"x":"' + b"\\u001b" * 2700 + b'"}', blocked + b"\n" * 16000]
    random.Random(7).shuffle(lines)
    return lines


@pytest.fixture
def planted(data):
    site = data.add_site("acme")
    lines = evil_records()
    data.first = put_records(data, lines)
    data.count = len(lines)
    return site


@pytest.mark.limit(300)
@KINDS
def test_records_of_a_taken_over_worker_in_live_and_audit(data, planted, how):
    with Watched(data, "--site", planted.name, how=how) as c:
        settle(c, "Keys")
        go(c, "Sites", "acme")
        go(c, "Live", ESCAPED)
        for key in ["Home", *["PageDown"] * (data.count // (c.rows - 9) + 2)]:
            c.press(key)
            settle(c, "Live")
        go(c, "Audit", ESCAPED)
        for key in ["Home", *["PageDown"] * (data.count // (c.rows - 5) + 2), *["PageUp"] * 5]:
            c.press(key)
            settle(c, "Audit")
        c.press("/")
        settle(c, "Audit", "Filter", "dialog")
        c.send("outcome:done")
        c.press("Enter")
        settle(c, "Audit", "outcome:done")
        go(c, "Health", "Records")


@pytest.mark.limit(300)
@KINDS_ASCII
def test_records_of_a_taken_over_worker_one_by_one(data, planted, how):
    """Each is opened and read to its end; in a short run every ninth, of an order that is shuffled but always the same."""
    with Watched(data, how=how) as c:
        go(c, "Audit", ESCAPED)
        for seq in range(data.first, data.first + data.count, 1 if SLOW else 9):
            c.press("#")
            settle(c, "Audit", "Its number", "dialog")
            c.send(str(seq))
            c.press("Enter", "Enter")
            settle(c, "Audit", re.compile(rf"Record {seq}\b"), "record")
            c.press("PageDown")
            settle(c, "Audit", "", "record")
            c.press("End", "i")
            settle(c, "Audit", "", "record")
            c.press("Escape")
            settle(c, "Audit", "SEQ")


def worker_row(pid, version):
    now = int(time.time())
    return struct.pack(">QQQII", now, now - 5, pid, 4, len(version)) + version


@KINDS_FEW
def test_rows_of_workers_of_key_use_and_of_visitors(data, how):
    site = data.add_site("acme")
    with Worker(data) as worker:
        answer = fastcgi.ask(worker, path="/v1/sites/acme/identity", token=site.token())
        assert answer.status == 200
    with RawDb(data.path / "ledger") as ledger:
        for pid, version in enumerate(EVIL_BYTES, 100):
            for size in (15, 31, 500):
                row = worker_row(pid * 1000 + size, (version * 500)[:size])
                ledger.put("workers", bytes(16) + struct.pack(">Q", pid * 1000 + size), row)
        for text in EVIL_BYTES:
            ledger.put("key_use", text[:100], text * 3)
            ledger.put("key_use", b"acme\x00" + text[:100], text * 3)
            ledger.put("identities", b"acme\x00" + text[:100], text * 3)
        for key, row in ledger.rows("key_use", b"acme\x00" + site.kid.encode()):
            ledger.put("key_use", key, b"\xff" * len(row))
    with Watched(data, "--site", "acme", how=how) as c:
        settle(c, "Keys", site.kid)
        c.press("t")
        settle(c, "Keys", "Retire k_", "dialog")
        c.press("Escape")
        go(c, "Health", "Workers")
        for key in ["End", "PageUp", "PageUp", "Home", *["Down"] * 40]:
            c.press(key)
            settle(c, "Health")
        go(c, "Sites", "acme")


# ---- what a visitor can send ----

PERSONAL = {"actions": [{"name": "mine", "title": "Mine", "description": "Mine.", "access": "personal", "effect": "read",
                         "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
                         "connector": {"type": "static", "result": {}}}]}


def act(worker, body, **parameters):
    """A request to the action, whatever it is answered."""
    body = json.dumps(body).encode()
    with worker.connect() as c:
        c.send(fastcgi.whole(fastcgi.environ("POST", "/v1/sites/acme/actions/mine", body=body, **parameters), body))
        c.read_reply()


def visit(worker, site, raw):
    """Requests with the text in every place that a visitor fills."""
    text = raw.decode("utf-8", "replace")
    claims = {"name": text, "user_id": text[:100], "x\x1b[35m": text}
    headers = {f"HTTP_{name}": raw for name in ("ORIGIN", "HOST", "USER_AGENT", "X_FORWARDED_FOR", "IDEMPOTENCY_KEY")}
    made = [site.token(**claims), site.token(ttl=-5, **claims), tokens.mint(site.secret, kid=text)]
    for token in [*(token.encode() for token in made), raw]:
        bearer = b"Bearer " + token
        act(worker, {"parameters": {"email": text}, "conversation": text}, HTTP_AUTHORIZATION=bearer, REMOTE_ADDR=raw, **headers)
        act(worker, {"parameters": {}}, HTTP_AUTHORIZATION=bearer)


@KINDS_FEW
def test_requests_of_a_hostile_visitor(data, how):
    site = data.add_site("acme", "--origin", "https://shop.example.com", actions=PERSONAL)
    with Worker(data, "--audit-budget", "0") as worker, Watched(data, "--site", "acme", how=how) as c:
        go(c, "Live")
        for text in EVIL_BYTES:
            visit(worker, site, text)
            settle(c, "Live")
        go(c, "Live", "token_expired")
        for _ in range(30):
            c.press("Up", "Enter")
            settle(c, "Live", "outcome", "record")
            c.press("i")
            settle(c, "Live", "", "record")
            c.press("Escape")
            settle(c, "Live")
        go(c, "Audit", "blocked")
        for key in ["PageUp"] * 9:
            c.press(key)
            settle(c, "Audit")
        for member in ("outcome:done", "reason:parameters_invalid", "reason:key_retired"):
            c.press("/")
            settle(c, "Audit", "Filter", "dialog")
            c.press("Ctrl-U")
            c.send(member)
            c.press("Enter")
            settle(c, "Audit", member)
            c.press("Enter", "i", "Escape")
            settle(c, "Audit", "SEQ")


def tokens_of(site):
    for text in EVIL:
        yield site.token(name=text, user_id=text, **{text: {text: [text]}})
        yield tokens.mint_raw({"alg": "HS256", "typ": text, "kid": text}, {text: text, "email": text}, site.secret)
        yield tokens.mint("another secret, which is not the site's", name=text, iss=text)
    for raw in NOT_UTF8:
        yield tokens.mint_raw(raw, raw, site.secret)
        yield tokens.mint_raw({"alg": "HS256"}, raw, site.secret)
    yield site.token(**{"\x1b[35m" * 9: "\u202e\x1b]0;x\x07" * 200})


@pytest.mark.limit(300)
@KINDS_ASCII
def test_claims_in_the_token_panel(data, how):
    site = data.add_site("acme")
    with Watched(data, "--site", "acme", how=how) as c:
        settle(c, "Keys", site.kid)
        go(c, "Token", "paste a visitor's token")
        for token in tokens_of(site):
            c.press("Enter")
            settle(c, "Token", "Check a token", "dialog")
            c.paste(token)
            settle(c, "Token", "Check a token", "dialog")
            c.press("Enter")
            settle(c, "Token", re.compile(rf"{tokens.fingerprint(token)}|none was found"))
            for key in ("PageDown", "PageDown", "End", "Home"):
                c.press(key)
                settle(c, "Token")


def test_what_is_pasted_in_place_of_a_token(data):
    data.add_site("acme")
    with Watched(data, "--site", "acme") as c:
        settle(c, "Keys", "1 of 3")
        go(c, "Token", "paste a visitor's token")
        for text in [raw for raw in EVIL_BYTES if b"\x1b" not in raw] + [b"Bearer \xff\xfe.\xff.\xff", b"a.b.c" * 4000]:
            c.press("Enter")
            settle(c, "Token", "Check a token", "dialog")
            c.send(b"\x1b[200~" + text + b"\x1b[201~")
            c.press("Enter")
            settle(c, "Token", re.compile(r"checked 20|visitor's token"))
            c.press("x")
            settle(c, "Token", "visitor's token")


# ---- what the machine calls things ----

def test_the_name_of_the_data_directory(data):
    """It may stand in what is said of errors."""
    data.add_site("acme")
    evil = data.home / "d\x1b]0;OWNED\x07\u202e\x1b[35m"
    data.path.rename(evil)
    data.path = evil
    with Watched(data, "--site", "acme") as c:
        settle(c, "Keys", "1 of 3")
        for panel in PANELS:
            go(c, panel)
        (evil / "master.key").rename(evil / "gone")
        (evil / "ledger/data.mdb").rename(evil / "ledger/gone")
        for panel in PANELS:
            go(c, panel)
        (evil / "ledger/gone").rename(evil / "ledger/data.mdb")
        (evil / "gone").rename(evil / "master.key")
        c.press("q")
        assert c.wait_end() == 0
        assert "\x1b" not in c.said() and "\u202e" not in c.said()

