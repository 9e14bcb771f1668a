"""postern doctor --mint: a sound token endpoint is told apart from those that sign for anybody; no token is ever shown."""
import json
import re
import time
import urllib.parse

import pytest

from lib import tokens
from lib.datadir import DataDir, postern
from lib.findings import Found
from lib.programs import THREAD_SANITIZED
from lib.standin import Reply, Standin, closed_port

SECRET = "an-endpoint-s-own-secret-of-more-than-32-bytes"
PROBE = "doctor-probe@example.com"
COOKIE = "sid=5f3a-the-session-of-alex"
STORE = ("Cache-Control", "no-store")
ALL = {"mint_transport", "mint_without_session", "mint_other_email", "mint_algorithm", "mint_lifetime", "mint_cache", "mint_cors"}


def asked_email(asked):
    """The email in a request, wherever it is."""
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(asked.path).query)
    form = urllib.parse.parse_qs(asked.body.decode())
    try:
        posted = json.loads(asked.body).get("email")
    except ValueError:
        posted = None
    return posted or (query.get("email") or form.get("email") or [None])[0]


def given(token, **more):
    return Reply(200, [("Content-Type", "application/json"), STORE], json.dumps({"token": token, **more}).encode())


def signed_in(asked):
    return COOKIE in (asked.header("Cookie") or "")


REFUSED = Reply(401, [("Content-Type", "application/json"), STORE], b'{"error":"sign in"}')


def sound(asked, **claim):
    """The email is the session's."""
    return given(tokens.mint(SECRET, **claim)) if signed_in(asked) else REFUSED


def doctor(function, *options, path="/api/token", session=None, env=None):
    """What doctor says of this endpoint. What it prints holds no token and no session."""
    with Standin(function) as s:
        extra = ["--header-file", "-"] if session is not None else []
        ran = postern("doctor", "--mint", s.url + path, "--json", *extra, *options, stdin=session,
                      env={"POSTERN_DATA": "/nonexistent", **(env or {})})
        found = Found(ran)
        found.asked = list(s.asked)
    assert ran.code == (1 if found.bad else 0) and ran.err == "", str(ran)
    assert "eyJ" not in ran.out and "5f3a" not in ran.out and SECRET not in ran.out, str(ran)
    for row in found.rows.values():
        assert row["state"] not in ("wrong", "warning") or row["mend"], str(ran)
    return found


def with_session(function, *options, **how):
    return doctor(function, *options, session=f"Cookie: {COOKIE}\n", **how)


# ---- sound endpoints ----

def test_a_sound_endpoint_from_outside():
    found = doctor(sound)
    assert found.bad == set() and "401" in found["mint_without_session"]["says"]
    assert found.states("skipped") == {"mint_other_email"} and "--header-file" in found["mint_other_email"]["says"]
    assert "mint_algorithm" not in found.rows


def test_a_sound_endpoint_with_a_session():
    found = with_session(sound)
    assert found.states("ok") == set(found.rows) == ALL and "lives 60m" in found["mint_lifetime"]["says"]


def test_what_it_asks():
    """In three ways, each as a page of the site and of another, and never with more than it was given."""
    found = doctor(sound, path="/api/token?for=chat")
    ways = {(a.method, a.header("Content-Type"), asked_email(a), a.header("Origin")) for a in found.asked}
    origins = (None, "https://doctor-probe.example")
    assert ways == {(m, t, PROBE, o) for m, t in (("POST", "application/json"), ("POST", "application/x-www-form-urlencoded"),
                                                  ("GET", None)) for o in origins}
    assert len(found.asked) == 6
    for asked in found.asked:
        assert asked.path.startswith("/api/token?for=chat") and asked.header("Cookie") is None
        assert asked.header("User-Agent").startswith("postern-doctor/")


def test_a_session_is_sent_as_it_was_given():
    lines = f"Cookie: {COOKIE}\r\n\r\nX-CSRF-Token:  abc\n"
    found = doctor(sound, session=lines)
    sent = [a for a in found.asked if a.header("Cookie")]
    assert sent and all(a.header("Cookie") == COOKIE and a.header("X-CSRF-Token").strip() == "abc" for a in sent)
    assert len(found.asked) - len(sent) == 6


def test_a_redirect_to_the_sign_in_page_is_sound_and_not_followed():
    reply = Reply(302, [("Location", "https://login.example.com/in?next=%2Fapi%2Ftoken"), STORE])
    found = doctor(lambda asked: reply)
    assert found.bad == set() and "redirects to https://login.example.com/in" in found["mint_without_session"]["says"]
    assert "next" not in found.ran.out and len(found.asked) == 6


