"""The authorizer: may this visitor pass, and as whom? Asked in FastCGI's role of that name, and by POSTERN_ROLE."""
import itertools
import json
import os
import random
import select
import sys

import pytest

from lib import fastcgi
from lib.fastcgi import (ABORT_REQUEST, AUTHORIZER, BEGIN_REQUEST, DATA, FILTER, PARAMS, RESPONDER, STDIN, begin, environ, get_values,
                         params, record, stream, whole)
from lib.lighttpd import LighttpdWith
from lib.programs import wait_until
from lib.shop import ALEX, JORDAN, add_shop, raw_token
from lib.vault import damage_rows
from lib.worker import Worker

NAMES = ("DECISION", "EMAIL", "NAME", "USER_ID")
# How each form spells them.
SPELLING = {"role": {name: f"Variable-POSTERN_{name}" for name in NAMES},
            "parameter": {name: "X-Postern-" + name.title().replace("_", "-") for name in NAMES}}
FORMS = list(SPELLING)
both_forms = pytest.mark.parametrize("form", FORMS)
ALLOW = {"POSTERN_ANONYMOUS": "allow"}
VERIFIED = {"DECISION": "verified", "EMAIL": ALEX}


def pairs(form, *more, token=None, method="GET", path="/orders.php", **env):
    """What a server sends: a list of pairs, so that a name may come twice. POSTERN_SITE=None: without it."""
    role = {"POSTERN_ROLE": "authorizer"} if form == "parameter" else {}
    return [*environ(method, path, token, **{"script": "", "POSTERN_SITE": "shop", **role, **env}).items(), *more]


def request_of(form, items, keep=False, request_id=1, body=b"", end=b""):
    """The request; in the role there is no STDIN, unless `end` is one."""
    if form == "role":
        return begin(AUTHORIZER, keep, request_id) + params(items, request_id) + end
    return whole(items, body, keep, request_id)


def ask(worker, form, *more, body=b"", **how):
    with worker.connect() as c:
        c.send(request_of(form, pairs(form, *more, **how), body=body))
        reply = c.read_reply()
        assert not reply.others and reply.stderr == b"" and c.at_end()
        return reply.answer.check()


def identity(answer, form):
    """What the application is told, of a success; nothing else may be said."""
    assert answer.status == 200 and answer.body == b"", str(answer)
    known = {"Cache-Control", "X-Content-Type-Options", "X-Request-Id", "Content-Length", *SPELLING[form].values()}
    assert {name for name, _ in answer.headers} <= known, str(answer)
    said = {name: answer.header(header) for name, header in SPELLING[form].items()}
    return {name: value.encode("latin-1").decode() for name, value in said.items() if value is not None}


def passed(worker, form, *more, **how):
    return identity(ask(worker, form, *more, **how), form)


def assert_refused(answer, code):
    status = {"site_not_set": 500, "vault_unavailable": 503, "identity_incomplete": 403, "origin_denied": 403}.get(code, 401)
    assert (answer.status, answer.code) == (status, code), str(answer)
    assert not [name for name, _ in answer.headers if "postern" in name.lower()], str(answer)


def metric(worker, name):
    text = fastcgi.ask(worker, path="/v1/metrics", POSTERN_METRICS="1").body.decode()
    return int(next(line for line in text.splitlines() if line.startswith(name + " ")).split()[1])


def judged(worker):
    return metric(worker, 'postern_requests_total{endpoint="authorizer"}')


def assert_well(worker):
    assert worker.process.poll() is None, worker.log()
    assert fastcgi.ask(worker).status == 200


# ---- who passes ----

@both_forms
def test_a_verified_visitor_passes_with_the_whole_identity(unlimited, shop, written, form):
    token = shop.token(email="Alex@Example.COM", name="Alex Winter", user_id="1001")
    answer = ask(unlimited, form, token=token)
    assert identity(answer, form) == {**VERIFIED, "NAME": "Alex Winter", "USER_ID": "1001"}
    assert answer.header("Content-Length") == "0"
    written.none(answer)


@both_forms
def test_what_the_token_does_not_say_is_not_said(unlimited, shop, form):
    assert passed(unlimited, form, token=shop.token()) == VERIFIED


@both_forms
def test_without_a_token_nobody_passes(unlimited, shop, written, form):
    answer = ask(unlimited, form)
    assert_refused(answer, "sign_in_required")
    assert answer.header("WWW-Authenticate") == 'Bearer realm="shop"'
    written.none(answer)


@both_forms
def test_where_the_location_allows_it_an_anonymous_visitor_passes_as_nobody(unlimited, shop, written, form):
    answer = ask(unlimited, form, **ALLOW)
    assert identity(answer, form) == {"DECISION": "anonymous"}
    written.none(answer)
    assert passed(unlimited, form, token=shop.token(), **ALLOW) == VERIFIED


@both_forms
@pytest.mark.parametrize("email", ["alex@shop.test", "alex@acme.corp"])
def test_a_reserved_or_private_email_is_anonymous_and_never_named(unlimited, shop, written, form, email):
    token = shop.token(email=email, name="Alex", user_id="1001")
    answer = ask(unlimited, form, token=token)
    assert_refused(answer, "sign_in_required")
    written.none(answer)
    assert passed(unlimited, form, token=token, **ALLOW) == {"DECISION": "anonymous"}


