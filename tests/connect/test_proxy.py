"""The proxy socket of postern-connectd: it is no confused deputy. Whoever has the worker's rights can call what is on a connection's
list and nothing else, and no header of theirs but those with the prefix reaches the upstream."""
import os
import subprocess
import sys

import pytest

from lib.connectd import ERROR, Connectd, refusal
from lib.standin import Reply, Standin

pytestmark = pytest.mark.tree("plain")
KEY = "upstream-key-0123456789abcdef"
ALLOW = ["GET /customers/{}/orders", "GET /orders/{}", "HEAD /orders/{}", "POST /orders", "PUT /orders/{}", "PATCH /orders/{}", "DELETE /orders/{}"]
OK = Reply(200, [("Content-Type", "application/json")], b'{"ok":true}')


class Upstream(Standin):
    """Answers with .reply, which a test may change."""

    def __init__(self):
        self.reply = OK
        super().__init__(lambda asked: self.reply)


@pytest.fixture(scope="module")
def service():
    """connectd with `shop` (its key in a header), `other` (another site's), `query` (its key in the query) and `cgi` (in a header
    whose name is not of letters and hyphens)."""
    with Upstream() as up, Connectd() as c:
        c.upstream = up
        auth = {"type": "api_key", "in": "header", "name": "X-Api-Key", "prefix": ""}
        c.add("shop", up.url + "/api", ALLOW, auth=auth, secret={"api_key": KEY})
        c.add("other", up.url, ["GET /orders/{}"], sites=["other"])
        c.add("query", up.url, ["GET /orders/{}"], auth={**auth, "in": "query", "name": "key"}, secret={"api_key": KEY})
        c.add("cgi", up.url, ["GET /orders/{}"], auth={**auth, "name": "X_Api.Key"}, secret={"api_key": KEY})
        c.add("empty", up.url, [])
        yield c


@pytest.fixture
def connectd(service):
    service.upstream.reply = OK
    service.upstream.asked.clear()
    return service


def refused(connectd, answer, *codes):
    """connectd itself said so, with the status of the code, and the upstream heard nothing."""
    statuses = {"request_malformed": 400, "connection_denied": 403, "connection_unknown": 404}
    assert refusal(answer) in codes and answer.status == statuses[refusal(answer)], str(answer)
    assert not connectd.upstream.asked, f"the upstream was asked {connectd.upstream.asked}: {answer}"


@pytest.mark.parametrize("method, path, body", [
    ("GET", "customers/alex%40example.com/orders", None), ("GET", "orders/A-1", None), ("HEAD", "orders/A-1", None), ("POST", "orders", "{}"),
    ("PUT", "orders/A-1", "{}"), ("PATCH", "orders/A-1", "{}"), ("DELETE", "orders/A-1", None),
    ("GET", "orders/%C3%A9?a=%2F..%2f&b=c%26d&a=%00+", None), ("GET", "orders/a..b;c=1,d:e@f", None), ("GET", "orders/...a", None)])
def test_what_is_on_the_list_reaches_the_upstream_as_it_was_spelled(connectd, method, path, body):
    answer = connectd.call(method, path, body=body)
    assert answer.status == 200 and refusal(answer) is None, str(answer)
    (asked,) = connectd.upstream.asked
    assert (asked.method, asked.path, asked.body.decode()) == (method, f"/api/{path}", body or "")


@pytest.mark.parametrize("method, path", [
    ("GET", "orders"), ("GET", "customers/1"), ("GET", "customers/1/orders/2"), ("GET", "customers/1/invoices"), ("GET", "admin"),
    ("GET", "Orders/1"), ("GET", "orders/1/refund"), ("GET", "api/orders/1"), ("POST", "orders/1"), ("POST", "customers/1/orders"),
    ("DELETE", "orders"), ("DELETE", "customers/1/orders"), ("PUT", "orders")],
    ids=lambda value: value.replace("/", "-"))
