"""data/openapi.yaml: what it promises is what a real worker behind a real web server answers, status for status, header for header."""
import json
import os
import shutil
import subprocess

import pytest

from lib.client import actions_path
from lib.fastcgi import ask
from lib.ledger import HeldLedger
from lib.lighttpd import Lighttpd
from lib.openapi import PATH, Document
from lib.programs import tool
from lib.shop import JORDAN, add_shop
from lib.tokens import bearer
from lib.vault import damage_rows
from lib.worker import Worker

SIGN_IN, ORIGIN = "https://shop.example.com/sign-in", "https://shop.example.com"
IDENTITY, ACTIONS, ACTION = "/v1/sites/{site}/identity", "/v1/sites/{site}/actions", "/v1/sites/{site}/actions/{action}"
HEALTH, METRICS = "/v1/health", "/v1/metrics"
HTTP_PATHS = {IDENTITY: "/v1/sites/site/identity", ACTIONS: "/v1/sites/site/actions", ACTION: "/v1/sites/site/actions/hello",
              HEALTH: HEALTH, METRICS: METRICS}
VALIDATOR = "@apidevtools/swagger-parser@10.1.1"
# Documented, and only to be had past 1024 requests in flight (tests/http/test_protocol.py does that once).
OVERLOADED = {("options", HEALTH, 503), ("get", METRICS, 503), ("head", METRICS, 503), ("options", METRICS, 503)}


@pytest.fixture(scope="module")
def document():
    return Document()


@pytest.fixture(scope="module")
def site(module_data):
    """A shop with a sign-in URL and origins."""
    return add_shop(module_data, "site", "--sign-in-url", SIGN_IN, "--origin", ORIGIN)


@pytest.fixture(scope="module")
def opened(unlimited):
    """Where the web server opens the metrics."""
    with Lighttpd(unlimited, POSTERN_METRICS="1") as server:
        yield server.client()


@pytest.fixture
def judged(document, web):
    """Sends a request, and returns its answer if the document has it so."""
    def send(method, path, token=None, http=None, status=None, headers=(), body=None, **how):
        if method in ("POST", "PUT") and body is None:
            body = ""                # lighttpd wants a Content-Length with these
        headers = [*([bearer(token)] if token else []), *headers]
        answer = document.judge(method, path, (http or web).send(method, path, headers, body, **how))
        assert status in (None, answer.status), f"expected {status}: {answer}"
        return answer
    return send


def act(judged, action, body, token=None, site="site", headers=(), **how):
    body = body if isinstance(body, str) else json.dumps(body)
    return judged("POST", actions_path(site, action), token, headers=[("Content-Type", "application/json"), *headers], body=body, **how)


def test_its_examples_are_right(document):
    examples = list(document.examples())
    assert len(examples) > 12
    for where, schema, value in examples:
        document.judge_value(schema, value, where)


def test_a_judge_that_can_say_no(document, web, site):
    """What makes the other tests worth something: an answer that is altered anywhere is not accepted."""
    path = "/v1/sites/site/identity"
    good = web.get(path, site.token())

    def altered(**change):
        answer = web.get(path, site.token())
        for name, value in change.items():
            setattr(answer, name, value)
        return answer
    document.judge("GET", path, good)
    body = good.json
    for bad in (altered(status=402), altered(status=204), altered(body=b"{}"), altered(body=b'{"identity":{"status":"blocked"}}'),
                altered(body=json.dumps({"identity": {**body["identity"], "role": "admin"}}).encode()),
                altered(headers=[*good.headers, ("X-More", "1")]), altered(headers=good.headers[:1]),
                altered(headers=[(k, "text/html" if k == "Content-Type" else v) for k, v in good.headers]),
                altered(headers=[(k, "public" if k == "Cache-Control" else v) for k, v in good.headers])):
        with pytest.raises(AssertionError):
            document.judge("GET", path, bad)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("template", [IDENTITY, ACTIONS])
