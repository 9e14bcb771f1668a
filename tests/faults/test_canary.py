"""A key's secret with a text one can look for: it is in no file, no log and no argument list, and in the worker's memory only
while the ring holds it."""
import base64
import os
import subprocess
import threading

import pytest

from lib import notes
from lib.core import core_of
from lib.lighttpd import Lighttpd
from lib.programs import environment, tool, wait_until
from lib.sha256 import hmac_states
from lib.tokens import mint, mint_raw
from lib.worker import Worker

CANARY = "CANARY-this-secret-must-not-be-seen-CANARY-0123456789"
MARK = b"CANARY-this-secret"
# As text, and as the base64 and hex that a careless log would make of it (at every alignment of base64).
MARKS = [MARK, MARK.hex().encode(), *(base64.b64encode(bytes(i) + MARK)[4 * ((i + 2) // 3):-4] for i in range(3))]
PADS = [bytes(b ^ pad for b in MARK) for pad in (0x36, 0x5C)]          # as an HMAC has it while it starts
STATES = hmac_states(CANARY.encode())                                  # as it has it once it is ready
PR_GET_DUMPABLE = 3


class Watcher(threading.Thread):
    """Looks at the arguments of all processes, over and over."""

    def __init__(self):
        super().__init__(daemon=True)
        self.over, self.seen, self.looks, self.ours = threading.Event(), [], 0, 0

    def run(self):
        while not self.over.is_set():
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    with open(f"/proc/{pid}/cmdline", "rb") as f:
                        text = f.read()
                except OSError:
                    continue
                self.ours += b"postern" in text and b"pytest" not in text
                if any(mark in text for mark in MARKS):
                    self.seen.append(text)
            self.looks += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join(10)


@pytest.fixture
def watcher():
    with Watcher() as w:
        yield w


@pytest.fixture
def canary(data):
    """The site with the canary as its only key; the kid is site.kid."""
    site = data.add_site(notes.SITE, key=False, actions=notes.ACTIONS)
    made = data.run("key", "import", notes.SITE, "--label", "canary", "--json", stdin=CANARY + "\n").json
    site.knows(made["kid"], CANARY)
    data.secrets.add(MARK.decode())
    return site


def assert_clean(where, content):
    found = [mark for mark in MARKS if mark in content]
    assert not found, f"{where} has {found} at {content.find(found[0])}: …{content[max(0, content.find(found[0]) - 80):][:200]!r}…"


def assert_no_file_has_it(data, but=()):
    looked = 0
    for path in data.home.rglob("*"):
        if path.is_file() and path not in but:
            assert_clean(path, path.read_bytes())
            looked += 1
    assert looked >= 8
    for path in (data.path / "vault/data.mdb", data.path / "vault/lock.mdb", data.path / "ledger/data.mdb"):
        assert path.stat().st_size > 0


def bad_tokens(site):
    good = site.token()
    header, payload, signature = good.split(".")
    return [good + "x", f"{header}.{payload}.", f"{header}.{payload}", signature, site.token(ttl=-5), site.token(named=False, ttl=-5),
            site.token(email=None), site.token(email="a@b@c"), mint(CANARY[::-1], kid=site.kid), mint_raw({"alg": "none"}, {}, CANARY),
            mint_raw("{", "{}", CANARY), mint(CANARY, kid="k_aaaaaaaa"), "x" * 9000]


def requests(worker, site, client):
    """Good and bad ones, straight and through the web server."""
    for token in [site.token(), site.token(named=False), None, *bad_tokens(site)]:
        assert notes.identity(worker, token).status in (200, 401)
        notes.act(worker, "create_note", {"text": "x"}, token)
        if len(token or "") < 8192:                     # lighttpd itself refuses a longer one
            client.identity(notes.SITE, token)
    for body in ("{", "[]", '{"parameters": 1}', '{"unknown": 1}', '{"parameters": {"text": 1}}', "x" * 70000):
        client.act(notes.SITE, "create_note", token=site.token(), body=body)
    client.send("GET", "/v1/sites/acme/identity", headers=[("Authorization", "Bearer  "), ("Authorization", "Basic x")])


def commands(data, site, secret_file):
    """Every command that has to do with keys, tokens and actions; what each printed is looked at."""
    token_file = data.file("token", site.token())
    old = data.file("token-old", site.token(ttl=-5))
    wrong = data.file("token-wrong", mint(CANARY[::-1], kid=site.kid))
    parameters = '{"text": "x"}'
    for args in [("key", "list", "acme"), ("key", "list", "acme", "--json"), ("key", "check", "acme"),
                 ("token", "mint", "acme", "--email", "alex@example.com", "--secret-file", secret_file),
                 ("token", "mint", "acme", "--email", "not an email", "--secret-file", secret_file),
                 ("token", "mint", "acme", "--secret-file", secret_file), ("token", "mint", "nosite", "--email", "a@b.c",
                                                                           "--secret-file", secret_file),
                 *(("token", "explain", "acme", f, *j) for f in (token_file, old, wrong, secret_file) for j in ((), ("--json",))),
                 ("action", "run", "acme", "create_note", "--token-file", token_file, "--parameters", parameters),
                 ("action", "run", "acme", "create_note", "--token-file", secret_file, "--parameters", parameters),
                 ("action", "run", "acme", "create_note", "--token-file", token_file, "--parameters", "{"),
                 ("action", "import", "acme", secret_file), ("document", "import", "acme", secret_file),
                 ("site", "show", "acme", "--json"), ("document", "list", "acme", "notes"),
                 ("audit", "export"), ("audit", "list"), ("key", "create", "acme", "--secret-file", secret_file)]:
        ran = data.ask(*args)
        assert_clean(ran.args, (ran.out + ran.err).encode())
    for args in [("key", "import", "acme"), ("key", "import", "acme", "--json"), ("key", "import", "nosite"), ("key", "import"),
                 ("key", "import", "acme", "--secret", "x"), ("token", "explain", "acme", "-"), ("token", "explain", "nosite")]:
        ran = data.ask(*args, stdin=CANARY)
        assert ran.code != 0, str(ran)
        assert_clean(ran.args, (ran.out + ran.err).encode())
    assert "key_known" in data.ask("key", "import", "acme", stdin=CANARY).err


def test_the_secret_is_in_no_file_no_output_and_no_argument_list(data, canary, watcher):
    secret_file = data.file("secret", CANARY)
    with Worker(data, "--log-level", "debug") as worker:
        with Lighttpd(worker) as server:
            requests(worker, canary, server.client())
            commands(data, canary, secret_file)
        worker.stop()
        assert_clean("the worker's log", worker.log().encode())
    assert_clean("the audit log", data.run("audit", "export").out.encode())
    data.run("key", "retire", "acme", canary.kid, "--now", "--yes")
    secret_file.unlink()
    assert_no_file_has_it(data)
    assert not watcher.seen and watcher.looks > 5 and watcher.ours > 5


def test_a_secret_given_as_an_argument_by_mistake_is_not_kept(data, canary):
    """Whoever types it has shown it to ps; Postern at least does not write it down."""
    for args in [("key", "import", "acme", CANARY), ("key", "import", CANARY), ("token", "mint", "acme", "--email", "alex@example.com",
                                                                                "--secret-file", CANARY),
                 ("key", "create", "acme", "--secret", CANARY), ("key", "retire", "acme", CANARY, "--now")]:
        assert data.ask(*args).code != 0, args
    assert_no_file_has_it(data)


# ---- memory ----

@pytest.fixture
def dump(data):
    """dump(worker): a core of it."""
    return lambda worker: core_of(worker.pid, data.home / "core")


def copies(core):
    """Of the secret itself, and of what is as good as it."""
    return sum(core.count(mark) for mark in MARKS + PADS), sum(core.count(state) for state in STATES)


def use_every_thread(worker, site, token, status, rounds=40):
    """So many at once that each thread takes some."""
    for _ in range(rounds):
        connections = [worker.connect() for _ in range(8)]
        for c in connections:
            c.send(notes.fastcgi.whole(notes.environ(path=notes.identity_path(site.name), token=token)))
        for c in connections:
            assert c.read_reply().answer.status == status
            c.close()


@pytest.mark.parametrize("threads", [1, 4])
def test_the_secret_is_in_memory_while_the_ring_holds_it_and_no_longer(data, canary, dump, threads):
    """Each thread has its ring, and in it the keyed hash's two states. Nothing has the secret itself."""
    token = canary.token()
    other = canary.add_key()
    with Worker(data, threads=threads) as worker:
        assert copies(dump(worker)) == (0, 0), "nobody asked yet"
        for bad in bad_tokens(canary):
            notes.identity(worker, bad)
        use_every_thread(worker, canary, token, 200)
        secrets, states = copies(dump(worker))
        assert 2 <= states <= 2 * threads, f"{states} states for {threads} threads"
        assert secrets == 0
        canary.retire(next(iter(canary.keys)))
        if threads == 1:
            assert notes.identity(worker, canary.token(other)).status == 200
        else:
            use_every_thread(worker, canary, token, 401)
        assert copies(dump(worker)) == (0, 0), "the retired key is still there"


def test_a_retired_key_leaves_the_memory_of_threads_that_have_nothing_to_do(data, canary, dump):
    """One request, as the next one may be the last for days: no idle thread keeps what was deleted."""
    token = canary.token()
    other = canary.add_key()
    with Worker(data, threads=4) as worker:
        use_every_thread(worker, canary, token, 200)
        assert copies(dump(worker))[1] > 1
        canary.retire(next(iter(canary.keys)))
        assert notes.identity(worker, canary.token(other)).status == 200
        wait_until(lambda: copies(dump(worker)) == (0, 0), "the retired key to be gone", 15)


def test_the_worker_forbids_core_dumps(data, site):
    """To the kernel; only root, who may read its memory anyhow, can take one."""
    with Worker(data) as worker:
        with open(f"/proc/{worker.pid}/limits", encoding="utf-8") as f:
            limit = next(line for line in f if line.startswith("Max core file size"))
        assert limit.split()[4:6] == ["0", "0"]
        asked = subprocess.run([tool("gdb"), "-nx", "-batch", "-p", str(worker.pid), "-ex", f"print (int)prctl({PR_GET_DUMPABLE},0,0,0,0)"],
                               stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=50, env=environment())
        if "$1 = " not in asked.stdout:
            pytest.skip(f"gdb may not look here: {asked.stderr[-300:]}")
        assert asked.stdout.rsplit("$1 = ", 1)[1].split()[0] == "0"
