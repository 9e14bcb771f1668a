"""The whole way: lighttpd, worker, connectd, and a shop over TLS that looks orders up by id alone. Whatever a visitor writes, the shop
sees it as data."""
import json
import signal
import threading
import time
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from lib.connectd import Connectd
from lib.lighttpd import Lighttpd
from lib.programs import wait_until
from lib.shop import ALEX, JORDAN, action, given, schema, text
from lib.upstream import NOT_JSON, NOT_UTF8, WRONG_TYPE, Upstream, api_key, cut_off, hang_up, huge, raw, redirect, slow, stalled, status
from lib.worker import Worker

pytestmark = pytest.mark.tree("plain")
KEY = "upstream-key-0123456789abcdef"
EMAIL = {"$identity": "email"}
OWNER = {"pointer": "/customer/email", "equals": EMAIL}
ITEM = {"id": "/id", "item": "/item"}
ORDER = schema(["order"], order=text(minLength=0, maxLength=200))
TEXT = schema(["text"], text=text(minLength=0, maxLength=200))


def http(method, *path, **more):
    return {"type": "http", "connection": "shop", "method": method, "path": list(path), **more}


ACTIONS = {"actions": [
    action("hello", "public", "read", {"type": "static", "result": {"hello": "world"}}),
    action("my_orders", "personal", "read", http("GET", "customers", EMAIL, "orders", result={"orders": {"$each": "/orders", "of": ITEM}})),
    action("my_order", "personal", "read", http("GET", "customers", EMAIL, "orders", given("order"), result=ITEM), ORDER),
    action("any_order", "personal", "read", http("GET", "orders", given("order"), owner_check=OWNER, result=ITEM, timeout="1s"), ORDER),
    action("all_orders", "personal", "read",
           http("GET", "orders", owner_check={**OWNER, "each": "/orders"}, result={"orders": {"$each": "/orders", "of": "/id"}})),
    action("by_user_id", "personal", "read",
           http("GET", "orders", given("order"), owner_check={"pointer": "/customer/id", "equals": {"$identity": "user_id"}}, result=ITEM), ORDER),
    action("book", "personal", "write",
           http("POST", "bookings", json={"by": EMAIL, "note": given("text"), "more": [{"deep": given("text"), "fixed": [1, None, True]}]},
                result={"id": "/id"}), TEXT),
    action("drop", "personal", "destructive", http("DELETE", "bookings", given("order"), headers={"X-By": EMAIL}), ORDER),
    action("in_path", "public", "read", http("GET", "echo", given("text"), "end", result={"path": "/path"}), TEXT),
    action("in_query", "public", "read", http("GET", "echo", query={"q": given("text"), "admin": "0", "last": given("text")}, result={"path": "/path"}), TEXT),
    action("in_header", "public", "read", http("GET", "echo", headers={"X-Note": given("text")}, result={"path": "/path"}), TEXT),
    action("in_json", "public", "write", http("POST", "echo", json={"a": given("text"), "b": {"c": [given("text"), "fixed"]}}, result={"path": "/path"}), TEXT),
    action("in_form", "public", "write", http("POST", "echo", form={"q": given("text"), "admin": "0", "last": given("text")}, result={"path": "/path"}), TEXT),
]}
ALLOW = ["GET /customers/{}/orders", "GET /customers/{}/orders/{}", "GET /orders", "GET /orders/{}", "POST /bookings", "DELETE /bookings/{}",
         "GET /echo", "GET /echo/{}/end", "POST /echo"]


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    with Upstream(tmp_path_factory.mktemp("shop")) as shop:
        shop.demand = api_key("X-Api-Key", KEY)
        yield shop


@pytest.fixture(scope="module")
def connectd(up):
    with Connectd() as c:
        c.add("shop", up.url, ALLOW, ca_pem=up.ca_pem, auth={"type": "api_key", "in": "header", "name": "X-Api-Key", "prefix": ""},
              secret={"api_key": KEY})
        yield c


@pytest.fixture(scope="module")
def site(module_data):
    return module_data.add_site("acme", actions=ACTIONS)


