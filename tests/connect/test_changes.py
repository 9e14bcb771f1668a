"""Connections come, change and go while calls over them are under way and their tokens are refreshed: each answer is one of those that
may be, a neighbour is not harmed, and nothing is left over."""
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.connectd import Connectd, refusal
from lib.programs import wait_until
from lib.upstream import Authority, Upstream

pytestmark = pytest.mark.tree("plain")
SECONDS_AT_MOST = 40
NEIGHBOURS = [f"neighbour-{i}" for i in range(4)]
# Gone, changed to another, or refused with the credential of before: what a call may meet whose connection is changed under it.
MAY_MEET = {"connection_unknown", "connection_denied", "credentials_failed", "connection_busy"}


@pytest.fixture
def shop(tmp_path):
    with Upstream(tmp_path, authority=Authority(tmp_path)) as shop:
        shop.demand = shop.tokens.bearer
        yield shop


def document(shop, name, kind):
    return {"provider": name, "base_url": shop.url, "sites": ["acme"], "allow": ["GET /orders"], "private": ["127.0.0.0/8"],
            "ca_pem": shop.ca_pem, "concurrency": 64, "auth": shop.tokens.connection_auth(shop.url, kind),
            "secret": shop.tokens.connection_secret(kind)}


class Meanwhile:
    """Each work() over and over, in a thread of its own, until enough of everything has happened: what they said is counted."""

    def __init__(self, enough, works):
        self.enough, self.works, self.lock, self.said, self.over = enough, works, threading.Lock(), Counter(), threading.Event()

    def run(self):
        with ThreadPoolExecutor(len(self.works)) as pool:
            running = [pool.submit(self.repeat, work) for work in self.works]
            self.over.wait(SECONDS_AT_MOST)
            self.over.set()
            for r in running:
                r.result(60)
        missing = {what: count for what, count in self.enough.items() if self.said[what] < count}
        assert not missing, f"not often enough: {missing} of {self.said}"

    def repeat(self, work):
        try:
            while not self.over.is_set():
                what = work()
                with self.lock:
                    self.said[what] += 1
                    if all(self.said[w] >= count for w, count in self.enough.items()):
                        self.over.set()
        finally:
            self.over.set()


def call(connectd, name, allowed):
    """A token that is forgotten between its refresh and its use is the upstream's 401."""
    answer = connectd.call("GET", "orders", connection=name)
    if answer.status == 200 and not refusal(answer):
        return name == "shop", "ok"
    assert refusal(answer) in allowed or (answer.status == 401 and not refusal(answer)), f"{name}: {answer}"
    return name == "shop", refusal(answer) or answer.status


def test_changes_in_parallel_harm_nobody_else(shop):
    """One connection is refreshed again and again and must always work; four others are added, rotated, tried and removed."""
    with Connectd() as connectd:
        assert connectd.admin("PUT", "/connections/shop", document(shop, "shop", "oauth2_refresh")).status == 201

        used = threading.Event()

        def use():
            said = call(connectd, "shop", set())
            if said[1] == "ok":
                used.set()
            return said

        def forget():
            """Not before the last one was used: a refresh may take longer than any time one would wait here."""
            if not used.wait(1):
                return "waited"
            shop.tokens.forget_access()
            used.clear()
            return "forgot"

        def change(name):
            def work():
                made = connectd.admin("PUT", f"/connections/{name}", document(shop, name, "oauth2_client"))
                assert made.status == 201, str(made)
                turned = connectd.admin("POST", f"/connections/{name}/rotate",
                                        {"secret": shop.tokens.connection_secret("oauth2_client")})
                assert turned.status == 200, str(turned)
                tried = connectd.admin("POST", f"/connections/{name}/test", {})
                assert tried.status == 200, str(tried)
                gone = connectd.admin("DELETE", f"/connections/{name}")
                assert gone.status == 200, str(gone)
                return "changed"
            return work

        enough = {"changed": 20, "forgot": 3, (False, "ok"): 3, (False, "connection_unknown"): 3, (True, "ok"): 30}
        Meanwhile(enough, [forget, *(change(name) for name in NEIGHBOURS),
                           *(lambda n=n: call(connectd, n, MAY_MEET) for n in NEIGHBOURS * 2),
                           *[use] * 4]).run()
        assert not shop.tokens.revoked, "a refresh token was used twice"
        wait_until(lambda: not connectd.helpers(), "the refreshes to end", 20)
        assert sorted(p.name for p in (connectd.data / "connections").iterdir()) in (["shop", "shop.lock"], ["shop"])
        wait_until(lambda: connectd.call("GET", "orders", connection="shop").status == 200, "its token to be doubted again")