def test_what_a_visitor_asks(judged, site, module_data, method, template):
    path = HTTP_PATHS[template]
    listed = [("Origin", ORIGIN)]
    for token in (None, site.token(), site.token(name="Alex", user_id=17), site.token(exp=None), site.token(email="a@site.test")):
        judged(method, path, token, status=200)
        answer = judged(method, path, token, headers=listed, status=200)
        assert answer.header("Access-Control-Allow-Origin") == ORIGIN and answer.header("Vary") == "Origin"
    for token in ("no", site.token(ttl=-1)):
        judged(method, path, token, status=401)
        judged(method, path, token, headers=listed, status=401)
    judged(method, path, headers=[("Origin", "https://evil.example")], status=403)
    judged(method, path.replace("/site/", "/nobody/"), status=404)


def test_the_catalogue_of_a_plan_without_personal_actions(judged, module_data):
    free = add_shop(module_data, "free", "--plan", "free")
    answer = judged("GET", "/v1/sites/free/actions", free.token())
    assert {a["reason"] for a in answer.json["actions"]} == {None, "plan_required"}
    act(judged, "list_orders", {}, free.token(), site="free", status=403)


def test_running_an_action(judged, site):
    alex, jordan = site.token(), site.token(email=JORDAN)
    for action, body, token, code in (
            ("hello", "", None, None), ("hello", {"email": "x"}, alex, None), ("browse", {}, None, None),
            ("list_orders", {"conversation": "mine"}, alex, None), ("create_order", {"parameters": {"item": "rope"}}, alex, None),
            ("get_order", {"parameters": {"id": "a-1"}}, alex, None), ("delete_order", {"parameters": {"id": "a-1"}}, alex, None),
            ("hello", "{", None, "request_malformed"), ("hello", {"more": 1}, None, "request_malformed"),
            ("get_order", {"parameters": {"id": 5}}, alex, "parameters_invalid"),
            ("list_orders", {}, None, "sign_in_required"), ("hello", {}, site.token(ttl=-1), "token_expired"),
            ("hello", {}, "no", "token_invalid"), ("list_orders", {"conversation": "mine"}, jordan, "conversation_conflict"),
            ("by_user_id", {}, alex, "identity_incomplete"), ("no_such_action", {}, alex, "action_unknown"),
            ("get_order", {"parameters": {"id": "none"}}, alex, "not_found"),
            ("delete_order", {"parameters": {"id": "a-2"}}, alex, "conflict"), ("hello", " " * 65537, None, "body_too_large")):
        answer = act(judged, action, body, token)
        assert answer.code == code, f"{action}: {answer}"
    assert act(judged, "hello", {}, site="nobody").code == "site_unknown"
    assert act(judged, "hello", {}, headers=[("Origin", "https://evil.example")]).code == "origin_denied"
    assert act(judged, "hello", {}, headers=[("Origin", ORIGIN)]).header("Access-Control-Allow-Origin") == ORIGIN
    judged("POST", actions_path("site", "hello"), headers=[("Content-Type", "text/plain")], body="{}", status=415)


def test_a_change_under_a_key(judged, site):
    def create(key, item):
        return act(judged, "create_order", {"parameters": {"item": item}}, site.token(), headers=[("Idempotency-Key", key)])
    assert create("k", "rope").header("Idempotent-Replayed") is None
    assert create("k", "rope").header("Idempotent-Replayed") == "true"
    assert create("k", "tent").code == "conflict"
    assert create("a b", "rope").code == "request_malformed"


def test_past_the_budget_an_anonymous_action_is_told_429(judged, site, module_data):
    with Worker(module_data, "--audit-budget", "1") as w, Lighttpd(w) as server:
        answers = [act(judged, "hello", {}, http=server.client()) for _ in range(40)]
    assert {a.status for a in answers} == {200, 429}