@pytest.fixture(scope="module")
def web(module_data, connectd, site):
    with Worker(module_data, "--connect", connectd.socket, "--audit-budget", "0", threads=2) as worker, Lighttpd(worker) as server:
        yield server.client()


@pytest.fixture
def shop(up):
    """Nothing asked yet, no fault, no booking."""
    up.faults.clear()
    up.asked.clear()
    up.bookings.clear()
    yield up
    for asked in up.asked:
        said = json.dumps([asked.path, asked.headers, asked.body.decode("utf-8", "replace")])
        assert "Bearer" not in said and "eyJ" not in said, f"the visitor's token was passed on: {said}"


def run(web, site, name, parameters=None, email=ALEX, **claim):
    token = site.token(email=email, **claim) if email else None
    return web.act(site.name, name, parameters, token)


def result(answer):
    assert answer.status == 200, str(answer)
    return answer.json["result"]


# ---- whose ----

@pytest.mark.parametrize("email, ids", [(ALEX, ["o-1", "o-3"]), (JORDAN, ["o-2"]), ("nobody@example.com", [])])
def test_a_visitor_sees_their_own_orders(web, site, shop, email, ids):
    orders = result(run(web, site, "my_orders", email=email))["orders"]
    assert [order["id"] for order in orders] == ids and all(set(order) == {"id", "item"} for order in orders)
    assert len(shop.asked) == 1 and shop.asked[0].all("X-Api-Key") == [KEY]


@pytest.mark.parametrize("name", ["my_order", "any_order", "by_user_id"])
@pytest.mark.parametrize("email, user_id, order, item", [
    (ALEX, "u-alex", "o-1", "kettle"), (ALEX, "u-alex", "o-2", None), (JORDAN, "u-jordan", "o-2", "lamp"), (JORDAN, "u-jordan", "o-1", None),
    ("ALEX@Example.com", "u-alex", "o-3", "chair"), (ALEX, "u-alex", "o-9", None)])
def test_an_order_is_shown_to_its_owner_alone(web, site, shop, name, email, user_id, order, item):
    answer = run(web, site, name, {"order": order}, email, user_id=user_id)
    if item:
        assert result(answer) == {"id": order, "item": item}
    else:
        assert (answer.status, answer.code) == (404, "not_found"), str(answer)
        assert "item" not in answer.json and "lamp" not in answer.body.decode() and "kettle" not in answer.body.decode()


def test_a_mismatch_is_recorded_and_not_told(module_data, web, site, shop):
    """The public answer is the same as for what is not there; the log says which of the two."""
    foreign, absent = (run(web, site, "any_order", {"order": order}) for order in ("o-2", "o-9"))
    told = [{k: v for k, v in answer.json.items() if k != "audit"} for answer in (foreign, absent)]
    assert told[0] == told[1] and foreign.status == absent.status == 404
    assert module_data.wait_audit(id=foreign.request_id, reason="owner_mismatch")
    assert module_data.wait_audit(id=absent.request_id, reason="not_found")


@pytest.mark.parametrize("said", [{}, {"customer": None}, {"customer": {"email": None}}, {"customer": {"email": [ALEX]}}, {"customer": {"email": ""}},
                                  {"customer": {"email": JORDAN}}, [], "alex@example.com", {"customer": {"email": ALEX + "\n"}}], ids=json.dumps)
def test_an_answer_that_does_not_say_whose_it_is(web, site, shop, said):
    shop.faults["/orders/o-1"] = status(200, said)
    answer = run(web, site, "any_order", {"order": "o-1"})
    assert (answer.status, answer.code) in ((404, "not_found"), (502, "upstream_failed")), str(answer)


def test_one_foreign_row_in_a_list_hides_the_list(web, site, shop):
    assert run(web, site, "all_orders").status == 404
    shop.faults["/orders"] = status(200, {"orders": [shop.orders["o-1"], shop.orders["o-3"]]})
    assert result(run(web, site, "all_orders")) == {"orders": ["o-1", "o-3"]}


def test_a_personal_action_without_a_token_asks_nobody(web, site, shop):
    for name in ("my_orders", "any_order", "book"):
        assert run(web, site, name, {"order": "o-1"} if name == "any_order" else {"text": "x"} if name == "book" else None, None).status == 401
    assert not shop.asked


