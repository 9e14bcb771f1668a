"""Actions that leave the process: two records and one call, whatever becomes of the call, the provider or the worker."""
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib import notes
from lib.fastcgi import whole
from lib.programs import wait_until
from lib.provider import Provider
from lib.shop import ALEX, JORDAN
from lib.worker import Worker

pytestmark = pytest.mark.tree("sanitized")

SITE = "calls"
ORDER = {"id": "o-1", "customer": {"email": ALEX}, "total": 12}


def http(method, path, **more):
    return {"type": "http", "connection": "shop", "method": method, "path": path, **more}


def given(name):
    return {"$input": name}


WHO = {"id": "string"}
ACTIONS = {"actions": [
    notes.action("get_order", "personal", "read", WHO, http(
        "GET", ["orders", given("id")], owner_check={"pointer": "/customer/email", "equals": {"$identity": "email"}},
        result={"total": "/total"}, answer_max=4096)),
    notes.action("book", "personal", "write", WHO, http(
        "POST", ["bookings"], json={"slot": given("id"), "email": {"$identity": "email"}}, timeout="1s")),
    notes.action("hello", "public", "read", {}, {"type": "static", "result": "hello"}),
]}


@pytest.fixture(scope="module")
def site(module_data):
    return module_data.add_site(SITE, "--plan", "pro", actions=ACTIONS)


@pytest.fixture
def provider(module_data):
    with Provider(module_data.home / "proxy.sock") as p:
        yield p


@pytest.fixture(scope="module")
def socket_path(module_data):
    return module_data.home / "proxy.sock"


@pytest.fixture(scope="module")
def worker(module_data, site, socket_path):
    with Worker(module_data, "--audit-budget", "0", "--connect", socket_path) as w:
        assert site
        yield w


def act(worker, site, action="get_order", order="o-1", email=ALEX, **claims):
    return notes.act(worker, action, {"id": order}, site.token(email=email, **claims), site=SITE)


def two(site, answer):
    return site.data.wait_audit(2, id=answer.request_id)


def test_intended_stands_before_the_call_and_done_before_the_answer(worker, site, provider):
    seen = []

    def reply(_):
        seen.extend(r for r in site.data.audit(site=SITE) if r["outcome"] == "intended")
        return 200, {}, ORDER
    provider.reply = reply
    answer = act(worker, site)
    assert answer.status == 200 and answer.json["result"] == {"total": 12}
    first, last = two(site, answer)
    assert seen[-1] == first and "status" not in first and "duration_ms" not in first
    assert (first["outcome"], last["outcome"], last["status"]) == ("intended", "done", 200)
    assert last["duration_ms"] < 10000 and last["time"] >= first["time"]
    same = ("site", "action", "effect", "subject", "token", "kid", "event")
    assert [first.get(n) for n in same] == [last.get(n) for n in same]
    assert "total" not in str(last)


def test_the_provider_is_told_the_request_and_nothing_of_the_visitor(worker, site, provider):
    provider.reply = lambda _: (200, {}, ORDER)
    token = site.token(email=ALEX)
    assert notes.act(worker, "get_order", {"id": "a b"}, token, site=SITE).status == 200
    (asked,) = provider.asked
    assert (asked["method"], asked["path"]) == ("GET", "/proxy/orders/a%20b")
    headers = asked["headers"]
    assert (headers["connection-id"], headers["provider-config-key"], headers["postern-site"]) == ("shop", "shop", SITE)
    assert headers["postern-answer-max"] == "4096" and headers["retries"] == "2"
    assert not set(headers) & {"authorization", "cookie", "user-agent", "x-forwarded-for", "origin"}
    assert token not in str(asked) and token.split(".")[2] not in str(asked)


def test_a_body_goes_out_as_json_with_its_type_for_the_upstream(worker, site, provider):
    answer = act(worker, site, "book", 'x","admin":true,"y":"')
    assert answer.status == 200
    (asked,) = provider.asked
    assert json.loads(asked["body"]) == {"slot": 'x","admin":true,"y":"', "email": ALEX}
    assert asked["headers"]["nango-proxy-content-type"] == "application/json" and asked["headers"]["retries"] == "0"