@both_forms
@pytest.mark.parametrize("value", ["ALLOW", "Allow", "allow ", " allow", "allow,allow", "1", "true", "yes", "", "deny"])
def test_anonymous_near_miss_of_allow(unlimited, shop, form, value):
    assert_refused(ask(unlimited, form, POSTERN_ANONYMOUS=value), "sign_in_required")


@both_forms
@pytest.mark.parametrize("second", ["allow", "deny", ""])
def test_anonymous_said_twice(unlimited, shop, form, second):
    assert_refused(ask(unlimited, form, ("POSTERN_ANONYMOUS", second), **ALLOW), "sign_in_required")


@both_forms
def test_anonymous_from_the_client(unlimited, shop, form):
    assert_refused(ask(unlimited, form, HTTP_POSTERN_ANONYMOUS="allow", QUERY_STRING="POSTERN_ANONYMOUS=allow",
                       HTTP_COOKIE="POSTERN_ANONYMOUS=allow"), "sign_in_required")


# ---- who is blocked ----

def tampered(s):
    return s.token()[:-4] + "AAAA"


BLOCKED = {
    "expired": ("token_expired", "token_expired", lambda s: s.token(ttl=-1)),
    "tampered": ("token_invalid", "signature_mismatch", tampered),
    "unsigned": ("token_invalid", "token_algorithm", lambda s: raw_token(s, {"email": ALEX}, {"alg": "none"})),
    "malformed": ("token_invalid", "token_malformed", lambda s: "x.y"),
    "empty": ("token_invalid", "token_malformed", lambda s: ""),
    "no email": ("token_invalid", "email_missing", lambda s: s.token(email=None)),
    "two emails": ("token_invalid", "email_malformed", lambda s: s.token(email=f"{ALEX},{JORDAN}")),
    "too long": ("token_invalid", "lifetime_too_long", lambda s: s.token(ttl=90000)),
}


@both_forms
@pytest.mark.parametrize("anonymous", [{}, ALLOW], ids=["closed", "anonymous allowed"])
@pytest.mark.parametrize("case", BLOCKED)
def test_a_bad_token_is_always_refused_and_recorded(unlimited, shop, written, form, anonymous, case):
    code, reason, make = BLOCKED[case]
    answer = ask(unlimited, form, token=make(shop), **anonymous)
    assert_refused(answer, code)
    assert answer.header("WWW-Authenticate") == 'Bearer realm="shop", error="invalid_token"'
    written.one(answer, event="identity", outcome="blocked", reason=reason, status=401, site="shop")


@both_forms
def test_two_authorization_headers(unlimited, shop, written, form):
    for first, second in ((f"Bearer {shop.token()}", f"Bearer {shop.token()}"), ("Basic eDp5", f"Bearer {shop.token()}"),
                          ("Basic eDp5", "Basic eDp5")):
        answer = ask(unlimited, form, ("HTTP_AUTHORIZATION", second), HTTP_AUTHORIZATION=first, **ALLOW)
        assert_refused(answer, "token_invalid")
        written.one(answer, reason="token_malformed", outcome="blocked")


@both_forms
def test_another_sites_token(unlimited, shop, module_data, form):
    other = module_data.sites.get("elsewhere") or module_data.add_site("elsewhere")
    assert_refused(ask(unlimited, form, token=other.token(), **ALLOW), "token_invalid")
    assert_refused(ask(unlimited, form, token=shop.token(), POSTERN_SITE="elsewhere"), "token_invalid")
    assert passed(unlimited, form, token=other.token(), POSTERN_SITE="elsewhere") == VERIFIED


@both_forms
def test_a_retired_key_is_gone_with_the_very_next_request(unlimited, module_data, form):
    site = module_data.add_site(f"retiring-{form}")
    old, token = site.kid, site.token()
    assert passed(unlimited, form, token=token, POSTERN_SITE=site.name) == VERIFIED
    site.add_key()
    site.retire(old)
    assert_refused(ask(unlimited, form, token=token, POSTERN_SITE=site.name), "token_invalid")


def test_bad_tokens_share_the_budget_and_fold(module_data, shop):
    with Worker(module_data, "--audit-budget", "1") as w:
        before = len(module_data.audit(reason="signature_mismatch"))
        for i in range(60):
            assert_refused(ask(w, FORMS[i % 2], token=tampered(shop)), "token_invalid")
        assert metric(w, "postern_folded_total") > 0
    new = module_data.audit(reason="signature_mismatch")[before:]
    assert len(new) < 60 and sum(r.get("count", 1) for r in new) == 60


@both_forms
def test_the_next_request_is_judged_by_itself(unlimited, shop, form):
    for _ in range(10):
        assert passed(unlimited, form, token=shop.token(name="Alex"))["NAME"] == "Alex"
        assert_refused(ask(unlimited, form, token="x.y.z", **ALLOW), "token_invalid")
        assert passed(unlimited, form, **ALLOW) == {"DECISION": "anonymous"}
        assert passed(unlimited, form, token=shop.token(email=JORDAN)) == {"DECISION": "verified", "EMAIL": JORDAN}