# ---- injection ----

STRUCTURE = ["..", ".", "...", "../admin", "../../orders/o-2", "a/b", "/", "%2f", "a%2fb", "%2e%2e", "%", "a\\b", "..\\admin", "a\r\nX-Evil: 1", "a\nb", "a\tb",
             "\r\n\r\nGET /admin HTTP/1.1", "a\x7fb", ""]
DATA = ["plain", "a&admin=1", "a&admin=1&q=2", "a?admin=1", "?", "a#b", "a;b=c", "a=b", "a b", " a", "a+b", "a:b@c", "http:", '"', '","admin":true,"x":"', '"}', "{}",
        "[1]", "é", "e\u0301", "日本", "😀", "\u202egpj", "\u2025", "．．", "／", "\u2028", "$(id)", "`id`", "' OR 1=1--", "<b>", "{{7*7}}", "${x}", "a,b", "*", "~", "!",
        "..a", "a..", "-", "\ufeff", "\u00a0"]


def spoken(shop):
    """The one request that the shop saw, which has no more than it should."""
    (asked,) = shop.asked
    assert asked.header("X-Evil") is None and asked.all("X-Api-Key") == [KEY] and len(asked.all("Host")) == 1, str(asked)
    assert asked.path.isascii() and asked.path.isprintable(), asked.path
    return asked


@pytest.mark.parametrize("value", STRUCTURE + DATA, ids=ascii)
def test_injection_into_a_path(web, site, shop, value):
    answer = run(web, site, "in_path", {"text": value}, None)
    if value in STRUCTURE or (value == "\u2028" and answer.status == 400):     # a line's end to some
        assert (answer.status, answer.code) == (400, "parameters_invalid") and not shop.asked, str(answer)
        return
    result(answer)
    path, mark, query = spoken(shop).path.partition("?")
    parts = path.split("/")
    assert (len(parts), parts[1], unquote(parts[2]), parts[3], mark, query) == (4, "echo", value, "end", "", "")


@pytest.mark.parametrize("value", STRUCTURE + DATA, ids=ascii)
def test_injection_into_a_query(web, site, shop, value):
    answer = run(web, site, "in_query", {"text": value}, None)
    if answer.status == 400:
        assert value in STRUCTURE and not shop.asked, str(answer)
        return
    result(answer)
    parts = urlsplit(spoken(shop).path)
    assert parts.path == "/echo" and sorted(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True)) == [
        ("admin", "0"), ("last", value), ("q", value)]


@pytest.mark.parametrize("value", STRUCTURE + DATA, ids=ascii)
def test_injection_into_a_header(web, site, shop, value):
    """Visible ASCII and inner spaces pass as they are, all else is refused."""
    answer = run(web, site, "in_header", {"text": value}, None)
    if not value or not value.isascii() or not value.isprintable() or value != value.strip():
        assert (answer.status, answer.code) == (400, "parameters_invalid") and not shop.asked, str(answer)
        return
    result(answer)
    asked = spoken(shop)
    assert asked.all("X-Note") == [value] and asked.path == "/echo"


@pytest.mark.parametrize("value", STRUCTURE + DATA, ids=ascii)
def test_injection_into_json(web, site, shop, value):
    result(run(web, site, "in_json", {"text": value}, None))
    asked = spoken(shop)
    assert json.loads(asked.body, object_pairs_hook=lambda pairs: dict(pairs) if len(dict(pairs)) == len(pairs) else pytest.fail("twice")) == {
        "a": value, "b": {"c": [value, "fixed"]}}
    assert asked.header("Content-Type").split(";")[0] == "application/json"


@pytest.mark.parametrize("value", STRUCTURE + DATA, ids=ascii)
def test_injection_into_a_form(web, site, shop, value):
    answer = run(web, site, "in_form", {"text": value}, None)
    if answer.status == 400:
        assert value in STRUCTURE and not shop.asked, str(answer)
        return
    result(answer)
    asked = spoken(shop)
    assert sorted(parse_qsl(asked.body.decode("ascii"), keep_blank_values=True, strict_parsing=True)) == [("admin", "0"), ("last", value), ("q", value)]
    assert asked.header("Content-Type") == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("email", ["a&admin=1@example.com", "a+b@example.com", "a?x@example.com", "a#x@example.com", "o'brien@example.com"])