def test_attack_another_path_or_method(connectd, method, path):
    refused(connectd, connectd.call(method, path, body="{}" if method in ("POST", "PUT") else None), "connection_denied")


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT", "get", "GETX", "PROPFIND", "PURGE"])
def test_attack_unusual_methods(connectd, method):
    answer = connectd.call(method, "orders/1")
    assert answer.status >= 400 and not connectd.upstream.asked, str(answer)


@pytest.mark.parametrize("path", [
    "customers/../orders", "orders/..", "orders/.", "orders/...", "orders/%2e%2e", "orders/.%2E", "orders/%2e", "customers/%2e%2e/orders",
    "orders/%2f", "orders/1%2frefund", "orders/1%2Frefund", "customers/1%2Forders", "orders/a%5cb", "orders/a\\b", "orders/%252e%252e",
    "orders/%25", "orders/a%00b", "orders/a%0d%0aX-Evil:%201", "orders/%7f", "orders/%ff", "orders/%c0%af", "orders/%ed%a0%80", "orders/%2",
    "orders/%zz", "orders/", "/orders/1", "customers//orders", "orders//1", "orders/1/", "", "orders/%u002e", "orders/%", "orders/%c2%85"])
def test_attack_path_tricks(connectd, path):
    refused(connectd, connectd.call("GET", path), "request_malformed", "connection_denied")


@pytest.mark.parametrize("target", ["/connections", "/connections/shop", "/", "/proxyorders/1", "/PROXY/orders/1", "//proxy/orders/1",
                                    "/proxy/../connections", "/%70roxy/orders/1", "*", "http://127.0.0.1:9/proxy/orders/1",
                                    "http://127.0.0.1:9/orders/1", "orders/1", "/proxy"])
def test_attack_other_targets(connectd, target):
    """Neither what the admin socket serves nor another form of a request's target."""
    headers = [("Connection-Id", "shop"), ("Provider-Config-Key", "shop"), ("Postern-Site", "acme")]
    answer = connectd.send(connectd.socket, "GET", target, headers)
    assert 400 <= answer.status < 500 and not connectd.upstream.asked and KEY.encode() not in answer.body, str(answer)


@pytest.mark.parametrize("headers, codes", [
    ({"Postern_Site": "other"}, ["connection_denied"]), ({"Postern_Site": "ACME"}, ["connection_denied", "request_malformed"]),
    ({"Postern_Site": None}, ["request_malformed"]), ({"Postern_Site": ""}, ["request_malformed", "connection_denied"]),
    ({"Postern_Site": "acme,other"}, ["request_malformed", "connection_denied"]),
    ({"Provider_Config_Key": "other"}, ["connection_denied"]), ({"Provider_Config_Key": None}, ["request_malformed"]),
    ({"Connection_Id": None}, ["request_malformed"]), ({"Connection_Id": "nobody"}, ["connection_unknown"]),
    ({"Connection_Id": "../connect.key"}, ["request_malformed", "connection_unknown"]),
    ({"Connection_Id": "other", "Provider_Config_Key": "other"}, ["connection_denied"]),
    ({"Connection_Id": "empty", "Provider_Config_Key": "empty"}, ["connection_denied"]),
    ({"Postern_Host": "127.0.0.1"}, ["connection_denied"]), ({"Postern_Host": "evil.example"}, ["connection_denied", "request_malformed"]),
    ({"Postern_Host": "127.0.0.1:1@evil.example"}, ["connection_denied", "request_malformed"]),
    ({"Retries": "3"}, ["request_malformed"]), ({"Postern_Timeout_Ms": "-1"}, ["request_malformed"]),
    ({"Postern_Answer_Max": "x"}, ["request_malformed"])], ids=str)
def test_attack_another_site_connection_provider_or_host(connectd, headers, codes):
    refused(connectd, connectd.call("GET", "orders/1", **headers), *codes)


def test_the_host_of_the_connection_may_be_named(connectd):
    assert connectd.call("GET", "orders/1", Postern_Host=connectd.upstream.url.split("//")[1]).status == 200