# ---- what a header can carry ----

ALTERED = ["1001\r\nX-Postern-Email: jordan@example.com", "1001\r\n\r\nbody", "1001\n", "\n1001", "10\t01", "1001\x7f", "1\x1b[2J",
           " 1001", "1001 ", "\t1001", "1001\t", " ", "\u00a01001", "1001\u3000", "\ufeff1001", "1001\u200b", "1001\u0085", "10\u202801", "\x01"]
CARRIED = ["1001", "u/17", "1 001", "a,b", 'x"y', "=?utf-8?q?a?=", "Zoë", "李", "🙂", "x" * 128, ":", "a: b", "0"]


@both_forms
@pytest.mark.parametrize("user_id", ALTERED)
def test_user_id_that_a_header_would_alter(unlimited, shop, written, form, user_id):
    token = raw_token(shop, {"email": ALEX, "name": "Alex", "user_id": user_id})
    for more in ({}, ALLOW):
        answer = ask(unlimited, form, token=token, **more)
        assert_refused(answer, "identity_incomplete")
        written.none(answer)


@both_forms
@pytest.mark.parametrize("user_id", CARRIED)
def test_user_id_that_a_header_carries_arrives_exactly(unlimited, shop, form, user_id):
    assert passed(unlimited, form, token=raw_token(shop, {"email": ALEX, "user_id": user_id})) == {**VERIFIED, "USER_ID": user_id}


@both_forms
@pytest.mark.parametrize("name, said", [
    ("Alex\r\nX-Postern-User-Id: 1", "AlexX-Postern-User-Id: 1"), ("A\u202ele\u2066x\u2069", "Alex"), ("  Alex\t ", "Alex"),
    ("\r\n", None), ("Zoë 李 🙂", "Zoë 李 🙂"), ("ä" * 200, "ä" * 128), ("Alex, Winter: \"x\"", 'Alex, Winter: "x"')])
def test_name_with_line_ends_and_bidi(unlimited, shop, form, name, said):
    expected = VERIFIED | ({"NAME": said} if said else {})
    assert passed(unlimited, form, token=raw_token(shop, {"email": ALEX, "name": name})) == expected


@both_forms
def test_identity_headers_from_the_client(unlimited, shop, form):
    """None of what a client can make a server say reaches the answer."""
    forged = {f"{prefix}{name}": "forged" for name in NAMES
              for prefix in ("HTTP_POSTERN_", "HTTP_X_POSTERN_", "HTTP_VARIABLE_POSTERN_", "POSTERN_", "HTTP_HTTP_POSTERN_")}
    forged |= {"REMOTE_USER": "forged", "HTTP_X_USER_ID": "forged", "QUERY_STRING": "email=forged", "HTTP_COOKIE": "POSTERN_EMAIL=forged"}
    assert_refused(ask(unlimited, form, **forged), "sign_in_required")
    assert passed(unlimited, form, **forged, **ALLOW) == {"DECISION": "anonymous"}
    answer = ask(unlimited, form, token=shop.token(), **forged)
    assert identity(answer, form) == VERIFIED and "forged" not in str(answer)


# ---- which site ----

@pytest.fixture(scope="module")
def bound(module_data, shop):
    """A worker pinned to the shop by its environment."""
    with Worker(module_data, "--audit-budget", "0", env={"POSTERN_SITE": "shop"}) as w:
        yield w


@both_forms
@pytest.mark.parametrize("site", [None, "", "nobody", "SHOP", "shop ", " shop", "sho", "shop,shop", "../shop", "x" * 64, "*"])
@pytest.mark.parametrize("token", [True, False], ids=["token", "no token"])
def test_site_that_is_not_there(unlimited, shop, form, site, token):
    """Nobody passes, and nobody is taken for anonymous."""
    answer = ask(unlimited, form, POSTERN_SITE=site, token=shop.token() if token else None, **ALLOW)
    assert_refused(answer, "site_not_set")
    assert answer.header("WWW-Authenticate") is None


@both_forms
@pytest.mark.parametrize("second", ["shop", "elsewhere", ""])
def test_site_said_twice(unlimited, bound, shop, form, second):
    for worker in (unlimited, bound):
        assert_refused(ask(worker, form, ("POSTERN_SITE", second), token=shop.token(), **ALLOW), "site_not_set")


@both_forms
def test_site_by_the_environment_alone_or_by_both_where_they_agree(bound, shop, form):
    for site in (None, "shop"):
        assert passed(bound, form, token=shop.token(), POSTERN_SITE=site) == VERIFIED
        assert_refused(ask(bound, form, POSTERN_SITE=site), "sign_in_required")


@both_forms
@pytest.mark.parametrize("site", ["elsewhere", "nobody", "", "SHOP"])
def test_site_pins_that_disagree(bound, shop, module_data, form, site):
    if "elsewhere" not in module_data.sites:
        module_data.add_site("elsewhere")
    for token in (None, shop.token(), module_data.sites["elsewhere"].token()):
        assert_refused(ask(bound, form, POSTERN_SITE=site, token=token, **ALLOW), "site_not_set")


