"""Every refusal's exact shape: status, code, headers and body (design: HTTP), whatever endpoint it comes from."""
import functools

import pytest

from lib.client import ULID
from lib.codes import CODES, PUBLIC, TOKEN_FAULTS
from lib.datadir import DataDir
from lib.fastcgi import ask
from lib.ledger import HeldLedger
from lib.lighttpd import Lighttpd
from lib.shop import JORDAN, add_shop, raw_token
from lib.vault import damage_rows
from lib.worker import Worker

SIGN_IN = "https://shop.example.com/sign-in?from=chat&x=\"y\""
TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict",
          413: "Content Too Large", 415: "Unsupported Media Type", 429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}
ELSEWHERE = {"upstream_failed": "needs the http connector", "upstream_timeout": "needs the http connector",
             "overloaded": "test_protocol.py: past 1024 requests in flight"}


@pytest.fixture(scope="module")
def site(module_data):
    """A shop with a sign-in URL and origins."""
    return add_shop(module_data, "site", "--sign-in-url", SIGN_IN.replace('"', ""), "--origin", "https://shop.example.com")


@pytest.fixture(scope="module")
def free(module_data):
    return add_shop(module_data, "free", "--plan", "free")


def check_problem(answer, code, realm=None, errors=False, sign_in_url=None, allow=None):
    """The whole problem document and its headers, and nothing more."""
    expected = CODES[code]
    assert answer.status == expected.status, str(answer)
    body = answer.json
    assert answer.header("Content-Type") == "application/problem+json"
    if errors:
        problems = body.pop("errors")
        assert problems and all(set(p) == {"pointer", "detail"} and p["detail"] for p in problems)
        assert all(p["pointer"] == "" or p["pointer"].startswith("/") for p in problems)
    if sign_in_url:
        assert body.pop("sign_in_url") == sign_in_url
    assert body == {"type": "about:blank", "title": TITLES[expected.status], "status": expected.status, "detail": expected.sentence,
                    "code": code}
    assert answer.header("Cache-Control") == "no-store" and ULID.fullmatch(answer.request_id)
    challenge = {"sign_in_required": f'Bearer realm="{realm}"', "token_expired": f'Bearer realm="{realm}", error="invalid_token"',
                 "token_invalid": f'Bearer realm="{realm}", error="invalid_token"'}.get(code)
    assert answer.header("WWW-Authenticate") == challenge
    assert answer.header("Allow") == allow
    retry = answer.header("Retry-After")
    assert (retry is not None and retry.isdigit() and int(retry) > 0) if expected.status in (429, 503) else retry is None


# ---- each code: how one comes by it, and what else the answer has ----

def request_malformed(web, site, **_):
    return web.act("shop", "hello", body="{"), {"errors": True}


def parameters_invalid(web, site, **_):
    return web.act("shop", "get_order", {"id": 5}, site.data.sites["shop"].token()), {"errors": True}


def sign_in_required(web, site, **_):
    return web.act("site", "list_orders"), {"realm": "site", "sign_in_url": SIGN_IN.replace('"', "")}


def token_expired(web, site, **_):
    return web.act("site", "hello", token=site.token(ttl=-1)), {"realm": "site", "sign_in_url": SIGN_IN.replace('"', "")}


def token_invalid(web, site, **_):
    return web.act("site", "hello", token="no"), {"realm": "site"}


def plan_required(web, site, free, **_):
    return web.act("free", "list_orders", token=free.token()), {}


def conversation_conflict(web, site, **_):
    assert web.act("site", "hello", token=site.token(), conversation="theirs").status == 200
    return web.act("site", "hello", token=site.token(email=JORDAN), conversation="theirs"), {}


def origin_denied(web, site, **_):
    return web.act("site", "hello", headers=[("Origin", "https://evil.example")]), {}


def identity_incomplete(web, site, **_):
    return web.act("site", "by_user_id", token=site.token()), {}


def site_unknown(web, site, **_):
    return web.identity("nobody", site.token()), {}


def action_unknown(web, site, **_):
    return web.act("site", "no_such_action", token=site.token()), {}


def not_found(web, site, **_):
    return web.act("site", "get_order", {"id": "none"}, site.token()), {}


def method_not_allowed(web, site, **_):
    return web.request("DELETE", "/v1/sites/site/identity"), {"allow": "GET, HEAD, OPTIONS"}


def conflict(web, site, **_):
    return web.act("site", "delete_order", {"id": "a-2"}, site.token()), {}


def body_too_large(web, site, **_):
    return web.act("site", "hello", body=" " * 65537), {}


def media_type(web, site, **_):
    return web.request("POST", "/v1/sites/site/actions/hello", headers=[("Content-Type", "text/plain")], body="{}"), {}


def rate_limited(module_data, **_):
    with Worker(module_data, "--audit-budget", "1") as w, Lighttpd(w) as server:
        http = server.client()
        answers = [http.act("site", "hello") for _ in range(40)]
        assert answers[0].status == 200
        return next(a for a in answers if a.status != 200), {}


