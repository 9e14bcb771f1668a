"""The Nth call fails while postern-connectd saves what it was given: a refreshed token is never lost to a disk that was full for a
moment, and a connection is as it was or as it should become, never half."""
import errno
import threading
from http.client import HTTPException
from types import SimpleNamespace

import pytest

from lib.connectd import Connectd
from lib.nth import FOR_EVER, SLOW, Fault, Nth
from lib.programs import SANITIZED, wait_until
from lib.upstream import Authority, Upstream

pytestmark = pytest.mark.tree("plain")
ALLOW = ["GET /orders"]
LONG = ["GET /" + "orders-of-this-year/{}/" + "x" * 40]     # text that jansson's lexer has to find more room for


class Desk:
    def __init__(self, folder, shop):
        def file(name, content):
            (folder / name).write_text(content)
            return folder / name
        self.shop, self.nth = shop, Nth(SimpleNamespace(home=folder, file=file))
        self.connectd = Connectd(env=self.nth.env)

    def connect(self, **more):
        self.connectd.add("shop", self.shop.url, ALLOW, ca_pem=self.shop.ca_pem, auth=self.shop.tokens.connection_auth(self.shop.url),
                          secret=self.shop.tokens.connection_secret(), **more)

    def works(self):
        answer = self.connectd.call("GET", "orders")
        assert answer.status == 200 and len(answer.json["orders"]) == 3, str(answer)

    def files(self):
        return sorted(p.name for p in (self.connectd.data / "connections").iterdir())


@pytest.fixture
def desk(tmp_path):
    with Upstream(tmp_path, authority=Authority(tmp_path)) as shop:
        shop.demand = shop.tokens.bearer
        d = Desk(tmp_path, shop)
        with d.connectd:
            yield d


def unharmed(shop):
    assert not shop.tokens.revoked and not shop.tokens.refused, "an old refresh token was used again"


@pytest.mark.limit(300 if SLOW else 60)
def test_a_refreshed_token_is_saved_whichever_call_fails(desk):
    desk.connect()
    desk.nth["nth_not_pid"] = desk.connectd.pid         # it happens in a process of its own
    tokens, hits = desk.shop.tokens, 0
    for kind in ("sync", "change", "open") if SLOW else ("sync",):
        for fault in desk.nth.every(kind):
            tokens.forget_access()
            tokens.between = fault.__enter__            # when the new token is given
            desk.works()
            fault.__exit__()
            tokens.between = lambda: None
            hits += fault.hit
            desk.connectd.restart()                     # what is on the disk is what counts
            desk.nth["nth_not_pid"] = desk.connectd.pid
            tokens.forget_access()
            desk.works()
            unharmed(desk.shop)
            assert [name for name in desk.files() if not name.endswith(".lock")] == ["shop"], f"{fault}: {desk.files()}"
    assert hits >= (3 if SLOW else 1)


def test_a_disk_that_is_full_for_a_while_loses_no_token(desk):
    desk.connect()
    desk.nth["nth_not_pid"] = desk.connectd.pid
    desk.shop.tokens.between = lambda: desk.nth.arm("sync", 1, count=FOR_EVER)
    caller = threading.Thread(target=desk.works)
    caller.start()
    wait_until(lambda: "tried again" in desk.connectd.log(), "it to be said")
    assert desk.nth.disarm()[1] > 0
    desk.shop.tokens.between = lambda: None
    caller.join(20)
    assert not caller.is_alive()
    desk.connectd.restart()
    desk.shop.tokens.forget_access()
    desk.works()
    unharmed(desk.shop)


@pytest.mark.skipif(SANITIZED, reason="the sanitizer ends where it has no memory for a thread")
def test_a_connection_is_what_was_sent_whichever_allocation_fails(desk):
    """Jansson's lexer drops a byte where it finds no room for it: a rule, or a token, would be another one."""
    settings = {"provider": "shop", "base_url": desk.shop.url, "sites": ["acme"], "allow": LONG, "auth": {"type": "none"},
                "private": ["127.0.0.0/8"]}
    hits = 0
    for number in range(1, 80):
        with Fault(desk.nth, "memory", number, errno.ENOMEM, 1) as fault:
            try:
                answer = desk.connectd.admin("PUT", "/connections/shop", settings)
            except (OSError, HTTPException):
                answer = None
        hits += fault.hit
        assert shown(desk) in (None, LONG), f"{fault}: {answer} {shown(desk)}"
        desk.connectd.admin("DELETE", "/connections/shop")
    assert hits


def shown(desk):
    """What it may call, as it is on the disk; None: there is no such connection."""
    answer = desk.connectd.admin("GET", "/connections/shop")
    assert answer.status in (200, 404), str(answer)
    return answer.json["allow"] if answer.status == 200 else None


@pytest.mark.limit(300 if SLOW else 60)
@pytest.mark.parametrize("kind", [*([] if SANITIZED else ["memory"]), "sync", "change", "open"])
def test_a_new_connection_is_there_whole_or_not_at_all(desk, kind):
    settings = {"provider": "shop", "base_url": desk.shop.url, "sites": ["acme"], "allow": ALLOW, "auth": {"type": "none"},
                "private": ["127.0.0.0/8"], "ca_pem": desk.shop.ca_pem}
    hits = 0
    for fault in desk.nth.every(kind, few=1 if kind == "memory" else 4):
        with fault:
            try:
                answer = desk.connectd.admin("PUT", "/connections/shop", settings)
            except (OSError, HTTPException):
                answer = None
        hits += fault.hit
        assert desk.connectd.process.poll() is None, f"{fault}: {desk.connectd.log()}"
        now = shown(desk)
        assert now in (None, ALLOW), f"{fault}: {now}"
        if answer is not None and answer.status in (200, 201, 204):
            assert now == ALLOW, f"{fault}: said to be done"
        elif answer is not None:
            # libmicrohttpd forgets a Content-Length that it has no memory for: then there is no body.
            assert answer.status >= 500 or (kind == "memory" and answer.status == 400), f"{fault}: {answer}"
        assert not [name for name in desk.files() if "." in name and not name.endswith(".lock")], f"{fault}: {desk.files()}"
        desk.connectd.admin("DELETE", "/connections/shop")
    assert hits