@both_forms
def test_site_named_by_the_client(unlimited, shop, form):
    """Neither a header, nor the path, nor a query names it."""
    named = {"path": "/v1/sites/shop/identity", "QUERY_STRING": "POSTERN_SITE=shop", "HTTP_POSTERN_SITE": "shop", "HTTP_HOST": "shop"}
    assert_refused(ask(unlimited, form, POSTERN_SITE=None, token=shop.token(), **named, **ALLOW), "site_not_set")


@both_forms
def test_a_removed_site(unlimited, module_data, form):
    site = module_data.add_site(f"removed-{form}")
    token = site.token()
    assert passed(unlimited, form, token=token, POSTERN_SITE=site.name) == VERIFIED
    module_data.run("site", "remove", site.name, "--yes")
    assert_refused(ask(unlimited, form, token=token, POSTERN_SITE=site.name, **ALLOW), "site_not_set")


@both_forms
def test_keys_that_cannot_be_read_are_503_and_never_anonymous(unlimited, module_data, form):
    site = module_data.add_site(f"damaged-{form}")
    assert damage_rows(module_data, "rings", site.name.encode()) == 1
    try:
        for token in (None, "x", site.token()):
            assert_refused(ask(unlimited, form, token=token, POSTERN_SITE=site.name, **ALLOW), "vault_unavailable")
    finally:
        damage_rows(module_data, "rings", site.name.encode())


def test_a_guard_that_is_set_up_wrongly_is_told_to_the_admin_once(module_data, shop):
    with Worker(module_data) as w:
        for _ in range(3):
            assert_refused(ask(w, "role", POSTERN_SITE=None), "site_not_set")
        assert w.log().count("POSTERN_SITE") == 1


@both_forms
def test_the_plan_is_about_actions_alone(unlimited, module_data, form):
    site = module_data.sites.get("free") or module_data.add_site("free", "--plan", "free")
    assert passed(unlimited, form, token=site.token(), POSTERN_SITE="free") == VERIFIED


@both_forms
def test_an_origin_that_the_site_does_not_list(unlimited, module_data, form):
    site = module_data.sites.get("origins") or module_data.add_site("origins", "--origin", "https://app.example.com")

    def origin(value, **more):
        return ask(unlimited, form, POSTERN_SITE="origins", HTTP_ORIGIN=value, **more)
    for method in ("GET", "POST", "OPTIONS"):
        assert_refused(origin("https://evil.example", token=site.token(), method=method), "origin_denied")
        assert origin("http://localhost", token=site.token(), method=method).status == 200
        assert_refused(origin("https://evil.example", token="bad", method=method), "token_invalid")
        assert_refused(origin("https://app.example.com", method=method), "sign_in_required")


# ---- any method, any path ----

PATHS = ["/", "", None, "/orders.php", "/v1/health", "/v1/metrics", "/v1/sites/shop/identity", "/v1/sites/shop/actions/hello",
         "/v1/nothing", "//", "/%00", "/v1/sites/elsewhere/identity"]


@both_forms
@pytest.mark.parametrize("path", PATHS)
def test_any_path_is_one_question(unlimited, shop, form, path):
    how = {"PATH_INFO": path, "SCRIPT_NAME": path, "POSTERN_METRICS": "1"}
    assert passed(unlimited, form, token=shop.token(), **how) == VERIFIED
    assert_refused(ask(unlimited, form, **how), "sign_in_required")


@both_forms
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW", "get", ""])
def test_any_method_is_one_question(unlimited, shop, form, method):
    assert passed(unlimited, form, token=shop.token(), method=method) == VERIFIED
    answer = ask(unlimited, form, method=method)
    assert answer.status == 401 and answer.header("Allow") is None
    assert (answer.body == b"") == (method == "HEAD") and int(answer.header("Content-Length")) > 100


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 200_000])
@pytest.mark.parametrize("length", [None, "0", "5", "99999999999999999999", "x"])
def test_a_body_is_read_to_its_end_and_ignored(unlimited, shop, size, length):
    items = pairs("parameter", token=shop.token(), method="POST", CONTENT_LENGTH=length, CONTENT_TYPE="text/plain")
    with unlimited.connect() as c:
        for request_id in (1, 2):
            c.send(request_of("parameter", items, True, request_id, body=bytes(size)))
            assert identity(c.read_reply(request_id).answer.check(), "parameter") == VERIFIED
        assert c.ask(environ()).answer.status == 200


# ---- POSTERN_ROLE ----