def site_not_set(module_data, **_):
    with Worker(module_data) as w, Lighttpd(w, POSTERN_ROLE="authorizer") as server:
        return server.client().get("/any/path"), {}


def audit_unavailable(web, site, **_):
    with HeldLedger(site.data):
        return web.act("site", "list_orders", token=site.token()), {}


def vault_unavailable(web, site, **_):
    assert damage_rows(site.data, "rings", b"damaged") == 1
    try:
        return web.identity("damaged"), {}
    finally:
        damage_rows(site.data, "rings", b"damaged")


WAYS = {f.__name__: f for f in (
    request_malformed, parameters_invalid, sign_in_required, token_expired, token_invalid, plan_required, conversation_conflict,
    origin_denied, identity_incomplete, site_unknown, action_unknown, not_found, method_not_allowed, conflict, body_too_large,
    media_type, rate_limited, site_not_set, audit_unavailable, vault_unavailable)}


def test_every_public_code_has_a_way_here():
    assert set(WAYS) | set(ELSEWHERE) == PUBLIC and not set(WAYS) & set(ELSEWHERE)


@pytest.mark.parametrize("code", sorted(WAYS))
def test_the_problem_document_of(code, web, shop, site, free, module_data):
    if code == "vault_unavailable":
        module_data.add_site("damaged")
    answer, more = WAYS[code](web=web, site=site, free=free, module_data=module_data)
    check_problem(answer, code, **more)


# ---- the public answer for a bad token says no more than this ----

@functools.cache
def broken(site):
    now = {"email": "alex@example.com"}
    return {"token_malformed": "x", "token_algorithm": raw_token(site, now, {"alg": "none"}),
            "token_critical": raw_token(site, now, {"crit": []}), "signature_mismatch": site.token()[:-4] + "AAAA",
            "claim_invalid": raw_token(site, {**now, "exp": "5"}), "token_not_yet_valid": site.token(nbf=9999999999),
            "lifetime_too_long": site.token(ttl=90000), "email_missing": site.token(email=None),
            "email_malformed": raw_token(site, {"email": "a@b@c.de"})}


def test_all_bad_tokens_are_answered_alike(web, site):
    """Byte for byte: nothing says which check failed. (All other codes of the table are replayed in test_corpus.py.)"""
    answers = [web.act("site", "hello", token=token) for token in broken(site).values()]
    assert len(answers) == 9 and set(broken(site)) <= set(TOKEN_FAULTS)
    for answer in answers:
        check_problem(answer, "token_invalid", realm="site")
    assert len({answer.body for answer in answers}) == 1


def test_an_expired_token_is_told_apart_only_where_its_signature_verifies(web, site):
    forged = site.token(secret="x" * 40, ttl=-1)
    assert web.identity("site", forged).code == "token_invalid"
    assert web.identity("site", site.token(ttl=-1)).code == "token_expired"


def test_expiry_is_decided_before_the_email(web, site):
    assert web.identity("site", raw_token(site, {"exp": 5})).code == "token_expired"


# ---- members and headers ----

@pytest.mark.parametrize("code, send", [
    ("sign_in_required", lambda web, shop: web.act("shop", "list_orders")),
    ("token_expired", lambda web, shop: web.act("shop", "list_orders", token=shop.token(ttl=-1)))])
def test_without_a_sign_in_url_there_is_no_such_member(web, shop, code, send):
    check_problem(send(web, shop), code, realm="shop")


@pytest.mark.parametrize("path, allow", [
    ("/v1/sites/shop/identity", "GET, HEAD, OPTIONS"), ("/v1/sites/shop/actions", "GET, HEAD, OPTIONS"),
    ("/v1/sites/shop/actions/hello", "POST, OPTIONS"), ("/v1/health", "GET, HEAD, OPTIONS")])
def test_allow_names_the_methods_of_the_route(web, shop, path, allow):
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"):
        answer = web.request(method, path, headers=[("Content-Type", "application/json")], body="{}" if method == "POST" else None)
        if method in allow:
            assert answer.status == 200 and answer.header("Allow") is None
        else:
            assert answer.status == 405 and answer.header("Allow") == allow
            if method != "HEAD":
                check_problem(answer, "method_not_allowed", allow=allow)


@pytest.mark.parametrize("method", ["get", "Post", "GETS", "BREW", ""])
def test_a_method_is_compared_exactly(unlimited, shop, method):
    answer = ask(unlimited, method, "/v1/sites/shop/identity")
    check_problem(answer, "method_not_allowed", allow="GET, HEAD, OPTIONS")


@pytest.mark.parametrize("path", [
    "/v1", "/v1/", "/v1/sites", "/v1/sites/", "/v1/sites/shop", "/v1/sites/shop/", "/v1/sites/shop/identity/", "/v1/sites//identity",
    "/v1/sites/shop//identity", "/v2/sites/shop/identity", "/v1/sites/shop/actions/", "/v1/sites/shop/actions/hello/", "/v1/Health",
    "/v1/sites/shop/actions/hello/x", "/v1/sites/shop/identity;x", "/v1/healthz", "/v1/metrics", "/V1/health", "/",
    "/v1/sites/shop/identity%00", "/v1/sites/shop%2Fidentity", "/v1/sites/shop/%69dentity"])
