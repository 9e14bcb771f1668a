"""postern doctor --url: a sound web server is told apart from each that has a fault; the probe itself changes and shows nothing."""
import json
import re
import ssl
import subprocess
import time
from types import SimpleNamespace

import pytest

from lib import tokens
from lib.client import Client
from lib.datadir import DataDir, postern
from lib.findings import Found
from lib.lighttpd import PREFIX, Lighttpd
from lib.programs import tool
from lib.standin import Middleman, Reply, Standin, closed_port
from lib.worker import Worker

pytestmark = pytest.mark.tree("plain")

ALLOWED = "https://shop.example.com"
TOKEN = "09a76b39"              # by which the log knows the token that doctor sends

CHECKS = {"url_answers", "url_transport", "url_clock", "url_head", "url_error_pages", "url_metrics", "url_site", "url_authorization",
          "url_two_tokens", "url_identity_headers", "url_body", "url_body_chunked", "url_body_limit", "url_paths", "url_cors",
          "url_cache"}


def doctor(url, *options, data=None, env=None):
    """No data directory is at hand unless one is given."""
    place = ["--data", data.path] if data else []
    ran = postern("doctor", "--url", url, "--json", *place, *options, env={"POSTERN_DATA": "/nonexistent", **(env or {})})
    found = Found(ran)
    assert ran.code == (1 if found.bad else 0) and ran.err == "", str(ran)
    for row in found.rows.values():
        assert set(row) - {"mend"} == {"check", "state", "says"} and (row["state"] != "wrong" or row["mend"]), str(ran)
    return found


@pytest.fixture(scope="module")
def shop():
    """The demo site with a key and an origin, served by a real worker."""
    with DataDir(demo=True) as d:
        d.run("site", "set", "demo", "--origin", ALLOWED)
        d.run("key", "create", "demo")
        with Worker(d, "--audit-budget", "0") as worker:
            yield worker


@pytest.fixture(scope="module")
def server(shop):
    with Lighttpd(shop) as s:
        yield s


@pytest.fixture(scope="module")
def client(server):
    return Client("127.0.0.1", server.port)


def url_of(place):
    return f"http://127.0.0.1:{place.port}{PREFIX}" if isinstance(place, Lighttpd) else place.url + PREFIX


def through(client, before=lambda asked: asked, after=lambda reply, asked: reply, options=()):
    """What doctor says of a server with this fault."""
    with Middleman(client, before, after) as m:
        return doctor(url_of(m), *options)


# ---- a sound server ----

def test_a_sound_server_with_the_data_at_hand(shop, server):
    found = doctor(url_of(server), data=shop.data)
    assert found.states("ok") == set(found.rows) == CHECKS, str(found.ran)
    assert "an origin of the site may call" in found["url_cors"]["says"] and "whole" in found["url_body"]["says"]


def test_a_sound_server_from_another_machine(server):
    found = doctor(url_of(server) + "/")
    assert found.states("ok") == CHECKS, str(found.ran)
    assert found["url_site"]["says"].startswith("site demo:")


def test_it_reads_as_lines(server):
    ran = postern("doctor", "--url", url_of(server), env={"POSTERN_DATA": "/nonexistent"})
    assert ran.code == 0 and "No warnings." in ran.out and re.search(r"^ok +url_authorization +", ran.out, re.M), str(ran)


def test_it_passes_through_a_faultless_middleman(client):
    """Else the tests below would show nothing."""
    assert through(client).states("ok") == CHECKS


def test_a_probe_changes_nothing_but_the_log(shop, server):
    """Blocked tokens are recorded as any; nothing is run, refused or changed."""
    before = shop.data.audit()
    documents = shop.data.run("document", "list", "demo", "orders").out
    doctor(url_of(server), data=shop.data)
    new = shop.data.audit()[len(before):]
    assert new and {r["outcome"] for r in new} == {"blocked"} and {r["event"] for r in new} == {"identity"}
    assert {r["reason"] for r in new} == {"signature_mismatch", "token_malformed"}
    assert {r["token"] for r in new if r["reason"] == "signature_mismatch"} == {TOKEN}
    assert len(new) <= 8
    assert shop.data.run("document", "list", "demo", "orders").out == documents