@pytest.mark.parametrize("value", ["Authorizer", "AUTHORIZER", "authorizer ", " authorizer", "authorizers", "authoriser", "authorize",
                                   "responder", "filter", "", "1", "authorizer,authorizer"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("path", ["/orders.php", "/v1/sites/shop/identity", "/v1/health"])
def test_a_misspelt_role_never_becomes_an_ordinary_route(unlimited, shop, form, value, path):
    for token in (None, shop.token()):
        answer = ask(unlimited, form, POSTERN_ROLE=value, path=path, token=token, **ALLOW)
        assert_refused(answer, "site_not_set")


@both_forms
@pytest.mark.parametrize("second", ["authorizer", "responder", ""])
def test_a_role_said_twice(unlimited, shop, form, second):
    more = [("POSTERN_ROLE", second)]
    answer = ask(unlimited, form, *more, POSTERN_ROLE="authorizer", path="/v1/sites/shop/identity", token=shop.token(), **ALLOW)
    assert_refused(answer, "site_not_set")


@both_forms
@pytest.mark.parametrize("wrong", [{"POSTERN_ROLE": "authoriser"}, {"POSTERN_SITE": "nobody"}, {"POSTERN_SITE": None}], ids=str)
def test_a_guard_that_is_set_up_wrongly_looks_at_no_token_and_writes_nothing(unlimited, shop, written, form, wrong):
    answer = ask(unlimited, form, token="bad", **wrong)
    assert_refused(answer, "site_not_set")
    written.none(answer)


def test_a_role_said_by_fastcgi_and_by_the_parameter_is_answered_as_fastcgi_says(unlimited, shop):
    assert passed(unlimited, "role", token=shop.token(), POSTERN_ROLE="authorizer") == VERIFIED


def test_a_role_from_the_client(unlimited, shop):
    """HTTP_POSTERN_ROLE means nothing: neither an authorizer nor the end of one."""
    client = {"HTTP_POSTERN_ROLE": "authorizer", "QUERY_STRING": "POSTERN_ROLE=authorizer", "POSTERN_SITE": "shop"}
    assert fastcgi.ask(unlimited, path="/v1/sites/shop/identity", **client).json["identity"]["status"] == "anonymous"
    assert fastcgi.ask(unlimited, path="/orders.php", **client).code == "not_found"
    assert_refused(ask(unlimited, "parameter", HTTP_POSTERN_ROLE="responder", path="/v1/sites/shop/identity"), "sign_in_required")


def test_each_form_and_decision_is_counted(unlimited, shop):
    before = judged(unlimited), metric(unlimited, 'postern_decisions_total{decision="verified",reason="none"}')
    for form in FORMS:
        ask(unlimited, form)
        ask(unlimited, form, token=shop.token())
        ask(unlimited, form, POSTERN_SITE=None)
    assert (judged(unlimited), metric(unlimited, 'postern_decisions_total{decision="verified",reason="none"}')) == \
           (before[0] + 6, before[1] + 2)


# ---- FastCGI: the end of a STDIN that there is not ----

def end(request_id=1, padding=0):
    return record(STDIN, b"", request_id, padding)


def asked_in_role(shop, keep=False, request_id=1, behind=b"", token=True):
    return request_of("role", pairs("role", token=shop.token() if token else None), keep, request_id, end=behind)


def assert_verified(reply):
    assert not reply.others and identity(reply.answer.check(), "role") == VERIFIED


def closed_cleanly(connection):
    """The end of the connection, not an error in its place."""
    return connection.socket.recv(1) == b""


@pytest.mark.parametrize("behind", [b"", end(), end(padding=1), end(padding=255)], ids=["nothing", "end", "padding 1", "padding 255"])
@pytest.mark.parametrize("half_close", [False, True])
def test_stdin_none_or_empty_at_once(unlimited, shop, behind, half_close):
    with unlimited.connect() as c:
        c.send(asked_in_role(shop, behind=behind))
        if half_close:
            c.half_close()
        assert_verified(c.read_reply())
        assert closed_cleanly(c)


@pytest.mark.parametrize("padding", [0, 200])
def test_stdin_end_in_single_bytes(unlimited, shop, padding):
    """The parameters' end may be seen alone, or with some of what follows."""
    with unlimited.connect() as c:
        for _ in range(3):
            c.send_pieces(asked_in_role(shop, keep=True, behind=end(padding=padding)))
            assert_verified(c.read_reply())


@pytest.mark.parametrize("split", range(1, 8 + 30))
def test_stdin_end_split_anywhere_is_waited_for(unlimited, shop, split):
    """Once its first byte is there: closing on the rest would be an error for the peer."""
    data = asked_in_role(shop, behind=end(padding=30))
    with unlimited.connect() as c:
        c.send(data[:len(data) - split])
        assert not select.select([c.socket], [], [], 0.005)[0]
        c.send(data[len(data) - split:])
        assert_verified(c.read_reply())
        assert closed_cleanly(c)


@pytest.mark.parametrize("padding", [0, 255])
def test_stdin_end_sent_after_the_answer(unlimited, shop, padding):
    """The peer sees our end, and can still write: no EPIPE, no reset."""
    with unlimited.connect() as c:
        c.send(asked_in_role(shop))
        assert_verified(c.read_reply())
        assert closed_cleanly(c)
        c.send_pieces(end(padding=padding))
        assert closed_cleanly(c)


def hung_up(connection):
    """Has the other side closed, and not only shut down its sending side?"""
    poll = select.poll()
    poll.register(connection.socket, 0)
    return bool(poll.poll(0))


def test_stdin_that_goes_on_after_the_answer_is_not_read_for_ever(unlimited, shop):
    with unlimited.connect() as c:
        c.send(asked_in_role(shop))
        assert_verified(c.read_reply())
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(1000):
                c.send(bytes(10_000))
        assert hung_up(c)


@pytest.mark.slow
def test_a_peer_that_never_closes_is_closed(unlimited, shop):
    with unlimited.connect() as c:
        c.send(asked_in_role(shop))
        assert_verified(c.read_reply())
        assert not hung_up(c)
        wait_until(lambda: hung_up(c), "the worker to close", 5)


def test_a_peer_that_never_closes_delays_no_stop(module_data, shop):
    with Worker(module_data) as w:
        waiting = [w.connect() for _ in range(20)]
        for c in waiting:
            c.send(asked_in_role(shop))
            assert_verified(c.read_reply())
        w.stop()                       # within its 2 s, which Worker checks
        for c in waiting:
            assert hung_up(c)
            c.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sees what a worker has open")
def test_authorizers_leave_no_connections_behind(unlimited, shop):
    def descriptors():
        return len(os.listdir(f"/proc/{unlimited.pid}/fd"))
    ask(unlimited, "role", token=shop.token())
    before = descriptors()
    for _ in range(200):
        assert passed(unlimited, "role", token=shop.token()) == VERIFIED
    wait_until(lambda: descriptors() <= before, "their connections to be closed", 1)


ENDS = {"none": [], "at once": None, "late": [end()], "late, padded": [end(padding=255)], "late, in pieces": [end()[:3], end()[3:]]}


@pytest.mark.parametrize("first, second", itertools.product(ENDS, ENDS))
def test_a_kept_connection_stays_in_step(unlimited, shop, first, second):
    """Two authorizers of the same id, a responder, and one more of another id."""
    with unlimited.connect() as c:
        for how in (first, second):
            c.send(asked_in_role(shop, keep=True, behind=end() if how == "at once" else b""))
            assert_verified(c.read_reply())
            for piece in ENDS[how] or []:
                c.send(piece)
        assert c.ask(environ(), keep=True).answer.status == 200
        c.send(asked_in_role(shop, keep=True, request_id=2, token=False))
        assert_refused(c.read_reply(2).answer.check(), "sign_in_required")
        c.send(end(2) + whole(environ(path="/v1/sites/shop/identity", token=shop.token())))
        assert c.read_reply().answer.json["identity"]["status"] == "verified"
        assert c.at_end()


def test_a_kept_connection_waits_for_a_commit_and_stays_in_step(unlimited, shop):
    """The end comes while the record of a blocked token is written."""
    with unlimited.connect() as c:
        for _ in range(5):
            c.send(request_of("role", pairs("role", token=tampered(shop)), keep=True))
            c.send(end())
            assert_refused(c.read_reply().answer.check(), "token_invalid")
        c.send(asked_in_role(shop, keep=True))
        assert_verified(c.read_reply())


BEHIND = {
    "another request's end": end(2),
    "the end twice": end() + end(),
    "a body": record(STDIN, b"x"),
    "an abort": record(ABORT_REQUEST),
    "data": record(DATA, b"x"),
    "parameters": record(PARAMS, b""),
    "values": get_values(*["FCGI_MPXS_CONNS"] * 20),
    "plain text": b"GET / HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("name", BEHIND)
def test_nothing_else_may_come_late_on_a_kept_connection(unlimited, shop, name):
    with unlimited.connect() as c:
        c.send(asked_in_role(shop, keep=True))
        assert_verified(c.read_reply())
        before = judged(unlimited)
        c.send(BEHIND[name])
        assert c.at_end()
    assert judged(unlimited) == before
    assert_well(unlimited)


# ---- FastCGI: what is no request ----

def dropped(worker, data):
    """Is the connection closed without an answer?"""
    with worker.connect() as c:
        try:
            c.send(data)
            c.half_close()
        except (BrokenPipeError, ConnectionResetError):
            pass
        return c.at_end()


def test_a_request_cut_short_at_any_byte_is_dropped_and_never_anonymous(unlimited, shop):
    short = [(name, value) for name, value in pairs("role", **ALLOW) if name in (
        "REQUEST_METHOD", "SERVER_PROTOCOL", "POSTERN_SITE", "POSTERN_ANONYMOUS", "REMOTE_ADDR")]
    request, before = request_of("role", short), judged(unlimited)
    for size in range(1, len(request)):
        assert dropped(unlimited, request[:size]), f"{size} of {len(request)} bytes were answered"
    for size in range(1, 8 + 3):                                       # the record behind it was begun, and not ended
        assert dropped(unlimited, request + end(padding=3)[:size])
    assert judged(unlimited) == before
    with unlimited.connect() as c:
        c.send(request)
        assert identity(c.read_reply().answer, "role") == {"DECISION": "anonymous"}


ENV = pairs("role", **ALLOW)
RAW = fastcgi.pairs(ENV)
START = begin(AUTHORIZER)
MALFORMED = {
    "a body": START + params(ENV) + stream(STDIN, b"x"),
    "a body without an end": START + params(ENV) + record(STDIN, b"x"),
    "the head of a large body": START + params(ENV) + record(STDIN, b"", length=65535),
    "a body of another request": START + params(ENV) + stream(STDIN, b"", request_id=2),
    "two ends": START + params(ENV) + end() + end(),
    "a second authorizer right behind": START + params(ENV) + START + params(ENV),
    "a second authorizer behind the end": START + params(ENV) + end() + START + params(ENV),
    "a responder right behind": START + params(ENV) + whole(ENV),
    "a second begin": START + START + params(ENV),
    "another role's begin": START + begin(RESPONDER) + params(ENV),
    "a body first": START + end() + params(ENV),
    "parameters after their end": START + params(ENV) + params(ENV),
    "parameters that end inside a value": START + stream(PARAMS, RAW[:-3]),
    "parameters that end inside a length": START + stream(PARAMS, RAW + b"\x80\0"),
    "parameters without their end": START + params(ENV, end=False),
    "another request's parameters": START + params(ENV, request_id=2),
    "no parameters": START + params({}),
    "no REQUEST_METHOD": START + params([p for p in ENV if p[0] != "REQUEST_METHOD"]),
    "no SERVER_PROTOCOL": START + params([p for p in ENV if p[0] != "SERVER_PROTOCOL"]),
    "a NUL in the site": START + params([*ENV, ("POSTERN_SITE", b"shop\0")]),
    "a sign in a name": START + params([*ENV, ("POSTERN_ANONYMOUS=allow", "x")]),
    "an abort": START + params(ENV) + record(ABORT_REQUEST),
    "data": START + params(ENV) + record(DATA, b"x"),
    "values": START + params(ENV) + get_values(*["FCGI_MPXS_CONNS"] * 20),
    "values before the parameters' end": START + params(ENV, end=False) + get_values(*["FCGI_MPXS_CONNS"] * 20) + record(PARAMS),
    "a filter": begin(FILTER) + params(ENV) + end(),
    "role 0": begin(0) + params(ENV),
    "role 4": begin(4) + params(ENV),
    "role 256": begin(256) + params(ENV),
    "role 514": begin(514) + params(ENV),
    "id 0": request_of("role", ENV, request_id=0),
    "a late end before any request": end() + START + params(ENV),
    "a short begin": record(BEGIN_REQUEST, b"\0\2\0\0") + params(ENV),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_request_is_dropped_without_an_answer(unlimited, shop, name):
    before = judged(unlimited)
    assert dropped(unlimited, MALFORMED[name])
    assert judged(unlimited) == before
    assert_well(unlimited)


def test_padding_is_never_read_as_records(unlimited, shop):
    hidden = get_values(*["FCGI_MPXS_CONNS"] * 13)
    padded_begin = START[:6] + bytes([len(hidden)]) + START[7:] + hidden
    padded_end = record(PARAMS)[:6] + bytes([len(hidden)]) + b"\0" + hidden
    with unlimited.connect() as c:
        c.send(padded_begin + params(pairs("role", token=shop.token()), end=False) + padded_end)
        assert_verified(c.read_reply())
    assert_well(unlimited)


def test_random_bytes_let_nobody_pass(unlimited, shop):
    dice = random.Random(20251122)
    request = request_of("role", pairs("role"), end=end())
    for i in range(400):
        data = bytearray(request[:dice.choice([len(request), len(request) - 8])])
        for _ in range(dice.randint(1, 6)):
            data[dice.randrange(0 if i % 2 else len(data) - 24, len(data))] = dice.randrange(256)
        with unlimited.connect() as c:
            try:
                c.send(bytes(data))
                c.half_close()
            except (BrokenPipeError, ConnectionResetError):
                pass
            reply = c.read_reply()
            assert reply.closed or reply.answer.status in (401, 404, 500)
    assert_well(unlimited)


def test_nothing_of_a_request_before_is_read_in_place_of_a_stdin(unlimited, shop):
    """The threads' memory still holds longer requests, bodies and tokens of others."""
    with unlimited.connect() as c:
        for _ in range(20):
            body = whole(environ(token=shop.token(email=JORDAN))) * 20
            c.send(request_of("parameter", pairs("parameter", token=shop.token(email=JORDAN)), True, body=body))
            assert c.read_reply().answer.status == 200
            c.send(asked_in_role(shop, keep=True))
            assert_verified(c.read_reply())
            c.send(asked_in_role(shop, keep=True, token=False))
            assert_refused(c.read_reply().answer.check(), "sign_in_required")


def test_many_at_once_in_both_roles(unlimited, shop):
    expected = {"role": VERIFIED, "parameter": VERIFIED}
    open_now = [(form, unlimited.connect()) for _ in range(40) for form in FORMS]
    for form, c in open_now:
        c.send(request_of(form, pairs(form, token=shop.token())))
    for form, c in open_now:
        assert identity(c.read_reply().answer.check(), form) == expected[form]
        c.close()


# ---- a real server: lighttpd before an application ----

PAGE = """#!{python}
import json, os, sys
body = sys.stdin.buffer.read(int(os.environ.get("CONTENT_LENGTH") or 0)).decode()
print("Content-Type: application/json\\n")
print(json.dumps({{"env": dict(os.environ), "body": body}}))
"""
LINES = """
cgi.assign = ( ".py" => "" )
setenv.set-environment = ( "POSTERN_SITE" => "shop" )
$HTTP["url"] =~ "^/open" { setenv.set-environment = ( "POSTERN_SITE" => "shop", "POSTERN_ANONYMOUS" => "allow" ) }
$HTTP["url"] =~ "^/unset" { setenv.set-environment = ( "X" => "Y" ) }
fastcgi.server = ( "/" => (( "socket" => {socket}, "mode" => "authorizer", "check-local" => "disable", "docroot" => {root} )) )
"""


class Guarded(LighttpdWith):
    """lighttpd in its authorizer mode, before a page that says what environment it has."""

    def __init__(self, worker):
        page = worker.data.file("page.py", PAGE.format(python=sys.executable))
        page.chmod(0o755)
        self.socket = worker.socket
        super().__init__(worker.data.home, LINES, ("mod_setenv", "mod_fastcgi", "mod_cgi"),
                         pages={f"{name}.py": page for name in ("page", "open", "unset")})

    def config(self):
        return super().config().replace("{socket}", json.dumps(str(self.socket))).replace("{root}", json.dumps(str(self.root)))


@pytest.fixture(scope="module")
def guarded(unlimited, shop):
    with Guarded(unlimited) as server:
        yield server.client("")


def told(answer):
    """What the page was told of the visitor."""
    assert answer.status == 200, str(answer)
    assert not [name for name, _ in answer.headers if "postern" in name.lower()]
    return {name: answer.json["env"][f"POSTERN_{name}"] for name in NAMES if f"POSTERN_{name}" in answer.json["env"]}


def by(token, *more):
    return [("Authorization", f"Bearer {token}"), *more]


def test_lighttpd_tells_the_application_who_it_is(guarded, shop):
    token = shop.token(name="Zoë Winter", user_id="1001")
    assert told(guarded.send("GET", "/page.py/a?b=c", by(token))) == {**VERIFIED, "NAME": "Zoë Winter", "USER_ID": "1001"}
    assert told(guarded.send("GET", "/open.py")) == {"DECISION": "anonymous"}


def test_lighttpd_gives_a_body_to_the_application_and_not_to_us(guarded, shop):
    answer = guarded.send("POST", "/page.py", by(shop.token()), body="x" * 100_000)
    assert told(answer) == VERIFIED and answer.json["body"] == "x" * 100_000


@pytest.mark.parametrize("page, token, code", [
    ("page", None, "sign_in_required"), ("page", "bad", "token_invalid"), ("open", "bad", "token_invalid"), ("unset", None, "site_not_set"),
    ("open", "expired", "token_expired"), ("page", "altered", "identity_incomplete")])
def test_lighttpd_hands_our_refusal_to_the_client(guarded, shop, page, token, code):
    make = {"bad": "x.y.z", "expired": shop.token(ttl=-1), "altered": raw_token(shop, {"email": ALEX, "user_id": " 1"})}
    for method in ("GET", "POST"):
        answer = guarded.send(method, f"/{page}.py", by(make[token]) if token else (), body="x" if method == "POST" else None).check()
        assert_refused(answer, code)


def test_lighttpd_client_headers_of_our_names(guarded, shop):
    forged = [(spelling.format(name), "forged") for name in NAMES for spelling in (
        "POSTERN_{}", "Postern-{}", "X_POSTERN_{}", "X-Postern-{}", "Variable-POSTERN_{}", "HTTP_POSTERN_{}")]
    forged += [("POSTERN_SITE", "elsewhere"), ("POSTERN_ANONYMOUS", "allow"), ("POSTERN_ROLE", "responder")]
    assert told(guarded.send("GET", "/open.py", forged)) == {"DECISION": "anonymous"}
    assert told(guarded.send("GET", "/page.py", by(shop.token(), *forged))) == VERIFIED
    assert_refused(guarded.send("GET", "/page.py", forged), "sign_in_required")


def test_lighttpd_kept_connection_forgets_who_it_was(guarded, shop):
    """One connection of a client: signed in, then out, then somebody else."""
    def page(name, token=None, last=False):
        authorization = f"Authorization: Bearer {token}\r\n" if token else ""
        return f"GET /{name}.py HTTP/1.1\r\nHost: x\r\n{authorization}{'Connection: close' if last else 'A: b'}\r\n\r\n".encode()
    whom = {"email": ALEX, "name": "Alex", "user_id": "1001"}
    got = guarded.raw(page("open", shop.token(**whom)) + page("open") + page("open", shop.token(email=JORDAN), last=True)).decode("latin-1")
    decoder, at, seen = json.JSONDecoder(), 0, []
    while (at := got.find('{"env"', at)) >= 0:
        env = decoder.raw_decode(got, at)[0]["env"]
        seen.append({name: env[f"POSTERN_{name}"] for name in NAMES if f"POSTERN_{name}" in env})
        at += 1
    assert seen == [{**VERIFIED, "NAME": "Alex", "USER_ID": "1001"}, {"DECISION": "anonymous"}, {"DECISION": "verified", "EMAIL": JORDAN}]