def test_any_other_route_is_not_found(unlimited, shop, path):
    """Straight to the worker: the path is decoded already, and never decoded twice."""
    check_problem(ask(unlimited, path=path, HTTP_AUTHORIZATION="Bearer bad"), "not_found")


@pytest.mark.parametrize("name", ["Shop", "shop ", "-shop", "1shop", "x" * 63, "x" * 64, "sh_op", "shöp", "shop%00", "nobody", "..", "shop."])
def test_any_other_site_is_unknown(unlimited, shop, name):
    check_problem(ask(unlimited, path=f"/v1/sites/{name}/identity", HTTP_AUTHORIZATION="Bearer bad"), "site_unknown")


@pytest.mark.parametrize("name", ["Hello", "hell", "helloo", "hello ", "..", "x" * 200, "hello%20", "%68ello"])
def test_any_other_action_is_unknown(unlimited, shop, name):
    answer = ask(unlimited, "POST", f"/v1/sites/shop/actions/{name}", body="{}")
    check_problem(answer, "action_unknown")


def test_a_removed_site_is_unknown(web, module_data):
    site = module_data.add_site("removed")
    token = site.token()
    assert web.identity("removed", token).status == 200
    module_data.run("site", "remove", "removed", "--yes")
    check_problem(web.identity("removed", token), "site_unknown")


def test_the_request_id_is_ours_and_never_the_clients(web, shop):
    mine = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    answers = [web.act("shop", "hello", headers=[("X-Request-Id", mine)]) for _ in range(50)]
    assert len({a.request_id for a in answers} | {mine}) == 51
    assert all(a.json["audit"] == a.request_id for a in answers)


def test_the_request_id_is_the_audit_id_and_the_records_id(web, shop, written):
    answer = web.act("shop", "list_orders", token=shop.token())
    assert answer.json["audit"] == answer.request_id == written.one(answer)["id"]
    answer = web.act("shop", "list_orders")
    assert answer.request_id == written.one(answer)["id"]


def test_a_problem_never_echoes_the_request(web, shop, site):
    canary = "canary-7f3a"
    answers = [web.identity(canary), web.act("shop", canary), web.act("shop", "hello", body=f'{{"{canary}":1}}'),
               web.act("shop", "hello", body=canary), web.get(f"/v1/{canary}"), web.identity("shop", canary),
               web.act("shop", "get_order", {"id": [canary]}, shop.token()),
               web.act("shop", "get_order", {"id": canary}, shop.token()),
               web.act("site", "hello", headers=[("Origin", f"https://{canary}.example")])]
    for answer in answers:
        assert answer.status >= 400
        body = answer.json
        pointers = [e.pop("pointer") for e in body.pop("errors", [])]      # a pointer names the sender's own member: RFC 9457
        assert canary not in str(body) and canary not in str(answer.headers), str(answer)
        assert all(len(p) < 600 for p in pointers)


def test_every_fault_of_the_parameters_is_pointed_at(web, shop):
    answer = web.act("shop", "create_order", {"item": 5, "note": "x" * 201, "b/a~r": 1}, shop.token())
    assert answer.code == "parameters_invalid"
    assert {e["pointer"] for e in answer.json["errors"]} == {"/parameters/item", "/parameters/note", "/parameters/b~1a~0r"}
    answer = web.act("shop", "create_order", {}, shop.token())
    assert [e["pointer"] for e in answer.json["errors"]] == ["/parameters/item"]


def test_a_small_body_makes_no_large_answer(web, shop):
    answer = web.act("shop", "hello", {f"{'n' * 60}{i}": i for i in range(800)})
    assert answer.code == "parameters_invalid" and 1 <= len(answer.json["errors"]) <= 16 and len(answer.body) < 16384
    answer = web.act("shop", "hello", {"n" * 60000: 1})
    assert answer.code == "parameters_invalid" and len(answer.body) < 16384


def test_a_site_whose_keys_cannot_be_read_is_never_one_without_keys():
    """Every endpoint of it answers 503, with and without a token, and the others go on."""
    with DataDir() as data:
        bad, good = add_shop(data, "bad"), add_shop(data, "good")
        damage_rows(data, "rings", b"bad")
        with Worker(data) as w, Lighttpd(w) as server:
            http = server.client()
            for token in (None, "x", bad.token()):
                for answer in (http.identity("bad", token), http.catalogue("bad", token), http.act("bad", "hello", token=token)):
                    check_problem(answer, "vault_unavailable")
            assert http.identity("good", good.token()).status == 200
            damage_rows(data, "rings", b"bad")
            assert http.identity("bad", bad.token()).status == 200