def test_a_page_without_a_token_is_sound():
    found = doctor(lambda asked: Reply(200, [("Content-Type", "text/html"), STORE], b"<html>sign in; eyes.ey.ewe</html>"))
    assert found.bad == set() and "200, text/html" in found["mint_without_session"]["says"]


# ---- it signs for anybody ----

def for_anybody(reply):
    """An endpoint that signs the email it is asked for."""
    return lambda asked: reply(tokens.mint(SECRET, email=asked_email(asked) or "nobody@example.com"))


@pytest.mark.parametrize("reply", [
    given,
    lambda t: Reply(200, [("Content-Type", "application/json"), STORE], json.dumps({"data": {"auth": [{"jwt": t}]}}).encode()),
    lambda t: Reply(200, [("Content-Type", "text/plain"), STORE], t.encode()),
    lambda t: Reply(200, [("Content-Type", "text/html"), STORE], f"<script>var t='{t}'</script>".encode()),
    lambda t: Reply(204, [("Set-Cookie", f"chat={t}; Path=/; HttpOnly"), STORE]),
    lambda t: Reply(200, [("Set-Cookie", f"chat=s%3A{t}.c2ln; Path=/"), STORE], b"{}"),
    lambda t: Reply(200, [("X-Auth-Token", t), STORE], b"ok"),
    lambda t: Reply(302, [("Location", f"/chat#token={t}"), STORE]),
    lambda t: Reply(302, [("Location", f"/chat/{t}"), STORE]),
    lambda t: Reply(400, [("Content-Type", "application/json"), STORE], json.dumps({"error": "x", "debug": t}).encode()),
], ids=["json", "deep", "plain", "page", "cookie", "signed-cookie", "header", "fragment", "path", "error"])
def test_it_signs_whatever_email_a_browser_posts(reply):
    found = doctor(for_anybody(reply))
    row = found["mint_without_session"]
    assert row["state"] == "wrong" and "signs whatever email a browser posts" in row["says"] and "signers" in row["mend"]
    assert "POST of JSON, POST of a form, GET with ?email=" in row["says"]
    assert found.states("ok") >= {"mint_algorithm", "mint_lifetime", "mint_cache"}, str(found.ran)


@pytest.mark.parametrize("method, kind, name", [("POST", "application/json", "POST of JSON"),
                                                ("POST", "application/x-www-form-urlencoded", "POST of a form"),
                                                ("GET", None, "GET with ?email=")])
def test_it_takes_one_way_only(method, kind, name):
    def answer(asked):
        fits = asked.method == method and asked.header("Content-Type") == kind
        return given(tokens.mint(SECRET, email=asked_email(asked))) if fits else Reply(405)
    assert f"({name})" in doctor(answer)["mint_without_session"]["says"]


def test_it_signs_for_another_site_s_page_only():
    """Whatever it believes of an Origin."""
    found = doctor(lambda a: given(tokens.mint(SECRET, email=asked_email(a))) if a.header("Origin") else REFUSED)
    assert found["mint_without_session"]["state"] == "wrong"


def test_case_of_the_email_does_not_hide_it():
    assert doctor(lambda a: given(tokens.mint(SECRET, email=asked_email(a).upper())))["mint_without_session"]["state"] == "wrong"


@pytest.mark.parametrize("claim", [{"sub": PROBE}, {"user": {"mail": [PROBE]}}])
def test_it_signs_it_elsewhere_in_the_token(claim):
    row = doctor(lambda asked: given(tokens.mint(SECRET, email=None, **claim)))["mint_without_session"]
    assert row["state"] == "wrong" and 'not as "email"' in row["says"].replace("though ", "")


def test_it_gives_somebody_s_token_without_a_session():
    row = doctor(lambda asked: given(tokens.mint(SECRET)))["mint_without_session"]
    assert row["state"] == "wrong" and "without a session" in row["says"]


def test_it_gives_a_token_of_nobody():
    row = doctor(lambda asked: given(tokens.mint(SECRET, email=None)))["mint_without_session"]
    assert row["state"] == "warning" and "without an email" in row["says"]


def test_whoever_is_signed_in_is_anybody():
    found = with_session(lambda a: given(tokens.mint(SECRET, email=asked_email(a) or "alex@example.com")) if signed_in(a) else REFUSED)
    assert found.states("wrong") == {"mint_other_email"} and "any email they ask for" in found["mint_other_email"]["says"]


def test_the_session_has_ended():
    found = with_session(lambda asked: REFUSED)
    assert found.bad == {"mint_other_email"} and "has it ended" in found["mint_other_email"]["says"]


def test_a_session_s_token_without_an_email():
    found = with_session(lambda asked: sound(asked, email=None, sub="7"))
    assert found.states("wrong") == {"mint_other_email"} and "without an email" in found["mint_other_email"]["says"]


