"""What web servers do to requests before Postern sees them, through each shipped configuration.

Each of these has made somebody anonymous, or somebody else, behind some server."""
import json
import os
import re
import signal
import socket

import pytest

from lib.programs import SANITIZED, wait_until
from lib.shipped import SHIPPED, Served
from lib.shop import add_shop, rows
from lib.tokens import bearer
from lib.webserver import ACCOUNT, PREFIX
from lib.worker import Worker

pytestmark = pytest.mark.skipif(SANITIZED, reason="the servers are the same in every tree")

IDENTITY = "/v1/sites/shop/identity"
CONTACT = "/v1/sites/shop/actions/contact"
JSON = ("Content-Type", "application/json")
OURS, THEIRS = 65536, 262144            # above the first Postern says 413, above the second the server
ORIGIN = "https://shop.acme.example"
by_name = {"ids": lambda s: s.name}


def prepare(data):
    add_shop(data, "shop")
    data.add_site("other")
    data.add_site("listed", "--origin", ORIGIN)


@pytest.fixture(scope="module", params=SHIPPED, **by_name)
def served(request):
    with Served(request.param, prepare=prepare) as s:
        yield s


@pytest.fixture
def token(served):
    return served.data.sites["shop"].token(email="alex@example.com")


def body_of(size):
    """A good body of this many bytes."""
    text = json.dumps({"parameters": {"text": "x"}})
    return text + " " * (size - len(text))


def say(served, text):
    """These bytes on a connection of its own, and what comes back until the server closes."""
    return served.http.raw(text.encode())


def status_of(raw):
    return int(raw.split(b" ")[1])


# ---- the token ----

def test_a_token_arrives(served, token):
    answer = served.http.identity("shop", token)
    assert answer.json["identity"] == {**answer.json["identity"], "status": "verified", "email": "alex@example.com"}


def test_no_token_is_anonymous(served):
    assert served.http.identity("shop").json["identity"] == {"status": "anonymous", "reason": "no_token"}


@pytest.mark.parametrize("first, second", [("Bearer {t}", "Bearer {t}"), ("Bearer {t}", "Bearer x"), ("Basic YTpi", "Bearer {t}"),
                                           ("Bearer {t}", "Basic YTpi"), ("Basic YTpi", "Basic Yzpk"), ("Bearer {t}", "")])
def test_two_authorization_headers_are_refused(served, token, first, second):
    headers = [("Authorization", value.replace("{t}", token)) for value in (first, second)]
    answer = served.http.send("GET", IDENTITY, headers)
    if second == "" and served.server.program == "lighttpd":
        # It drops the blank one: the other stands, for what it is.
        assert answer.check().json["identity"]["status"] == "verified"
    elif served.shipped.joins:
        assert answer.check().code == "token_invalid"
    else:
        assert answer.status == 400 and b"identity" not in answer.body


@pytest.mark.parametrize("value",
                         ["Bearer {t}, Bearer {t}", "Bearer {t},", "Basic YTpi, Bearer {t}", "Bearer {t} {t}", "{t}", "Bearer", "Bearer x"])
def test_one_header_with_more_or_less_than_a_token_is_blocked(served, token, value):
    answer = served.http.send("GET", IDENTITY, [("Authorization", value.replace("{t}", token))])
    assert answer.check().code == "token_invalid"


@pytest.mark.parametrize("value", ["", "   "])
def test_a_blank_header_is_blocked_or_as_if_it_were_not_there(served, value):
    answer = served.http.send("GET", IDENTITY, [("Authorization", value)]).check()
    if served.server.program == "lighttpd":
        assert answer.json["identity"] == {"status": "anonymous", "reason": "no_token"}
    else:
        assert answer.code == "token_invalid"


@pytest.mark.parametrize("size", [8000, 8192, 8193, 20000, 70000])
def test_a_header_too_long_is_refused_by_somebody(served, size):
    answer = served.http.send("GET", IDENTITY, [("Authorization", "Bearer " + "a" * (size - 7))])
    if size == 8000:
        assert answer.check().code == "token_invalid"
    assert answer.status in (400, 401, 431) and b"identity" not in answer.body


@pytest.mark.parametrize("name",
                         ["X_Foo", "Authorization_", "_Authorization", "HTTP_AUTHORIZATION", "Http-Authorization", "X-Authorization",
                          "Redirect-Http-Authorization", "Proxy-Authorization"])