def test_preflights(judged, site, opened):
    for template, path in HTTP_PATHS.items():
        http = opened if template == METRICS else None
        judged("OPTIONS", path, http=http, status=204)
        judged("OPTIONS", path, http=http, status=413, body=" " * 65537)
        answer = judged("OPTIONS", path, http=http, status=204, headers=[("Origin", ORIGIN), ("Access-Control-Request-Method", "POST")])
        assert (answer.header("Access-Control-Allow-Methods") is not None) == path.startswith("/v1/sites/")
        if path.startswith("/v1/sites/"):
            judged("OPTIONS", path.replace("/site/", "/nobody/"), status=404)
    judged("OPTIONS", METRICS, status=404)


def test_other_methods(judged, site, opened):
    for template, path in HTTP_PATHS.items():
        for method in ("PUT", "DELETE", "GET" if template == ACTION else "POST"):
            judged(method, path, http=opened if template == METRICS else None, status=405)


def test_what_those_who_run_it_ask(judged, opened):
    for method in ("GET", "HEAD"):
        judged(method, HEALTH, status=200)
        judged(method, METRICS, status=404)
        judged(method, METRICS, http=opened, status=200)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_body_too_large_where_none_is_wanted(document, unlimited, site, method):
    """Straight to the worker: lighttpd lets no body through with these methods, other servers do."""
    for template, path in HTTP_PATHS.items():
        if template != ACTION:
            answer = ask(unlimited, method, path, " " * 65537, POSTERN_METRICS="1")
            assert document.judge(method, path, answer).status == 413


def test_a_site_that_cannot_be_read(judged, site, module_data):
    module_data.add_site("damaged", "--origin", ORIGIN)
    assert damage_rows(module_data, "rings", b"damaged") == 1
    try:
        for template, path in HTTP_PATHS.items():
            for method in ("POST",) if template == ACTION else ("GET", "HEAD") if path.startswith("/v1/sites/") else ():
                judged(method, path.replace("/site/", "/damaged/"), status=503)
                judged("OPTIONS", path.replace("/site/", "/damaged/"), status=503)
    finally:
        damage_rows(module_data, "rings", b"damaged")


def test_a_ledger_that_cannot_be_written(judged, data):
    site = add_shop(data, "shop")
    with Worker(data, "--audit-budget", "0") as w, Lighttpd(w) as server:
        http = server.client()
        with HeldLedger(data):
            assert act(judged, "list_orders", {}, site.token(), site="shop", http=http).code == "audit_unavailable"
            for method in ("GET", "HEAD"):
                judged(method, HEALTH, http=http, status=503)


def test_every_status_and_code_it_has_was_seen(document):
    """Behind the others, which it counts on: nothing is documented that cannot happen."""
    if len(document.seen) < 20:
        pytest.skip("counts what the other tests of this file saw: run them all")
    assert document.documented() - document.seen == OVERLOADED
    assert {code for _, _, code in document.documented_codes() - document.codes} == {"overloaded"}


@pytest.mark.slow
@pytest.mark.limit(300)
def test_a_public_validator_accepts_it(tmp_path):
    npm, node = tool("npm"), tool("node")
    env = {**os.environ, "npm_config_cache": str(tmp_path / "cache"), "npm_config_update_notifier": "false"}
    subprocess.run([npm, "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", tmp_path, VALIDATOR], env=env,
                   cwd=tmp_path, check=True, timeout=250, stdin=subprocess.DEVNULL)
    program = 'require("@apidevtools/swagger-parser").validate(process.argv[1]).then(d => console.log("valid", d.openapi), ' \
              "e => { console.error(String(e)); process.exit(1); })"

    def validate(path):
        return subprocess.run([node, "-e", program, str(path)], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    done = validate(PATH)
    assert done.returncode == 0 and done.stdout == "valid 3.1.0\n", done
    broken = shutil.copy(PATH, tmp_path / "broken.yaml")
    with open(broken, "a", encoding="utf-8") as f:
        f.write("pathz: {}\n")
    assert validate(broken).returncode == 1, "a validator that can say no"