def test_injection_by_a_pinned_email(web, site, shop, email):
    """Odd and legal: whole in its one segment."""
    assert result(run(web, site, "my_orders", email=email)) == {"orders": []}
    parts = spoken(shop).path.split("/")
    assert len(parts) == 4 and unquote(parts[2]) == email and "?" not in parts[2] and "#" not in parts[2]


@pytest.mark.parametrize("email", ["a/b@example.com", "..%2f@example.com", "a%2f..@example.com"])
def test_injection_by_a_pinned_email_that_is_structure(web, site, shop, email):
    answer = run(web, site, "my_orders", email=email)
    assert 400 <= answer.status < 500 and not shop.asked, str(answer)


# ---- what the shop does ----

@pytest.mark.parametrize("fault, public, code, reason", [
    (status(404), 404, "not_found", "not_found"), (status(410), 404, "not_found", "not_found"), (status(409), 409, "conflict", "conflict"),
    (status(422), 400, "parameters_invalid", "parameters_invalid"), (status(500), 502, "upstream_failed", "upstream_failed"),
    (status(401), 502, "upstream_failed", "upstream_failed"), (status(429, Retry_After=1), 502, "upstream_failed", "upstream_failed"),
    (slow(20), 504, "upstream_timeout", "upstream_timeout"), (stalled(20), 504, "upstream_timeout", "upstream_timeout"),
    (hang_up, 502, "upstream_failed", "upstream_unreachable"), (cut_off, 502, "upstream_failed", "upstream_unreachable"),
    (huge(), 502, "upstream_failed", "answer_too_large"), (redirect("https://127.0.0.1/"), 502, "upstream_failed", "upstream_unsafe"),
    (NOT_JSON, 502, "upstream_failed", "upstream_invalid"), (NOT_UTF8, 502, "upstream_failed", "upstream_invalid"),
    (WRONG_TYPE, 502, "upstream_failed", "upstream_invalid"), (raw(b"[" * 40 + b"]" * 40), 502, "upstream_failed", "upstream_invalid")],
    ids=["404", "410", "409", "422", "500", "401", "429", "slow", "stalled", "hangs up", "cut off", "10 GB", "redirect", "not json", "not utf8", "html", "deep"])
def test_what_a_visitor_is_told_of_a_failing_shop(module_data, web, site, shop, fault, public, code, reason):
    shop.faults["/orders/o-1"] = fault
    start = time.monotonic()
    answer = run(web, site, "any_order", {"order": "o-1"})
    assert (answer.status, answer.code) == (public, code), str(answer)
    assert time.monotonic() - start < 5
    record = module_data.wait_audit(id=answer.request_id, reason=reason)[-1]
    assert record["outcome"] in ("failed", "refused"), record
    shop.faults.clear()
    assert run(web, site, "hello").status == 200


def test_a_slow_shop_holds_no_other_action(web, site, shop):
    """Two threads in the worker, eight calls that wait: what needs no shop is answered meanwhile."""
    shop.faults["/orders/o-1"] = slow(20)
    answers = []
    calls = [threading.Thread(target=lambda: answers.append(run(web, site, "any_order", {"order": "o-1"}))) for _ in range(8)]
    for call in calls:
        call.start()
    wait_until(lambda: len(shop.asked) == 8, "all calls to be under way", 5)
    start = time.monotonic()
    assert run(web, site, "hello").status == 200
    assert time.monotonic() - start < 0.5 and not answers
    for call in calls:
        call.join(10)
    assert [answer.code for answer in answers] == ["upstream_timeout"] * 8


# ---- what is written down ----

def outcomes(data, answer):
    return [record["outcome"] for record in data.audit(id=answer.request_id)]


def test_a_write_is_intended_and_then_done(module_data, web, site, shop):
    answer = run(web, site, "book", {"text": "for-two-people"})
    assert result(answer) == {"id": "b-1"} and shop.bookings["b-1"]["by"] == ALEX
    module_data.wait_audit(2, id=answer.request_id)
    first, last = module_data.audit(id=answer.request_id)
    assert (first["outcome"], last["outcome"], last["status"]) == ("intended", "done", 200) and last["duration_ms"] >= 0
    lines = "\n".join(module_data.audit_lines())
    assert "for-two-people" not in lines and KEY not in lines
    assert run(web, site, "drop", {"order": "b-1"}).status == 200 and not shop.bookings