def test_a_header_that_is_only_like_authorization_is_none(served, token, name):
    assert served.http.send("GET", IDENTITY, [(name, f"Bearer {token}")]).check().json["identity"]["status"] == "anonymous"
    answer = served.http.send("GET", IDENTITY, [(name, "Bearer x"), bearer(token)]).check()
    assert answer.json["identity"]["email"] == "alex@example.com"


@pytest.mark.parametrize("name, value",
                         [("Postern_Site", "other"), ("POSTERN_SITE", "other"), ("Postern-Site", "other"), ("Postern-Role", "authorizer"),
                          ("POSTERN_ROLE", "authorizer"), ("HTTP_POSTERN_SITE", "other"),
                          ("Path-Info", "/v1/sites/other/identity"),
                          ("PATH_INFO", "/v1/sites/other/identity"), ("Remote_User", "alex"), ("Postern-Metrics", "1"),
                          ("POSTERN_METRICS", "1")])
def test_a_header_is_never_a_parameter_of_the_server(served, token, name, value):
    answer = served.http.send("GET", IDENTITY, [(name, value), bearer(token)]).check()
    assert answer.status == 200 and answer.json["identity"]["email"] == "alex@example.com"
    assert served.http.send("GET", "/v1/metrics", [(name, value)]).check().code == "not_found"


def test_a_folded_header_is_one_token_or_refused(served, token):
    got = say(served, f"GET {PREFIX}{IDENTITY} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer\r\n {token}\r\n\r\n")
    assert (status_of(got) == 200 and b'"verified"' in got) or (status_of(got) == 400 and b"identity" not in got)


# ---- bodies ----

@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_body_up_to_the_limit_arrives_whole(served, chunked):
    answer = served.http.send("POST", CONTACT, [JSON], body_of(OURS), chunked=chunked)
    assert answer.check().status == 200 and answer.json["result"]["data"]["text"] == "x", str(answer)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("size", [OURS + 1, THEIRS])
def test_a_larger_body_gets_posterns_own_413(served, size, chunked):
    assert served.http.send("POST", CONTACT, [JSON], body_of(size), chunked=chunked).check().code == "body_too_large"


@pytest.mark.parametrize("size", [THEIRS + 1, 2000000])
def test_a_far_larger_body_gets_the_servers_413(served, size):
    answer = served.http.send("POST", CONTACT, [JSON], body_of(size))
    assert answer.status == 413 and answer.code is None, str(answer)


def test_a_far_larger_chunked_body_never_runs(served):
    before = rows(served.data.sites["shop"], "contacts")
    answer = served.http.send("POST", CONTACT, [JSON], body_of(2000000), chunked=True)
    assert answer.status == (500 if served.shipped.name == "apache-fcgid" else 413), str(answer)
    assert rows(served.data.sites["shop"], "contacts") == before


@pytest.mark.parametrize("sent, length",
                         [("", 40), ('{"parameters":{', 40), ("", OURS), ("", OURS + 1), ('{"parameters":{', OURS), ("", THEIRS + 1)])