@pytest.mark.parametrize("attack", [
    b"GET /proxy/orders/1\r\nX-Evil: 1 HTTP/1.1\r\n", b"GET /proxy/orders/1 2 HTTP/1.1\r\n", b"GET /proxy/orders/1\tX HTTP/1.1\r\n",
    b"GET /proxy/orders/\xc3\xa9 HTTP/1.1\r\n", b"GET /proxy/orders/1\x00 HTTP/1.1\r\n", b"GET /proxy/orders/1#x HTTP/1.1\r\n",
    b"GET /proxy/orders/1 HTTP/1.1\r\nNango-Proxy-X-Good: 1\rX-Evil: 1\r\n", b"GET /proxy/orders/1 HTTP/1.1\r\nNango-Proxy-X-Good: a\x00b\r\n",
    b"GET /proxy/orders/1 HTTP/1.1\r\nNango-Proxy-X Evil: 1\r\n", b"GET /proxy/orders/1 HTTP/1.1\r\nNango-Proxy-: 1\r\n",
    b"GET /proxy/orders/1 HTTP/1.1\r\nNango-Proxy-X-Good: a\r\n b\r\n", b"GET /proxy/orders/1?a=\x01 HTTP/1.1\r\n",
    b"GET /proxy/orders/1?a=\r\nX-Evil: 1 HTTP/1.1\r\n"], ids=lambda attack: ascii(attack[4:60]))
def test_attack_broken_lines(connectd, attack):
    """CR, LF, NUL, a space or a bare byte in target and header: what leaves, if anything does, has none of it and no line of theirs."""
    connectd.raw(attack + b"Host: x\r\nConnection-Id: shop\r\nProvider-Config-Key: shop\r\nPostern-Site: acme\r\nConnection: close\r\n\r\n")
    for asked in connectd.upstream.asked:
        assert asked.path == "/api/orders/1" and asked.header("X-Evil") is None and asked.method == "GET", str(asked)
        assert (asked.header("X-Good") or "a").replace("  ", " ") in ("a", "a b"), str(asked)


# ---- headers ----

def test_only_headers_with_the_prefix_reach_the_upstream(connectd):
    answer = connectd.call("POST", "orders", body='{"a":1}', Authorization="Bearer of-the-visitor", Cookie="a=b", X_Other="1", Forwarded="for=x",
                           X_Api_Key="evil", Content_Type="text/plain", User_Agent="evil", Idempotency_Key="of-the-visitor",
                           Nango_Proxy_X_Good="good, better", Nango_Proxy_Content_Type="application/json", Nango_Proxy_Idempotency_Key="k-1")
    assert answer.status == 200, str(answer)
    (asked,) = connectd.upstream.asked
    sent = {name.lower(): value for name, value in asked.headers}
    assert len(sent) == len(asked.headers), f"a header came twice: {asked.headers}"
    assert sent.pop("x-api-key") == KEY and sent.pop("x-good") == "good, better" and sent.pop("idempotency-key") == "k-1"
    assert sent.pop("content-type") == "application/json" and sent.pop("host") == connectd.upstream.url.split("//")[1]
    assert set(sent) <= {"content-length", "accept", "user-agent", "accept-encoding"}, str(asked.headers)
    assert "of-the-visitor" not in str(asked.headers) and "evil" not in str(asked.headers)


@pytest.mark.parametrize("name", [
    "Authorization", "AUTHORIZATION", "Cookie", "Host", "Content-Length", "Transfer-Encoding", "Connection", "TE", "Upgrade", "Expect",
    "Accept-Encoding", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "X-Api-Key", "x-api-KEY",
    "X_Api_Key", "X.Api.Key", "X!Api~Key", "X-HTTP-Method-Override", "X.HTTP.Method.Override", "X-Original-URL", "X-Rewrite-URL", "Forwarded",
    "X-Forwarded-Host"])
def test_attack_the_credential_or_the_framing_overridden(connectd, name):
    refused(connectd, connectd.call("GET", "orders/1", **{f"Nango-Proxy-{name}": "100"}), "request_malformed")


def test_attack_the_credential_overridden_for_an_upstream_behind_cgi(connectd):
    refused(connectd, connectd.call("GET", "orders/1", "cgi", **{"Nango-Proxy-x-api-KEY": "evil"}), "request_malformed")
    assert connectd.call("GET", "orders/1", "cgi", **{"Nango-Proxy-X-Api-Keys": "no credential"}).status == 200