def test_it_says_who_it_is_and_keeps_no_cookie(client):
    with Middleman(client, after=lambda reply, asked: reply.with_header("Set-Cookie", "a=b")) as m:
        doctor(url_of(m))
        assert len(m.asked) <= 24
        for asked in m.asked:
            assert re.fullmatch(r"postern-doctor/\d\S+", asked.header("User-Agent")) and asked.header("Cookie") is None


def test_an_origin_of_the_site_is_asked_for(client):
    found = through(client, options=["--origin", ALLOWED])
    assert found.states("ok") == CHECKS and "an origin of the site may call" in found["url_cors"]["says"]


def test_an_origin_that_the_site_does_not_list(client):
    found = through(client, options=["--origin", "https://other.example.com"])
    assert found.states("wrong") == {"url_cors"} and "site show" in found["url_cors"]["says"]


def test_a_proxy_of_the_environment_is_not_asked(server):
    env = {name: f"http://127.0.0.1:{closed_port()}" for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy")}
    assert doctor(url_of(server), env=env).bad == set()


# ---- Authorization and identity ----

def test_authorization_is_dropped(client):
    """The classic of Apache."""
    found = through(client, lambda asked: asked.without("Authorization"),
                    lambda reply, asked: reply.without("Server").with_header("Server", "Apache/2.4.62 (Debian)"))
    assert found["url_authorization"]["state"] == "wrong" and "anonymous" in found["url_authorization"]["says"]
    assert "CGIPassAuth On" in found["url_authorization"]["mend"] and "nginx" not in found["url_authorization"]["mend"]
    assert "url_two_tokens" not in found.rows


def test_a_server_without_a_name_gets_the_advice_for_each(client):
    found = through(client, lambda asked: asked.without("Authorization"), lambda reply, asked: reply.without("Server"))
    mend = found["url_authorization"]["mend"]
    assert "Apache: put CGIPassAuth On" in mend and "nginx: " in mend and "lighttpd: " in mend


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_authorization_is_passed_in_one_spelling_only(client, scheme):
    found = through(client, lambda a: a.without("Authorization") if (a.header("Authorization") or "").startswith(scheme + " ") else a)
    assert found["url_authorization"]["state"] == "wrong"


def only(index):
    """Of several Authorization headers one is passed on."""
    def change(asked):
        values = asked.all("Authorization")
        changed = asked.without("Authorization")
        changed.headers += [("Authorization", values[index])] if values else []
        return changed
    return change


@pytest.mark.parametrize("index", [0, -1])
def test_one_of_two_authorization_headers_is_passed(client, index):
    found = through(client, only(index))
    assert found.bad == {"url_two_tokens"}, str(found.ran)


def test_the_part_after_a_comma_is_cut_off(client):
    def change(asked):
        asked.headers = [(n, "Basic eA==" if n == "Authorization" and "," in v else v) for n, v in asked.headers]
        return asked
    assert through(client, change).bad == {"url_two_tokens"}


def test_two_authorization_headers_may_be_refused_by_the_server(client):
    """As nginx does."""
    def change(asked):
        return Reply(400, [("Content-Type", "text/html")], b"<h1>400") if len(asked.all("Authorization")) > 1 else asked
    assert through(client, change).bad == set()


def test_the_server_sends_a_token_of_its_own(client):
    def change(asked):
        asked.headers.append(("Authorization", "Bearer a.b.c"))
        return asked
    found = through(client, change)
    assert found["url_site"]["state"] == "wrong" and "without a token" in found["url_site"]["says"]


def test_everybody_is_verified(shop, client):
    secret = json.loads(shop.data.run("key", "create", "demo", "--json").out)
    token = tokens.mint(secret["secret"], kid=secret["kid"])

    def change(asked):
        changed = asked.without("Authorization")
        changed.headers.append(("Authorization", f"Bearer {token}"))
        return changed
    found = through(client, change)
    assert found["url_site"]["state"] == "wrong" and "taken for somebody" in found["url_site"]["says"]
    assert "alex@" not in found.ran.out


def test_the_server_asks_for_its_own_sign_in(client):
    def change(asked):
        own = Reply(401, [("Content-Type", "text/html"), ("WWW-Authenticate", "Basic realm=x")], b"<h1>no")
        return own if asked.header("Authorization") else asked
    found = through(client, change)
    assert found["url_authorization"]["state"] == "wrong" and "401, text/html" in found["url_authorization"]["says"]


def test_the_challenge_is_removed(client):
    found = through(client, after=lambda reply, asked: reply.without("WWW-Authenticate"))
    assert found.bad == {"url_authorization"} and found["url_authorization"]["state"] == "warning"


VERIFIED = json.dumps({"identity": {"status": "verified", "email": "doctor-probe@example.com"}}).encode()


@pytest.mark.parametrize("header", ["X-Postern-Email", "POSTERN_EMAIL", "Remote-User", "REMOTE_USER"])
def test_a_header_makes_one_somebody(client, header):
    def change(reply, asked):
        return Reply(200, reply.headers, VERIFIED) if asked.header(header) and "/identity" in asked.path else reply
    found = through(client, after=change)
    assert found.bad == {"url_identity_headers"} and "make it somebody" in found["url_identity_headers"]["says"]


@pytest.mark.parametrize("header", ["POSTERN_SITE", "Postern-Site"])
def test_a_header_moves_one_to_another_site(client, header):
    def change(asked):
        asked.path = asked.path.replace("/demo/", f"/{asked.header(header) or 'demo'}/")
        return asked
    found = through(client, change)
    assert found.bad == {"url_identity_headers"} and "another site" in found["url_identity_headers"]["says"]


def test_a_header_is_taken_for_authorization(client):
    def change(asked):
        taken = asked.header("X-Authorization")
        asked.headers += [("Authorization", taken)] if taken else []
        return asked
    assert through(client, change).bad == {"url_identity_headers"}


def test_spoofed_headers_may_be_refused_by_the_server(client):
    found = through(client, lambda asked: Reply(400, [], b"no") if asked.header("POSTERN_SITE") else asked)
    assert found.bad == set() and "refuses" in found["url_identity_headers"]["says"]


def test_metrics_are_open(shop):
    with Lighttpd(shop, POSTERN_METRICS="1") as s:
        found = doctor(url_of(s))
        assert found.states("skipped") == {"url_metrics"} and "this machine" in found["url_metrics"]["says"]


@pytest.mark.parametrize("header", ["POSTERN_METRICS", "Postern-Metrics"])
def test_a_header_opens_the_metrics(client, header):
    def change(reply, asked):
        return Reply(200, [("Content-Type", "text/plain")], b"x 1\n") if asked.header(header) and "metrics" in asked.path else reply
    found = through(client, after=change)
    assert found.bad == {"url_metrics"} and found["url_metrics"]["state"] == "wrong"


# ---- bodies ----

def html(status):
    return Reply(status, [("Content-Type", "text/html"), ("Server", "nginx/1.22.1")], b"<html>sorry</html>")


def test_bodies_over_8_kib_are_refused(client):
    found = through(client, lambda asked: html(413) if len(asked.body) > 8192 else asked)
    assert found.states("wrong") == {"url_body"} and "too large" in found["url_body"]["says"]
    assert found.states("warning") == {"url_body_chunked", "url_body_limit"} and "413, text/html" in found["url_body_limit"]["says"]


def test_bodies_are_cut_at_8_kib(client):
    def change(asked):
        asked.body = asked.body[:8192]
        return asked
    found = through(client, change)
    assert found.states("wrong") == {"url_body"} and "cut short" in found["url_body"]["says"]


def test_bodies_are_lost(shop, client):
    """And the action is not run for it."""
    def change(asked):
        asked.body = b""
        return asked
    before = len(shop.data.audit())
    found = through(client, change)
    assert "does not arrive at all" in found["url_body"]["says"]
    assert {r["outcome"] for r in shop.data.audit()[before:]} == {"blocked", "refused"}


def test_chunked_bodies_are_refused(client):
    found = through(client, lambda asked: html(411) if asked.header("Transfer-Encoding") else asked)
    assert found.states("warning") == {"url_body_chunked"} and found.states("wrong") == set()


def test_a_site_without_a_personal_action(shop, server):
    shop.data.run("site", "add", "plain")
    found = doctor(url_of(server), "--site", "plain")
    assert found.bad == set() and "cannot be seen" in found["url_body"]["says"]


# ---- answers ----

def test_the_server_adds_its_own_cors(client):
    """Two Access-Control-Allow-Origin, which browsers refuse."""
    found = through(client, after=lambda r, asked: r.with_header("Access-Control-Allow-Origin", "*"), options=["--origin", ALLOWED])
    assert found.bad == {"url_cors"} and found["url_cors"]["state"] == "wrong"


def test_the_server_adds_cors_twice(client):
    def change(reply, asked):
        return reply.with_header("Access-Control-Allow-Origin", ALLOWED).with_header("Access-Control-Allow-Origin", ALLOWED)
    assert through(client, after=change).bad == {"url_cors"}


def test_the_server_lets_every_origin_read(client):
    def change(reply, asked):
        origin = asked.header("Origin")
        return reply.without("Access-Control-Allow-Origin").with_header("Access-Control-Allow-Origin", origin) if origin else reply
    assert through(client, after=change).states("wrong") == {"url_cors"}


def test_the_server_removes_postern_s_cors(client):
    found = through(client, after=lambda reply, asked: reply.without("Access-Control-Allow-Origin"), options=["--origin", ALLOWED])
    assert found.states("wrong") == {"url_cors"}


def test_options_do_not_arrive(client):
    found = through(client, lambda asked: html(405) if asked.method == "OPTIONS" else asked)
    assert found.bad == {"url_cors"} and "405, text/html" in found["url_cors"]["says"]


def test_error_pages_are_replaced(client):
    found = through(client, after=lambda reply, asked: html(reply.status) if reply.status >= 400 else reply)
    assert {"url_error_pages", "url_authorization"} <= found.states("wrong")
    assert "fastcgi_intercept_errors" in found["url_error_pages"]["mend"]


def test_only_not_found_is_replaced(client):
    found = through(client, after=lambda reply, asked: html(404) if reply.status == 404 else reply)
    assert found.bad == {"url_error_pages"}


def test_answers_come_from_a_cache(client):
    kept = {}

    def before(asked):
        return kept.get((asked.method, asked.path)) if asked.method == "GET" and not asked.header("Authorization") else asked
    def after(reply, asked):
        return kept.setdefault((asked.method, asked.path), reply)
    found = through(client, lambda asked: before(asked) or asked, after)
    assert "url_cache" in found.states("wrong") and "twice" in found["url_cache"]["says"]


def test_answers_may_be_kept(client):
    found = through(client, after=lambda r, asked: r.without("Cache-Control").with_header("Cache-Control", "public, max-age=60"))
    assert found.states("warning") == {"url_cache"} and "no-store" in found["url_cache"]["says"]


def test_head_is_refused(client):
    assert through(client, lambda asked: html(405) if asked.method == "HEAD" else asked).bad == {"url_head"}


def test_a_path_is_decoded_twice(client):
    def change(asked):
        asked.path = asked.path.replace("%25", "%")
        return asked
    found = through(client, change)
    assert found.states("wrong") == {"url_paths"} and "twice" in found["url_paths"]["says"]


def test_an_encoded_path_is_another(client):
    found = through(client, lambda asked: html(404) if "%64" in asked.path else asked)
    assert found.states("warning") == {"url_paths"} and found.states("wrong") == set()


def test_its_clock_is_off(client):
    def change(reply, asked):
        return reply.without("Date").with_header("Date", time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() - 300)))
    found = through(client, after=change)
    assert found.states("warning") == {"url_clock"} and re.search(r"differ by [45]m", found["url_clock"]["says"])