def test_a_write_that_fails_is_intended_and_then_failed(module_data, web, site, shop):
    shop.faults["/bookings"] = status(500)
    answer = run(web, site, "book", {"text": "x"})
    assert answer.status == 502
    module_data.wait_audit(2, id=answer.request_id)
    assert outcomes(module_data, answer) == ["intended", "failed"]
    assert len(shop.asked) == 1                         # a booking is not tried twice


def test_the_record_of_a_write_is_there_before_the_shop_hears_of_it(module_data, web, site, shop):
    seen = []

    def look(handler, asked):
        seen.extend(module_data.audit(action="book")[-1:])
        handler.ordinary(asked)
    shop.faults["/bookings"] = look
    answer = run(web, site, "book", {"text": "x"})
    assert answer.status == 200 and [(r["id"], r["outcome"]) for r in seen] == [(answer.request_id, "intended")]


def test_without_connectd_only_what_needs_it_fails(module_data, connectd, web, site, shop):
    connectd.stop()
    try:
        for name, parameters in (("my_orders", None), ("book", {"text": "x"})):
            answer = run(web, site, name, parameters)
            assert (answer.status, answer.code) == (502, "upstream_failed"), str(answer)
            module_data.wait_audit(id=answer.request_id, reason="provider_unreachable")
        assert run(web, site, "hello").status == 200
    finally:
        connectd.start()
    assert run(web, site, "my_orders").status == 200


@pytest.mark.slow
def test_a_worker_killed_during_a_call_leaves_an_unknown_outcome(data, connectd, shop):
    """The next worker closes the record once the call is past its time: nobody knows whether the shop did it."""
    brief = [{**a, "connector": {**a["connector"], "timeout": "1s"}} for a in ACTIONS["actions"] if a["name"] == "book"]
    site = data.add_site("acme", actions={"actions": brief})
    shop.faults["/bookings"] = slow(20)
    with Worker(data, "--connect", connectd.socket) as worker, Lighttpd(worker) as server:
        call = threading.Thread(target=lambda: server.client().send("POST", "/v1/sites/acme/actions/book", [
            ("Authorization", "Bearer " + site.token()), ("Content-Type", "application/json")], '{"parameters": {"text": "x"}}'))
        call.start()
        wait_until(lambda: shop.asked, "the shop to be asked")
        worker.process.send_signal(signal.SIGKILL)
        worker.process.wait()
        call.join(10)
        shop.faults.clear()
    with Worker(data, "--connect", connectd.socket):
        records = data.wait_audit(action="book", reason="outcome_unknown", seconds=40)
    (first, last) = data.audit(id=records[0]["id"])
    assert (first["outcome"], last["outcome"]) == ("intended", "failed")


# ---- import ----

@pytest.mark.parametrize("connector, parameters", [
    (http("GET", "orders", given("order")), ORDER), (http("GET", "orders", {"$identity": "name"}), schema()),
    (http("GET", "customers", EMAIL, given("email")), schema(["email"], email=text())),
    (http("GET", "customers", EMAIL, given("userId")), schema(["userId"], userId=text())),
    (http("GET", "customers", EMAIL, given("customer_ref")), schema(["customer_ref"], customer_ref=text())),
    (http("GET", "customers", EMAIL, given("E-Mail")), schema(["E-Mail"], **{"E-Mail": {"type": "integer"}}))], ids=str)
def test_import_refuses_an_action_that_anybody_could_use_for_another(data, connector, parameters):
    site = data.add_site("acme")
    path = data.file("a.json", {"actions": [action("a", "personal", "read", connector, parameters)]})
    ran = data.ask("action", "import", site.name, path)
    assert ran.code != 0 and ran.err, str(ran)
    if "customer_ref" in parameters["properties"]:
        site.import_actions({"actions": [action("a", "personal", "read", {**connector, "not_identity": ["customer_ref"]}, parameters)]})