REFUSALS = {
    "connection_unknown": (404, 502), "connection_denied": (403, 502), "reauth_needed": (424, 502), "credentials_failed": (502, 502),
    "upstream_unreachable": (502, 502), "upstream_unsafe": (502, 502), "answer_too_large": (502, 502), "upstream_timeout": (504, 504),
    "connection_busy": (503, 503), "request_malformed": (400, 502), "never_heard_of": (500, 502),
}


@pytest.mark.parametrize("code", list(REFUSALS))
def test_what_the_provider_refuses_is_failed_with_the_exact_reason(worker, site, provider, code):
    theirs, ours = REFUSALS[code]
    provider.reply = lambda _: (theirs, {"Postern-Connect-Error": code}, {"error": code})
    answer = act(worker, site)
    public = {502: "upstream_failed", 503: "overloaded", 504: "upstream_timeout"}[ours]
    assert (answer.status, answer.code) == (ours, public)
    last = two(site, answer)[1]
    exact = "upstream_failed" if code in ("request_malformed", "never_heard_of") else code
    assert (last["outcome"], last["reason"], last["status"]) == ("failed", exact, ours)


UPSTREAM = {
    "not_found": (404, (404, {}, {})), "conflict": (409, (409, {}, {})), "parameters_invalid": (400, (422, {}, {})),
    "upstream_failed": (502, (500, {}, {})), "upstream_invalid": (502, (200, {}, b"<html>")), "upstream_timeout": (504, (504, {}, {})),
    "owner_mismatch": (404, (200, {}, {**ORDER, "customer": {"email": JORDAN}})),
    "answer_too_large": (502, (200, {}, {**ORDER, "more": "x" * 5000})),
}


@pytest.mark.parametrize("reason", list(UPSTREAM))
def test_what_the_upstream_answers_is_failed_with_the_exact_reason(worker, site, provider, reason):
    status, reply = UPSTREAM[reason]
    provider.reply = lambda _: reply
    answer = act(worker, site)
    assert answer.status == status
    last = two(site, answer)[1]
    assert (last["outcome"], last["reason"], last["status"]) == ("failed", reason, status)


def test_someone_elses_order_looks_like_one_that_is_not_there(worker, site, provider):
    provider.reply = lambda _: UPSTREAM["owner_mismatch"][1]
    other = act(worker, site)
    provider.reply = lambda _: UPSTREAM["not_found"][1]
    missing = act(worker, site)
    shape = [(a.status, a.body, sorted((n.lower(), v) for n, v in a.headers if n.lower() != "x-request-id")) for a in (other, missing)]
    assert shape[0] == shape[1]


def test_a_missing_provider_is_said_in_the_record_alone(worker, site):
    answer = act(worker, site)
    assert (answer.status, answer.code) == (502, "upstream_failed")
    assert two(site, answer)[1]["reason"] == "provider_unreachable"


def test_a_provider_that_hangs_up_is_not_asked_twice(worker, site, provider):
    provider.reply = lambda _: (_ for _ in ()).throw(OSError)
    provider.server.handle_error = lambda *_: None
    assert act(worker, site, "book").code == "upstream_failed"
    assert len(provider.asked) == 1


def test_slow_calls_hold_no_thread_and_end_in_time(worker, site, provider):
    """More of them than the worker has threads: what does not leave is answered meanwhile."""
    def reply(_):
        provider.stall.wait(20)
        return 200, {}, {}
    provider.reply = reply
    start = time.monotonic()
    with ThreadPoolExecutor(12) as pool:
        slow = [pool.submit(act, worker, site, "book", f"s-{i}") for i in range(12)]
        wait_until(lambda: len(provider.asked) == 12, "all calls to be under way")
        assert notes.act(worker, "hello", {}, site=SITE).status == 200
        assert time.monotonic() - start < 2.5 and not any(f.done() for f in slow)
        answers = [f.result() for f in slow]
    assert {(a.status, a.code) for a in answers} == {(504, "upstream_timeout")}
    assert 2.5 < time.monotonic() - start < 10          # 1 s, and the provider's own 2 s


def test_reauth_needed_shows_in_the_metrics_until_a_call_works(worker, site, provider):
    gauge = 'postern_connection_reauth_needed{connection="shop"}'
    provider.reply = lambda _: (424, {"Postern-Connect-Error": "reauth_needed"}, {})
    act(worker, site)
    assert notes.metrics(worker)[gauge] == 1
    provider.reply = lambda _: (200, {}, ORDER)
    act(worker, site)
    assert notes.metrics(worker)[gauge] == 0