@pytest.mark.parametrize("query, kind, body", [
    ("?_method=DELETE", None, None), ("?a=1&%5Fmethod=DELETE", "application/json", "{}"),
    ("", "application/x-www-form-urlencoded", "room=a&_method=DELETE"), ("", None, "_method=DELETE"),
    ("", "text/plain", '{"a":"&_method=DELETE&"}'), ("", "application/json", '{"room":"a","_method":"DELETE"}'),
    ("?.method=DELETE", None, None), ("?_method%00x=DELETE", "application/json", "{}"), ("", "application/x-www-form-urlencoded", ".method=DELETE"),
    ("", "application/x-www-form-urlencoded; a=json", "_method=DELETE"), ("", "application/json", '{"_method":"GET","_method":"DELETE"}'),
    ("", "application/json", '{"_method":"DELETE","n":99999999999999999999}'), ("", "application/json", "\ufeff" + '{"_method":"DELETE"}'),
    ("", "application/json", '{"_method":"DELETE","a":' + "[" * 128 + "]" * 128 + "}"),
    ("", "application/vnd.api+json", '{"_method":"DELETE","a":1e999}'),
    ("", "multipart/form-data; boundary=b", '--b\r\nContent-Disposition: form-data; name="_method"\r\n\r\nDELETE\r\n--b--\r\n'),
    ("", "Multipart/Mixed; boundary=b", "--b\r\nContent-Disposition: form-data; name*=utf-8''%5fmethod\r\n\r\nDELETE\r\n--b--\r\n")])
def test_attack_another_method_in_a_parameter(connectd, query, kind, body):
    """POST is on the list, and Rails, Symfony and Laravel would make a DELETE of it."""
    headers = {"Nango_Proxy_Content_Type": kind} if kind else {}
    refused(connectd, connectd.call("POST", f"orders{query}", body=body, **headers), "request_malformed")


def test_what_only_looks_like_another_method_goes_on(connectd):
    kind = "application/json"
    assert connectd.call("POST", "orders", body='{"a":"&_method=x","payment_method":{"_method":1}}', Nango_Proxy_Content_Type=kind).status == 200
    assert connectd.call("POST", "orders?payment_method=card", body="the_method=1", Nango_Proxy_Content_Type="text/plain").status == 200
    assert connectd.call("POST", "orders", body="", Nango_Proxy_Content_Type=kind).status == 200
    assert connectd.call("GET", "orders/1?_method=DELETE").status == 200


def test_attack_two_types_of_one_body(connectd):
    headers = [("Connection-Id", "shop"), ("Provider-Config-Key", "shop"), ("Postern-Site", "acme"), ("Nango-Proxy-Content-Type", "text/plain"),
               ("Nango-Proxy-Content-Type", "application/json")]
    refused(connectd, connectd.send(connectd.socket, "POST", "/proxy/orders", headers, '{"_method":"GET","_method":"DELETE"}'), "request_malformed")


@pytest.mark.parametrize("query", ["key=evil", "a=1&key=evil", "KEY=evil", "%6bey=evil", "key", "a=1;key=evil"])
def test_attack_the_credential_in_the_query_overridden(connectd, query):
    """Refused, or the upstream reads the true key all the same: nothing that it may read as the key is theirs."""
    connectd.call("GET", f"orders/1?{query}", "query")
    for asked in connectd.upstream.asked:
        assert asked.path.count(f"key={KEY}") == 1, asked.path
        assert "key=evil" not in asked.path.replace(";", "&").split("?")[1].split("&") and "%6bey=evil" not in asked.path, asked.path


def test_the_credential_is_in_the_query_where_it_belongs_there(connectd):
    assert connectd.call("GET", "orders/1?a=1", "query").status == 200
    assert connectd.upstream.asked[0].path == f"/orders/1?a=1&key={KEY}"


@pytest.mark.parametrize("size, passes", [(65536, True), (65537, False), (1 << 20, False)])
def test_the_body_has_a_limit(connectd, size, passes):
    answer = connectd.call("POST", "orders", body="x" * size)
    if passes:
        assert answer.status == 200 and len(connectd.upstream.asked[0].body) == size
    else:
        assert 400 <= answer.status < 500 and not connectd.upstream.asked, str(answer)


