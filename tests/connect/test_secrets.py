"""A credential with a text one can look for: it is in connectd while a call is under way, and nowhere else, neither in the worker nor on disk."""
import base64
import os
import stat
import subprocess
import threading

import pytest

from lib.connectd import Connectd, refusal
from lib.core import core_of
from lib.programs import wait_until
from lib.shop import action, given, schema, text
from lib.upstream import Authority, Upstream
from lib.worker import Worker
from lib import notes

pytestmark = pytest.mark.tree("plain")
CANARY = "CANARY-this-credential-must-not-be-seen-CANARY-0123456789"
MARK = b"CANARY-this-credential"
MARKS = [MARK, MARK.hex().encode(), *(base64.b64encode(bytes(i) + MARK)[4 * ((i + 2) // 3):-4] for i in range(3))]
ACTIONS = {"actions": [action("get_order", "public", "read", {"type": "http", "connection": "shop", "method": "GET",
                                                              "path": ["orders", given("order")], "result": {"item": "/item"}},
                              schema(["order"], order=text()))]}


def assert_clean(where, content):
    found = [mark for mark in MARKS if mark in content]
    assert not found, f"{where} has {found} at {content.find(found[0])}"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def shop(tmp_path, authority):
    with Upstream(tmp_path, authority=authority) as shop:
        yield shop


@pytest.fixture
def connectd():
    with Connectd() as c:
        yield c


AUTHS = {
    "header": ({"type": "api_key", "in": "header", "name": "X-Api-Key", "prefix": ""}, {"api_key": CANARY}),
    "query": ({"type": "api_key", "in": "query", "name": "key", "prefix": ""}, {"api_key": CANARY}),
    "basic": ({"type": "basic", "username": "shop"}, {"password": CANARY}),
}


@pytest.mark.parametrize("auth", AUTHS)
def test_a_credential_is_in_no_log_no_answer_and_no_file_in_clear(connectd, shop, auth):
    """Also not where everything goes wrong: the upstream says it back, hangs up, or is not there."""
    settings, secret = AUTHS[auth]
    connectd.add("shop", shop.url, ["GET /orders/{}", "GET /echo"], ca_pem=shop.ca_pem, auth=settings, secret=secret)
    shop.faults["/orders/gone"] = lambda handler, asked: None
    assert connectd.call("GET", "orders/o-1").status == 200
    sent = shop.asked[0].path + str(shop.asked[0].headers)
    assert any(mark.decode() in sent for mark in MARKS)         # it was sent: what follows is no accident
    seen = [connectd.call("GET", path) for path in ("orders/gone", "orders/none", "orders/..", "orders/1/2")]
    seen += [connectd.admin("GET", "/connections"), connectd.admin("GET", "/connections/shop"), connectd.admin("POST", "/connections/shop/test", {}),
             connectd.admin("PUT", "/connections/shop", {"provider": "shop", "secret": secret}),
             connectd.admin("POST", "/connections/shop/rotate", {"secret": {"wrong": CANARY}}),
             connectd.admin("POST", "/connections/shop/rotate", {"secret": secret})]
    for answer in seen:
        assert_clean("an answer", str(answer.headers).encode() + answer.body)
    connectd.stop()
    assert_clean("the log", connectd.log().encode())
    looked = [path for path in connectd.data.rglob("*") if path.is_file()]
    assert len(looked) >= 2
    for path in looked:
        assert_clean(path, path.read_bytes())
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_neither_arguments_nor_environment_have_a_secret(connectd, shop):
    """Nor those of the program that refreshes."""
    seen, over = [], threading.Event()
    shop.tokens.client_secret, shop.demand = CANARY, shop.tokens.bearer

    def look():
        for pid in connectd.helpers():
            for name in ("cmdline", "environ"):
                with open(f"/proc/{pid}/{name}", "rb") as f:
                    seen.append(f.read())
        over.set()
    shop.tokens.before = look
    connectd.add("shop", shop.url, ["GET /orders/{}"], ca_pem=shop.ca_pem, auth=shop.tokens.connection_auth(shop.url),
                 secret=shop.tokens.connection_secret())
    assert connectd.call("GET", "orders/o-1").status == 200
    assert over.is_set() and seen
    for content in seen:
        assert_clean("the refresh", content)
        assert shop.tokens.first.encode() not in content
    with open(f"/proc/{connectd.pid}/environ", "rb") as f:
        assert_clean("connectd", f.read())


def test_the_workers_memory_and_descriptors_have_no_credential(data, connectd, shop):
    """A core of both is taken while the shop looks at a call: connectd has the canary then, the worker does not."""
    reached, go = threading.Event(), threading.Event()

    def wait(handler, asked):
        reached.set()
        go.wait(55)
        handler.ordinary(asked)
    settings, secret = AUTHS["header"]
    connectd.add("shop", shop.url, ["GET /orders/{}"], ca_pem=shop.ca_pem, auth=settings, secret=secret)
    shop.faults["/orders/o-2"] = wait
    site = data.add_site(notes.SITE, actions=ACTIONS)
    with Worker(data, "--connect", connectd.socket) as worker:
        first = notes.act(worker, "get_order", {"order": "o-1"}, site.token())
        assert first.status == 200 and first.json["result"] == {"item": "kettle"}, str(first)
        call = threading.Thread(target=notes.act, args=(worker, "get_order", {"order": "o-2"}, site.token()))
        call.start()
        assert reached.wait(10)
        try:
            files = [os.readlink(f"/proc/{worker.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{worker.pid}/fd")]
            assert MARK in core_of(connectd.pid, data.home / "core-of-connectd")
            assert_clean("the worker", core_of(worker.pid, data.home / "core-of-worker"))
        finally:
            go.set()
            call.join(30)
        assert not [name for name in files if str(connectd.data) in name]
        assert_clean("the worker's log", worker.log().encode())
    assert_clean("the audit log", "\n".join(data.audit_lines()).encode())
    for path in data.home.rglob("*"):
        if path.is_file():
            assert_clean(path, path.read_bytes())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_the_workers_user_cannot_open_the_store(shop):
    """connectd makes its data closed even where the umask is open, and refuses a store that others can read."""
    with Connectd(account="www-data") as c:
        settings, secret = AUTHS["header"]
        c.add("shop", shop.url, ["GET /orders/{}"], ca_pem=shop.ca_pem, auth=settings, secret=secret)
        for path in (c.data, c.data / "connect.key", c.data / "connections", c.data / "connections/shop"):
            done = subprocess.run(["head", "-c", "1", str(path)] if path.is_file() else ["ls", str(path)], capture_output=True, check=False, user="nobody",
                                  group="nogroup", extra_groups=[], timeout=10)
            assert done.returncode != 0 and b"denied" in done.stderr, f"{path}: {done.stdout}{done.stderr}"
        answer = c.call("GET", "orders/o-1")
        assert answer.status == 200 and refusal(answer) is None, str(answer)


@pytest.mark.parametrize("what", ["connect.key", "."])
def test_a_store_that_others_can_read_is_not_served(connectd, what):
    connectd.stop()
    os.chmod(connectd.data / what, 0o755)
    with pytest.raises(AssertionError, match="connectd ended with"):
        connectd.start()
    os.chmod(connectd.data / what, 0o700 if what == "." else 0o600)
    connectd.start()
    wait_until(connectd.ready, "connectd")


def test_a_sealed_connection_under_another_name_or_key_is_not_taken(connectd, shop):
    """A file copied over another name, cut, or of another key: no call, no crash, the others are served."""
    settings, secret = AUTHS["header"]
    for name in ("shop", "other"):
        connectd.add(name, shop.url, ["GET /orders/{}"], ca_pem=shop.ca_pem, auth=settings, secret=secret)
    sealed = (connectd.data / "connections/shop").read_bytes()
    for content in (sealed, sealed[:-1], sealed[:5], b"", b"{}", bytes([sealed[0] ^ 1]) + sealed[1:], sealed[:-1] + bytes([sealed[-1] ^ 1])):
        (connectd.data / "connections/other").write_bytes(content)
        answer = connectd.call("GET", "orders/o-1", "other")
        assert answer.status >= 400 and refusal(answer), str(answer)
        assert connectd.call("GET", "orders/o-1").status == 200
    assert len(shop.asked) == 7