def test_a_session_s_own_cookie_is_not_the_endpoint_s_token():
    """A framework's session may be a token of another kind."""
    own = tokens.mint_raw({"alg": "RS256"}, {"sub": "7"}, SECRET)
    found = with_session(lambda asked: sound(asked).with_header("Set-Cookie", f"session={own}") if signed_in(asked) else REFUSED)
    assert found.bad == set(), str(found.ran)


# ---- tokens that Postern would not take ----

@pytest.mark.parametrize("header, payload, check, says", [
    ({"alg": "none"}, {}, "mint_algorithm", "none"),
    ({"alg": "RS256"}, {}, "mint_algorithm", "RS256"),
    ({"alg": 7}, {}, "mint_algorithm", "no string"),
    ({"alg": "\x1b[2J"}, {}, "mint_algorithm", "\\x1b"),
    ({}, {"exp": None}, "mint_lifetime", "no exp"),
    ({}, {"ttl": 86400 * 30}, "mint_lifetime", "longer than 24h"),
    ({}, {"ttl": 86400 * 30, "now_less": True}, "mint_lifetime", "longer than 24h"),
    ({}, {"ttl": -5}, "mint_lifetime", "over when it comes"),
    ({}, {"exp": "tomorrow"}, "mint_lifetime", "no number"),
    ({}, {"exp": int(time.time() * 1000) + 3600_000, "iat": None}, "mint_lifetime", "longer than 24h"),
])
def test_its_token_is_not_sound(header, payload, check, says):
    payload = dict(payload)
    claims = tokens.claims(**{k: v for k, v in payload.items() if k not in ("now_less",)})
    if payload.get("now_less"):
        del claims["iat"]
    token = tokens.mint_raw({**tokens.HEADER, **header}, claims, SECRET)
    found = with_session(lambda asked: given(token) if signed_in(asked) else REFUSED)
    assert found.bad == {check} and says in found[check]["says"], str(found.ran)


def test_a_token_that_is_not_signed_at_all():
    token = f"{tokens.part({'alg': 'none'})}.{tokens.part({'email': PROBE})}."
    found = doctor(lambda asked: given(token))
    assert {"mint_without_session", "mint_algorithm"} <= found.states("wrong")


@pytest.mark.parametrize("cache", [None, "private, max-age=600", "no-cache"])
def test_its_answer_may_be_kept(cache):
    def answer(asked):
        reply = sound(asked).without("Cache-Control")
        return reply.with_header("Cache-Control", cache) if cache else reply
    found = with_session(answer)
    assert found.bad == {"mint_cache"} and "no-store" in found["mint_cache"]["mend"]


# ---- CORS, transport ----

def test_any_page_may_fetch_the_token_of_who_is_signed_in():
    def answer(asked):
        reply, origin = sound(asked), asked.header("Origin")
        if not origin:
            return reply
        return reply.with_header("Access-Control-Allow-Origin", origin).with_header("Access-Control-Allow-Credentials", "true")
    found = with_session(answer)
    assert found.states("wrong") == {"mint_cors"} and "any page on the web" in found["mint_cors"]["says"]


def test_any_page_may_read_it():
    found = with_session(lambda asked: sound(asked).with_header("Access-Control-Allow-Origin", "*"))
    assert found.bad == {"mint_cors"} and found["mint_cors"]["state"] == "warning"


def test_a_page_of_the_site_may():
    found = with_session(lambda asked: sound(asked).with_header("Access-Control-Allow-Origin", "https://shop.example.com"))
    assert found.bad == set()


# ---- does Postern take it? ----

@pytest.fixture(scope="module")
def acme():
    with DataDir() as d:
        yield d.add_site("acme")


@pytest.mark.parametrize("kid", [True, False])
def test_its_token_verifies_at_the_site(acme, kid):
    found = with_session(lambda asked: given(acme.token(named=kid)) if signed_in(asked) else REFUSED, "--data", acme.data.path)
    assert found.states("ok") == ALL | {"mint_verifies"} and "site acme" in found["mint_verifies"]["says"]


def test_its_token_does_not_verify(acme):
    found = with_session(sound, "--data", acme.data.path, "--site", "acme")
    assert found.bad == {"mint_verifies"} and "signature_mismatch" in found["mint_verifies"]["says"]


def test_asking_changes_nothing(acme):
    before = acme.data.audit_lines()
    with_session(lambda asked: given(acme.token()), "--data", acme.data.path, "--site", "acme")
    assert acme.data.audit_lines() == before


# ---- hostile and broken endpoints ----

@pytest.mark.parametrize("status", [404, 405, 500, 503])
def test_there_is_no_such_endpoint(status):
    found = doctor(lambda asked: Reply(status, [STORE], b"no"))
    assert found.bad == {"mint_without_session"} and str(status) in found["mint_without_session"]["says"]
    assert found["mint_without_session"]["state"] == "warning"