# ---- what answers there is not Postern, or nothing does ----

def alone(url, *options):
    """The one finding where the rest cannot be looked at."""
    found = doctor(url, *options)
    assert set(found.rows) == {"url_answers"} and found["url_answers"]["state"] == "wrong", str(found.ran)
    return found["url_answers"]


@pytest.mark.parametrize("reply, says, mend", [
    (html(404), "nothing is mapped there", "deploy/"),
    (html(200), "something else answers", "deploy/"),
    (Reply(200, [("Content-Type", "application/json")], b'{"status":"ok"}'), "something else answers", "deploy/"),
    (html(502), "does not reach the worker", "systemctl"),
    (html(503), "does not reach the worker", "--peer"),
    (html(504), "does not reach the worker", "systemctl"),
    (html(500), "the web server fails", "error log"),
    (html(401), "sign-in of its own", "Let /postern/v1/ through"),
    (html(403), "refuses it", "Let /postern/v1/ through"),
])
def test_something_else_answers(reply, says, mend):
    with Standin(lambda asked: reply) as s:
        row = alone(s.url)
        assert says in row["says"] and str(reply.status) in row["says"] and mend in row["mend"]


def test_a_redirect_is_not_followed_and_told_without_its_secrets():
    with Standin(lambda asked: Reply(302, [("Location", "https://login.example.com/in?code=SECRET#SECRET")])) as s:
        row = alone(s.url)
        assert "redirects to https://login.example.com/in (" in row["says"] and "SECRET" not in json.dumps(row)
        assert len(s.asked) == 1


