"""Origins and CORS (design: HTTP): what a browser on another page may do, and that errors say it too."""
import pytest

from lib.fastcgi import ask
from lib.shop import Written, add_shop, rows

LISTED, OTHER_LISTED, EVIL = "https://shop.example.com", "http://localhost:3000", "https://evil.example.com"
ALLOW_HEADERS = "authorization, content-type, idempotency-key"


@pytest.fixture(scope="module")
def listing(module_data):
    return add_shop(module_data, "listing", "--origin", LISTED, "--origin", OTHER_LISTED)


def cors(answer):
    return {name.lower(): value for name, value in answer.headers if name.lower().startswith("access-control-")}


def from_origin(web, origin, method="GET", path="/v1/sites/listing/identity", token=None, **how):
    return web.request(method, path, token, headers=[("Origin", origin), *how.pop("headers", ())], **how)


@pytest.mark.parametrize("origin", [LISTED, OTHER_LISTED])
def test_a_listed_origin_is_allowed_by_name(web, listing, origin):
    answer = from_origin(web, origin)
    assert answer.status == 200 and cors(answer)["access-control-allow-origin"] == origin
    assert answer.header("Vary") == "Origin"


def test_a_preflight_is_204_with_all_the_browser_needs(web, listing):
    answer = from_origin(web, LISTED, "OPTIONS", "/v1/sites/listing/actions/hello",
                         headers=[("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "x-anything")])
    assert answer.status == 204 and answer.body == b""
    allowed = cors(answer)
    assert allowed.pop("access-control-allow-methods").split(", ") == ["POST", "OPTIONS"]
    assert allowed == {"access-control-allow-origin": LISTED, "access-control-allow-headers": ALLOW_HEADERS,
                       "access-control-max-age": "600"}
    assert answer.header("Vary") == "Origin" and answer.header("Cache-Control") == "no-store"


def test_a_preflight_looks_at_no_token_and_writes_nothing(web, listing):
    written = Written(web, listing)
    for token in (None, "bad", listing.token(), listing.token(ttl=-1)):
        for path in ("identity", "actions", "actions/hello", "actions/no_such_action"):
            answer = from_origin(web, LISTED, "OPTIONS", f"/v1/sites/listing/{path}", token)
            assert answer.status == 204, str(answer)
    assert written.take() == []


def test_options_without_an_origin_is_204_too(web, listing, shop):
    for site in ("listing", "shop"):
        answer = web.request("OPTIONS", f"/v1/sites/{site}/actions/hello")
        assert answer.status == 204 and cors(answer) == {} and answer.header("Allow") == "POST, OPTIONS"


def test_a_preflight_from_elsewhere_is_told_nothing(web, listing):
    answer = from_origin(web, EVIL, "OPTIONS", "/v1/sites/listing/actions/hello")
    assert cors(answer) == {} and answer.header("Vary") == "Origin"


@pytest.mark.parametrize("status, send", [
    (401, lambda web, s: from_origin(web, LISTED, token="bad")),
    (401, lambda web, s: web.act("listing", "list_orders", headers=[("Origin", LISTED)])),
    (404, lambda web, s: web.act("listing", "no_such_action", headers=[("Origin", LISTED)])),
    (400, lambda web, s: web.act("listing", "hello", body="{", headers=[("Origin", LISTED)])),
    (405, lambda web, s: from_origin(web, LISTED, "DELETE")),
    (413, lambda web, s: web.act("listing", "hello", body=" " * 65537, headers=[("Origin", LISTED)])),
    (415, lambda web, s: from_origin(web, LISTED, "POST", "/v1/sites/listing/actions/hello", body="{}",
                                     headers=[("Content-Type", "text/plain")])),
    (404, lambda web, s: web.act("listing", "get_order", {"id": "none"}, s.token(), headers=[("Origin", LISTED)]))])
def test_errors_can_be_read_by_a_listed_origin_too(web, listing, status, send):
    answer = send(web, listing)
    assert answer.status == status
    assert cors(answer) == {"access-control-allow-origin": LISTED} and answer.header("Vary") == "Origin"


@pytest.mark.parametrize("origin", [
    EVIL, "null", "", "https://shop.example.com.evil.com", "https://shop.example.com:444", "http://shop.example.com", "https://shop.example.com/",
    "HTTPS://SHOP.EXAMPLE.COM", "https://sub.shop.example.com", "https://shop.example.co", "https://localhost:3000", "http://localhost",
    "https://shop.example.com https://evil.example.com", "*", "https://x@shop.example.com"])
def test_any_other_origin_is_denied(unlimited, listing, origin):
    """Straight to the worker, so that the server changes nothing of it."""
    for method, path, body in (("GET", "identity", b""), ("GET", "actions", b""), ("POST", "actions/hello", b"{}")):
        answer = ask(unlimited, method, f"/v1/sites/listing/{path}", body, HTTP_ORIGIN=origin, HTTP_HOST="chat.example.com")
        assert (answer.status, answer.code) == (403, "origin_denied")
        assert cors(answer) == {}


def test_a_denied_origin_changes_nothing_and_is_recorded_for_an_action(web, listing):
    before, written = rows(listing), Written(web, listing)
    answer = web.act("listing", "delete_order", {"id": "a-1"}, listing.token(), headers=[("Origin", EVIL)])
    assert answer.code == "origin_denied" and rows(listing) == before
    written.one(answer, outcome="refused", reason="origin_denied", action="delete_order", status=403)
    written.none(from_origin(web, EVIL))


def test_a_bad_token_wins_over_a_denied_origin(web, listing):
    assert from_origin(web, EVIL, token="bad").code == "token_invalid"


@pytest.mark.parametrize("origin, host", [
    ("https://chat.example.com", "chat.example.com"), ("http://chat.example.com", "chat.example.com"),
    ("https://chat.example.com:8443", "chat.example.com:8443"), ("https://chat.example.com", "CHAT.example.com"),
    ("https://chat.example.com", "chat.example.com:443"), ("http://chat.example.com", "chat.example.com:80")])
def test_the_requests_own_host_is_no_stranger(unlimited, listing, origin, host):
    answer = ask(unlimited, path="/v1/sites/listing/identity", HTTP_ORIGIN=origin, HTTP_HOST=host)
    assert answer.status == 200 and cors(answer) == {}, "it needs no permission to be read"


@pytest.mark.parametrize("origin, host", [
    ("https://chat.example.com", "chat.example.com:8443"), ("https://chat.example.com:8443", "chat.example.com"),
    ("https://chat.example.com", "at.example.com"), ("https://at.example.com", "chat.example.com"), ("null", "null"), ("https://", ""),
    ("chat.example.com", "chat.example.com"), ("ftp://chat.example.com", "chat.example.com"), ("https://chat.example.com", None)])
def test_what_only_looks_like_the_own_host_is_denied(unlimited, listing, origin, host):
    answer = ask(unlimited, path="/v1/sites/listing/identity", HTTP_ORIGIN=origin, HTTP_HOST=host)
    assert answer.code == "origin_denied"


def test_without_a_list_nothing_is_denied_and_nothing_said(web, shop):
    for method, path in (("GET", "identity"), ("OPTIONS", "identity"), ("OPTIONS", "actions/hello")):
        answer = from_origin(web, EVIL, method, f"/v1/sites/shop/{path}")
        assert answer.status in (200, 204) and cors(answer) == {} and answer.header("Vary") is None


def test_without_an_origin_nothing_is_denied(web, listing):
    answer = web.act("listing", "list_orders", token=listing.token())
    assert answer.status == 200 and cors(answer) == {}


def test_routes_without_a_site_have_no_cors(web, listing):
    answer = from_origin(web, LISTED, path="/v1/health")
    assert answer.status == 200 and cors(answer) == {}


def test_forwarded_headers_are_not_believed(web, listing):
    """Of the client's headers only a few are read; none of these makes a stranger the own host."""
    answer = from_origin(web, EVIL, headers=[("X-Forwarded-Host", "evil.example.com"), ("Forwarded", "host=evil.example.com"),
                                             ("X-Original-Host", "evil.example.com"), ("X-Http-Method-Override", "OPTIONS")])
    assert answer.code == "origin_denied"