def test_nobody_listens():
    ran = postern("doctor", "--mint", f"http://127.0.0.1:{closed_port()}/", "--json", env={"POSTERN_DATA": "/nonexistent"})
    rows = Found(ran).rows
    assert ran.code == 1 and set(rows) == {"mint_answers"} and "no connection" in rows["mint_answers"]["says"]


def test_a_long_answer():
    """Its beginning is looked at, and it is not waited for."""
    start = time.monotonic()
    token = tokens.mint(SECRET, email=PROBE).encode()
    assert doctor(lambda asked: Reply(200, [STORE], token + b" " * 10_000_000))["mint_without_session"]["state"] == "wrong"
    found = doctor(lambda asked: Reply(200, [STORE], b" " * 10_000_000))
    assert found.bad == set() and "64 KiB" in found["mint_without_session"]["says"]
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("body", [
    b"ey" * 32768, b"ey" * 4096 + b".a.b", b"eyJ" * 21845, b"eyJhbGciOiJIUzI1NiJ9" * 3000, (b"ey" * 4000 + b".a.") * 8,
    b"eyJhbGciOiJIUzI1NiJ9.!.!", b"eyJhbGciOiJIUzI1NiJ9..", b"eyJhbGciOiJIUzI1NiJ9.e30", b".." * 30000, b"\0" * 1000, b"e", b"ey",
    b"eyJhbGciOiJIUzI1NiJ9." * 3000], ids=range(13))
def test_what_only_looks_like_a_token(body):
    start = time.monotonic()
    found = doctor(lambda asked: Reply(200, [STORE], body) if asked.method == "GET" and not asked.header("Origin") else REFUSED)
    assert found["mint_without_session"]["state"] in ("ok", "warning") and (THREAD_SANITIZED or time.monotonic() - start < 8)


def test_escape_sequences_do_not_reach_the_terminal():
    evil = "text/\x1b]0;owned\x07\x9b31m"
    with Standin(lambda asked: Reply(302, [("Location", evil), ("Content-Type", evil)], b"\x1b[2J")) as s:
        ran = postern("doctor", "--mint", s.url, env={"POSTERN_DATA": "/nonexistent"})
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", ran.out + ran.err) and "\\x1b" in ran.out, repr(ran.out)


# ---- the file of header lines ----

@pytest.mark.parametrize("lines, line", [
    ("no colon", 1), (f"Cookie: {COOKIE}\n: x", 2), ("Cookie : x", 1), ("Host: evil.example", 1), ("content-length: 5", 1),
    ("Origin: https://x.example", 1), ("Cookie: a\x1bb", 1), ("Cookie: a\0b", 1), ("\n\nCookie", 3), ("Cookie: a\rX: b", 1)])
def test_lines_that_are_no_headers_are_refused_unshown(lines, line):
    ran = postern("doctor", "--mint", "http://127.0.0.1:1/", "--header-file", "-", stdin=lines, env={"POSTERN_DATA": "/nonexistent"})
    assert ran.code == 2 and f"line {line} " in ran.err and "5f3a" not in ran.err and ran.out == "", str(ran)


def test_the_file_is_read_from_its_path(tmp_path):
    path = tmp_path / "headers"
    path.write_text(f"Cookie: {COOKIE}\n", encoding="utf-8")
    found = doctor(sound, "--header-file", str(path))
    assert found["mint_other_email"]["state"] == "ok"


@pytest.mark.parametrize("make, says", [
    (lambda path: None, "there is no such thing"),
    (lambda path: path.write_bytes(b"X: " + b"a" * 20000), "longer than 16 KiB"),
])
def test_a_file_that_cannot_be_read(tmp_path, make, says):
    make(tmp_path / "headers")
    ran = postern("doctor", "--mint", "http://127.0.0.1:1/", "--header-file", tmp_path / "headers", env={"POSTERN_DATA": "/nonexistent"})
    assert ran.code in (2, 3) and says in ran.err and ran.out == "", str(ran)


def test_a_session_is_not_sent_in_clear_over_a_network():
    """Nor a token asked for in silence: http to another machine is a warning, and the session stays here."""
    with Standin(sound) as s:
        url = s.url.replace("127.0.0.1", "shop.localhost") + "/"       # which libcurl finds here, and doctor cannot know
        ran = postern("doctor", "--mint", url, "--json", "--header-file", "-", stdin=f"Cookie: {COOKIE}\n",
                      env={"POSTERN_DATA": "/nonexistent"})
        rows = Found(ran).rows
        assert rows["mint_transport"]["state"] == "warning" and "not sent" in rows["mint_other_email"]["says"]
        assert not [a for a in s.asked if a.header("Cookie")]