def test_a_token_in_the_path_of_a_redirect_is_not_told():
    token = tokens.mint("a-secret-of-somebody-s-of-more-than-32-bytes")
    with Standin(lambda asked: Reply(302, [("Location", f"/in/{token}/x")])) as s:
        row = alone(s.url)
        assert "hidden" in row["says"] and "eyJ" not in json.dumps(row)


def test_the_url_says_v1_already(server):
    assert "not the path" in alone(url_of(server) + "/v1")["says"]


def test_the_worker_is_gone(shop):
    with Lighttpd(SimpleNamespace(data=shop.data, socket="/nonexistent.sock")) as s:
        assert "does not reach the worker" in alone(url_of(s))["says"]


def test_nobody_listens():
    assert "no connection" in alone(f"http://127.0.0.1:{closed_port()}/postern")["says"]


def test_it_hangs_up():
    with Standin(lambda asked: None) as s:
        assert "without an answer" in alone(s.url)["says"]


def test_it_does_not_speak_http():
    with Standin(lambda asked: b"220 mail.example.com ESMTP\r\n") as s:
        assert "does not speak HTTP" in alone(s.url)["says"]


def test_it_breaks_off():
    with Standin(lambda asked: b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf") as s:
        assert "broke" in alone(s.url)["says"]


@pytest.mark.slow
def test_it_never_answers():
    def wait(_):
        time.sleep(12)
    with Standin(wait) as s:
        start = time.monotonic()
        assert "in time" in alone(s.url)["says"] and 9 < time.monotonic() - start < 12


def test_its_name_is_not_known():
    """A name that no resolver asks the network for: one may be slow to say no."""
    assert "no address" in alone(f"http://{'a' * 64}.invalid/postern")["says"]


def test_tls_is_not_spoken(server):
    assert "TLS" in alone(f"https://127.0.0.1:{server.port}{PREFIX}")["says"]


def test_its_certificate_is_not_trusted(tmp_path):
    subprocess.run([tool("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"],
                   check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with Standin(lambda asked: Reply(200), tls=tls) as s:
        assert "certificate is not trusted" in alone(s.url)["says"]
        assert s.asked == []


# ---- hostile answers ----

def test_escape_sequences_do_not_reach_the_terminal():
    evil = "text/\x1b]0;owned\x07\x1b[2J\x9b31m"
    with Standin(lambda asked: Reply(302, [("Location", evil), ("Content-Type", evil), ("Server", evil)], b"\x1b[2J")) as s:
        ran = postern("doctor", "--url", s.url, env={"POSTERN_DATA": "/nonexistent"})
        assert ran.code == 1 and not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", ran.out + ran.err), repr(ran.out)
        assert "\\x1b" in ran.out
        assert "\x1b" not in doctor(s.url).ran.out


def test_a_long_answer_is_not_waited_for():
    with Standin(lambda asked: Reply(200, [("Content-Type", "application/json")], b"[" * 10_000_000)) as s:
        start = time.monotonic()
        alone(s.url)
        assert time.monotonic() - start < 5


def test_headers_without_end():
    with Standin(lambda asked: b"HTTP/1.1 200 OK\r\n" + b"X-Filler: " + b"a" * 4000 + b"\r\n" * 1 + b"".join(
            b"X-%d: %s\r\n" % (i, b"b" * 4000) for i in range(40)) + b"\r\n") as s:
        assert "longer than anything sound" in alone(s.url)["says"]


def ours(body, status=200, kind="application/json", request_id="01JD0000000000000000000000"):
    return Reply(status, [("Content-Type", kind), ("X-Request-Id", request_id), ("Cache-Control", "no-store")], body)


@pytest.mark.parametrize("body", [b"[" * 60000, b'{"identity":' * 5000, b'{"identity":{"status":7}}', b'{"identity":{"status":"\xff"}}',
                                  b'{"code":"' + b"x" * 60000 + b'"}', b'{"actions":[{"name":"../../x","access":"personal"}]}', b"\0"],
                         ids=range(7))
@pytest.mark.parametrize("kind", ["application/json", "application/problem+json"])
def test_answers_that_only_look_like_postern(body, kind):
    """Whatever comes back, doctor ends with findings."""
    with Standin(lambda asked: ours(body, kind=kind)) as s:
        assert "url_cache" in doctor(s.url).states("wrong")


def test_a_hostile_catalogue_does_not_choose_the_path(client):
    def change(reply, asked):
        names = ["../../../admin", "a b", "x" * 300, "", "%2e", "a\r\nX: y", 7]
        actions = [{"name": name, "access": "personal"} for name in names]
        return Reply(200, reply.headers, json.dumps({"actions": actions}).encode()) if asked.path.endswith("/actions") else reply
    with Middleman(client, after=change) as m:
        doctor(url_of(m))
        posted = {asked.path for asked in m.asked if asked.method == "POST"}
        assert posted == {PREFIX + "/v1/sites/demo/actions/doctor_probe"}


# ---- which site ----

def test_there_is_no_such_site(server):
    found = doctor(url_of(server), "--site", "nowhere")
    assert found.states("wrong") == {"url_site"} and "no site nowhere" in found["url_site"]["says"]
    assert "url_authorization" not in found.rows


def test_no_site_is_named_and_there_is_no_demo(data):
    with Worker(data) as worker, Lighttpd(worker) as s:
        found = doctor(url_of(s))
        assert found.states("skipped") == {"url_site"} and "--site" in found["url_site"]["says"] and found.bad == set()


def test_a_worker_that_is_pinned_to_another_site(shop):
    with Lighttpd(shop, POSTERN_SITE="plain") as s:
        assert "url_site" in doctor(url_of(s), data=shop.data).states("wrong")


def test_the_first_site_of_the_data_is_asked_for(data):
    data.add_site("acme")
    with Worker(data) as worker, Lighttpd(worker) as s:
        assert doctor(url_of(s), data=data)["url_site"]["says"].startswith("site acme")


# ---- usage ----

@pytest.mark.parametrize("args, says", [
    (["--url", "shop.example.com/postern"], "whole URL"),
    (["--url", "ftp://shop.example.com/"], "https://"),
    (["--url", "file:///etc/passwd"], "https://"),
    (["--url", "https://user:secret@shop.example.com/"], "user or password"),
    (["--url", "https://shop.example.com/#x"], "#"),
    (["--url", "https://shop.example.com/?x"], "?"),
    (["--url", "https://shop.example.com/\r\nX: y"], "whole URL"),
    (["--url", "https://shop.example.com/" + "x" * 3000], "too long"),
    (["--url", "https://x.example.com", "--site", "../x"], "site's id"),
    (["--url", "https://x.example.com", "--origin", "https://x\r\nX: y"], "origin"),
    (["--url", "https://x.example.com", "--header-file", "/dev/null"], "--mint"),
    (["--site", "demo"], "--url or --mint"),
    (["--url", "https://x.example.com", "--socket", "/run/x"], "--socket"),
])
def test_usage(args, says):
    ran = postern("doctor", *args, env={"POSTERN_DATA": "/nonexistent"})
    assert ran.code == 2 and says in ran.err and "secret" not in ran.err and ran.out == "", str(ran)


def test_data_that_is_there_but_does_not_open_is_said(server, tmp_path):
    found = doctor(url_of(server), env={"POSTERN_DATA": tmp_path})
    assert found.states("skipped") == {"data"} and found.states("ok") == CHECKS


def test_data_that_was_named_must_be_there(server):
    ran = postern("doctor", "--url", url_of(server), "--data", "/nonexistent")
    assert ran.code == 3 and ran.out == "", str(ran)