def test_a_body_cut_short_never_runs(served, token, sent, length):
    """The action has no parameter it needs, so an empty body in place of the promised one would run."""
    before = len(served.data.audit())
    with socket.create_connection(("127.0.0.1", served.server.port), timeout=20) as s:
        s.sendall((f"POST {PREFIX}/v1/sites/shop/actions/hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                   f"Authorization: Bearer {token}\r\n"
                   f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{sent}").encode())
        s.shutdown(socket.SHUT_WR)
        got = b""
        while piece := s.recv(65536):
            got += piece
    served.http.identity("shop", "fence")
    records = served.data.audit()[before:]
    assert b'"result"' not in got and not [r for r in records if r["outcome"] == "done"], (got, records)


def test_expect_100_continue(served):
    with socket.create_connection(("127.0.0.1", served.server.port), timeout=20) as s:
        body = body_of(1000)
        s.sendall((f"POST {PREFIX}{CONTACT} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
                   f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n").encode())
        got = s.recv(65536)
        assert got.startswith(b"HTTP/1.1 100 "), got
        s.sendall(body.encode())
        while piece := s.recv(65536):
            got += piece
    assert b"HTTP/1.1 200 " in got and b'"text":"x"' in got


@pytest.mark.parametrize("lengths",
                         ["Content-Length: 4\r\nContent-Length: 5", "Content-Length: 4, 4", "Content-Length: -1", "Content-Length: 4x",
                                     "Content-Length: 99999999999999999999999", "Transfer-Encoding: chunked, identity"])
def test_a_body_whose_length_is_unclear_is_refused(served, lengths):
    got = say(served,
              f"POST {PREFIX}{CONTACT} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
              f"{lengths}\r\n\r\n{{}}  ")
    assert status_of(got) in (400, 413, 501), got


# ---- methods and headers ----

def ours(answer):
    """The headers that are Postern's, without what differs from answer to answer."""
    names = {"date", "server", "connection", "x-request-id", "content-length", "transfer-encoding", "keep-alive", "accept-ranges"}
    return sorted((name.lower(), value) for name, value in answer.headers if name.lower() not in names)


@pytest.mark.parametrize("path, with_token",
                         [(IDENTITY, False), (IDENTITY, True), ("/v1/sites/shop/actions", False), ("/v1/sites/nope/identity", False),
                                              ("/v1/health", False), ("/v1/nowhere", False)])
def test_head_is_get_without_the_body(served, token, path, with_token):
    headers = [bearer(token)] if with_token else []
    get, head = (served.http.send(method, path, headers).check() for method in ("GET", "HEAD"))
    assert head.status == get.status and head.body == b"" and get.body and ours(head) == ours(get)


def test_head_with_a_bad_token_is_refused_as_get_is(served):
    get, head = (served.http.send(method, IDENTITY, [("Authorization", "Bearer x")]) for method in ("GET", "HEAD"))
    assert head.status == get.status == 401 and head.body == b"" and ours(head) == ours(get)
    assert get.header("WWW-Authenticate") == 'Bearer realm="shop", error="invalid_token"'


def test_a_preflight_is_answered_by_postern(served):
    answer = served.http.send("OPTIONS", "/v1/sites/listed/actions/hello",
                              [("Origin", ORIGIN), ("Access-Control-Request-Method", "POST"),
                               ("Access-Control-Request-Headers", "authorization")])
    assert answer.check().status == 204 and answer.body == b""
    assert answer.header("Access-Control-Allow-Origin") == ORIGIN and "authorization" in answer.header("Access-Control-Allow-Headers")
    assert served.http.send("OPTIONS", "/v1/sites/listed/identity",
                            [("Origin", "https://evil.example")]).check().header("Access-Control-Allow-Origin") is None


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "PROPFIND"])
def test_other_methods_are_refused(served, method):
    answer = served.http.send(method, IDENTITY, [])
    assert answer.status == 405 and answer.check().code == "method_not_allowed", str(answer)


def test_the_host_that_the_client_named_is_its_own_origin(served):
    """What the server says HTTP_HOST is must have the port that the browser's Origin has."""
    host = f"127.0.0.1:{served.server.port}"
    for origin, code in ((f"http://{host}", "action_unknown"), ("http://127.0.0.1:1", "action_unknown")):
        assert served.http.send("POST", "/v1/sites/listed/actions/nope", [("Origin", origin), JSON], "{}").check().code == code
    answer = served.http.send("GET", "/v1/sites/listed/identity", [("Origin", f"http://{host}")])
    assert answer.check().status == 200


@pytest.mark.parametrize("method, path",
                         [("GET", IDENTITY), ("GET", "/v1/sites/nope/identity"), ("POST", "/v1/sites/shop/actions/list_orders"),
                                          ("POST", "/v1/sites/shop/actions/nope"), ("GET", "/v1/nowhere")])
def test_posterns_errors_reach_the_client_unreplaced(served, method, path):
    """check() wants every refusal's own body, its Cache-Control and X-Request-Id."""
    headers = [("Authorization", "Bearer x")] if path == IDENTITY else [JSON]
    answer = served.http.send(method, path, headers, "{}" if method == "POST" else None)
    assert answer.check().status in (401, 404) and answer.code


# ---- paths ----

@pytest.mark.parametrize("path",
                         ["/v1/sites/shop/x/../identity", "/v1/sites/shop/%2e%2e/shop/identity", "/v1//sites/shop/identity",
                          "/v1/sites/sh%6fp/identity",
                          "/v1/sites/shop/identity?a=/v1/health", "/v1/../v1/sites/shop/identity",
                          "/../postern/v1/sites/shop/identity"])
def test_another_spelling_of_a_path_is_the_same_path(served, token, path):
    answer = served.http.send("GET", path, [bearer(token)]).check()
    assert answer.json["identity"]["email"] == "alex@example.com"
    assert served.http.send("GET", path, [("Authorization", "Bearer x")]).check().code == "token_invalid"


@pytest.mark.parametrize("path",
                         ["/v1/sites/shop/%2569dentity", "/v1/sites/shop/identity/", "/v1/sites/shop/identity%00",
                          "/v1/sites/shop/identity%0a",
                          "/v1/sites/shop/identity;x", "/v1/sites/shop/identity%3f", "/v1/sites/shop/identity%20",
                          "/v1/x/v1/health", "/v1/",
                          "/V1/health", "", "/", "/v1/sites/shop%252fidentity", "/v1/sites/shop/identity%c3%28",
                          "/v1/health.php", "/v2/health"])
def test_a_path_is_decoded_once_and_never_guessed(served, token, path):
    answer = served.http.send("GET", path, [bearer(token)])
    assert answer.status in (400, 403, 404) and b'"identity"' not in answer.body, str(answer)


@pytest.mark.parametrize("path", ["/v1/sites/shop%2Fidentity", "/v1%2Fsites/shop/identity"])
def test_an_encoded_slash_is_a_slash_or_refused(served, token, path):
    """Apache refuses it, the others decode it; the answer is the same either way as far as there is one."""
    answer = served.http.send("GET", path, [bearer(token)])
    if served.server.program == "apache2":
        assert answer.status == 404 and answer.code is None
    else:
        assert answer.check().json["identity"]["email"] == "alex@example.com"
        assert served.http.send("GET", path, [("Authorization", "Bearer x")]).check().code == "token_invalid"


# ---- who it is from ----

@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.8.7"])
def test_the_records_network_is_the_real_clients(served, address):
    with socket.create_connection(("127.0.0.1", served.server.port), timeout=20, source_address=(address, 0)) as s:
        s.sendall(f"GET {PREFIX}{IDENTITY} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer x\r\n"
                  "X-Forwarded-For: 203.0.113.9\r\n"
                  "X-Real-IP: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\nRemote_Addr: 203.0.113.9\r\n\r\n".encode())
        got = b""
        while piece := s.recv(65536):
            got += piece
    request_id = re.search(rb"X-Request-Id: (\w+)", got).group(1).decode()
    assert [r["remote"] for r in served.data.audit(id=request_id)] == [".".join([*address.split(".")[:3], "0/24"])]


# ---- when there is no worker ----

@pytest.mark.parametrize("shipped", [s for s in SHIPPED if not s.spawns], **by_name)
def test_without_a_worker_there_is_no_answer_and_with_the_next_there_is_one(shipped):
    with Served(shipped, prepare=prepare) as served:
        token = served.data.sites["shop"].token()
        served.http.identity("shop", token)
        path = served.worker.socket
        served.worker.stop()
        for headers in ([], [bearer(token)], [("Authorization", "Bearer x")]):
            for method, body in (("GET", None), ("POST", "{}")):
                answer = served.http.send(method, IDENTITY if body is None else CONTACT, headers, body)
                assert answer.status in (502, 503) and b"identity" not in answer.body and answer.request_id is None, str(answer)
        with Worker(served.data, peer=None, account=ACCOUNT, socket=path):
            if served.server.program == "lighttpd":         # it looks once a second whether a backend is there again
                wait_until(lambda: served.http.send("GET", IDENTITY, [bearer(token)]).status == 200, "lighttpd to look")
            answers = [served.http.identity("shop", token) for _ in range(5)]
            assert {a.json["identity"]["status"] for a in answers} == {"verified"}
            served.server.stop()


@pytest.mark.parametrize("shipped", [s for s in SHIPPED if s.spawns], **by_name)
def test_a_worker_that_crashed_is_started_again(shipped):
    with Served(shipped, prepare=prepare) as served:
        token = served.data.sites["shop"].token()
        served.http.identity("shop", token)
        workers = wait_until(lambda: served.data.ask("doctor", "--json").json["workers"], "its row")
        for worker in workers:
            os.kill(worker["pid"], signal.SIGKILL)

        def back():
            answer = served.http.send("GET", IDENTITY, [bearer(token)])
            assert answer.status in (200, 500, 502, 503), str(answer)
            return answer.status == 200 and answer
        assert wait_until(back, "another worker").check().json["identity"]["status"] == "verified"