def begin_stalled(worker, site, provider):
    """A booking under way that nobody will answer."""
    provider.stall.clear()

    def reply(_):
        provider.stall.wait(30)
        return 200, {}, {}
    provider.reply = reply
    connection = worker.connect()
    connection.send(whole(*notes.request_for("book", {"id": "k-1"}, site.token(email=ALEX), site=SITE)))
    wait_until(lambda: provider.asked, "the call to be under way")
    return connection


def test_killed_between_both_records_is_closed_by_another_worker(module_data, site, provider, socket_path):
    dead = Worker(module_data, "--connect", socket_path)
    begin_stalled(dead, site, provider)
    (begun,) = [r for r in module_data.audit(site=SITE, action="book", outcome="intended")
                if len(module_data.audit(id=r["id"])) == 1]
    dead.kill()
    with Worker(module_data, "--connect", socket_path):
        wait_until(lambda: len(module_data.audit(id=begun["id"])) == 2, "the call to be closed", 20)
    last = module_data.audit(id=begun["id"])[1]
    assert (last["outcome"], last["reason"]) == ("failed", "outcome_unknown") and "status" not in last
    same = ("site", "action", "effect", "subject", "token", "kid", "event", "id")
    assert [begun.get(n) for n in same] == [last.get(n) for n in same]
    module_data.check_audit()


def test_a_stop_ends_calls_and_records_them(module_data, site, provider, socket_path):
    before = len(module_data.audit(site=SITE, outcome="failed", reason="upstream_timeout"))
    worker = Worker(module_data, "--connect", socket_path)
    begin_stalled(worker, site, provider)
    worker.stop()
    assert len(module_data.audit(site=SITE, outcome="failed", reason="upstream_timeout")) == before + 1


def book_with_key(worker, site, key, booking="b-1"):
    env, body = notes.request_for("book", {"id": booking}, site.token(email=ALEX), site=SITE)
    with worker.connect() as c:
        return c.ask({**dict(env), "HTTP_IDEMPOTENCY_KEY": key}, body).answer.check()


def test_an_idempotency_key_makes_one_call_and_reaches_the_upstream_as_a_hash(worker, site, provider):
    provider.reply = lambda _: (201, {}, {"booking": 7})
    first, second = [book_with_key(worker, site, "canary-key-1") for _ in range(2)]
    assert first.json["result"] == second.json["result"] == {"booking": 7}
    (asked,) = provider.asked
    assert len(asked["headers"]["nango-proxy-idempotency-key"]) == 32 and "canary" not in str(asked)
    assert asked["headers"]["retries"] == "0"              # nobody says that this upstream heeds the key
    assert [r["outcome"] for r in site.data.audit(id=first.request_id)] == ["intended", "done"]
    (again,) = site.data.audit(id=second.request_id)
    assert (again["outcome"], again["reason"]) == ("done", "replayed")


@pytest.mark.parametrize("status, error, free", [
    (409, None, True), (500, None, False), (403, "connection_denied", True), (502, "upstream_unsafe", False)],
    ids=["conflict", "failed", "denied", "a redirect after the deed"])
def test_a_key_is_free_again_only_where_nothing_was_done_for_certain(worker, site, provider, status, error, free):
    provider.reply = lambda _: (status, {"Postern-Connect-Error": error} if error else {}, {})
    book_with_key(worker, site, f"key-{status}")
    provider.reply = lambda _: (201, {}, {})
    again = book_with_key(worker, site, f"key-{status}")
    assert (again.status, len(provider.asked)) == ((200, 2) if free else (409, 1))


def test_with_other_parameters_a_key_is_another_one_to_the_upstream(worker, site, provider):
    """Free again here, or a day old, it may be one that the upstream still has an answer for."""
    provider.reply = lambda _: (409, {}, {})
    for booking in ("b-1", "b-2", "b-1"):
        assert book_with_key(worker, site, "a-key-of-two", booking).status == 409
    one, other, same = (asked["headers"]["nango-proxy-idempotency-key"] for asked in provider.asked)
    assert one == same != other