# ---- answers ----

@pytest.mark.parametrize("status", [200, 201, 202, 204, 400, 401, 403, 404, 409, 410, 412, 422, 418])
def test_answers_come_back_verbatim(connectd, status):
    body = b"" if status == 204 else bytes(range(256)) * 3
    connectd.upstream.reply = Reply(status, [("Content-Type", "application/x-odd; a=b")], body)
    answer = connectd.call("GET", "orders/1")
    assert (answer.status, answer.body, refusal(answer)) == (status, body, None), str(answer)
    assert status == 204 or answer.header("Content-Type") == "application/x-odd; a=b"


def test_only_safe_headers_of_an_answer_come_back(connectd):
    unsafe = {"Set-Cookie": "a=b", "Server": "evil", "Link": "</x>", "WWW-Authenticate": "Basic", "Location": "/x", "X-Any": "1", ERROR: "none",
              "Postern-Connect-Other": "1", "Access-Control-Allow-Origin": "*", "X-Api-Key": KEY, "Content-Encoding": "identity"}
    safe = {"Content-Type": "text/plain", "Retry-After": "7", "ETag": '"e"', "Last-Modified": "Sat, 21 Nov 2026 10:00:00 GMT"}
    connectd.upstream.reply = Reply(404, [*unsafe.items(), *safe.items()], b"no")
    answer = connectd.call("GET", "orders/1")
    assert answer.status == 404 and {name: answer.header(name) for name in safe} == safe, str(answer)
    assert {name.lower() for name, _ in answer.headers} <= {*map(str.lower, safe), "date", "connection", "content-length"}, str(answer)


def test_an_unsigned_answer_cannot_pass_for_a_refusal_of_connectd(connectd):
    connectd.upstream.reply = Reply(403, [(ERROR, "connection_denied")], b'{"error":"connection_denied"}')
    assert connectd.call("GET", "orders/1").header(ERROR) is None


# ---- who may ask, and what is written down ----

def test_a_refusal_is_logged_by_connectd_itself(connectd):
    before = connectd.log()
    refused(connectd, connectd.call("GET", "orders/1/secret-place"), "connection_denied")
    line = connectd.log()[len(before):]
    assert "connection_denied" in line and "shop" in line and KEY not in line, line


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_attack_another_user_on_the_sockets(connectd):
    """Even where the file system lets them through, they are not served."""
    asking = ("import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.settimeout(10)\ns.connect(sys.argv[1])\n"
              "try:\n    s.sendall(b'GET /' + sys.argv[2].encode() + b' HTTP/1.1\\r\\nHost: x\\r\\nConnection-Id: shop\\r\\nProvider-Config-Key: shop\\r\\n"
              "Postern-Site: acme\\r\\nConnection: close\\r\\n\\r\\n')\n    print(s.recv(99999))\nexcept ConnectionError:\n    pass\n")
    for path, what in ((connectd.socket, "proxy/orders/1"), (connectd.admin_socket, "connections")):
        mode = os.stat(path).st_mode
        os.chmod(path, 0o777)
        try:
            done = subprocess.run([sys.executable, "-c", asking, str(path), what], capture_output=True, text=True, check=False, timeout=20, user="nobody",
                                  group="nogroup", extra_groups=[])
        finally:
            os.chmod(path, mode & 0o7777)
        assert done.returncode == 0 and "200" not in done.stdout and "shop" not in done.stdout, f"{done.stdout}{done.stderr}"
    assert not connectd.upstream.asked


def test_the_admin_socket_serves_no_proxy_and_gives_no_secret(connectd):
    answer = connectd.admin("GET", "/proxy/orders/1")
    assert answer.status >= 400 and not connectd.upstream.asked, str(answer)
    for path in ("/connections", "/connections/shop"):
        answer = connectd.admin("GET", path)
        assert answer.status == 200 and KEY.encode() not in answer.body and b"secret" not in answer.body, str(answer)
