"""GET /v1/health, and GET /v1/metrics where the web server says so."""
import re
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.datadir import DataDir
from lib.fastcgi import Connection, ask, environ
from lib.ledger import HeldLedger
from lib.lighttpd import Lighttpd
from lib.programs import wait_until
from lib.shop import add_shop
from lib.worker import Worker

SAMPLE = re.compile(r'([a-z_]+)(\{[a-z]+="[a-z_]+"(?:,[a-z]+="[a-z_]+")*\})? (-?[0-9.e+]+)')


@pytest.fixture(scope="module")
def metered(unlimited):
    with Lighttpd(unlimited, POSTERN_METRICS="1") as server:
        yield server.client()


def samples(http):
    """{sample: value}; the text is Prometheus' own format."""
    answer = http.get("/v1/metrics")
    assert answer.status == 200 and answer.header("Content-Type").startswith("text/plain; version=0.0.4")
    out, typed = {}, set()
    for line in answer.body.decode().splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            assert kind in ("counter", "gauge") and name not in typed
            typed.add(name)
        elif not line.startswith("# HELP "):
            match = SAMPLE.fullmatch(line)
            assert match and match.group(1) in typed, line
            assert match.group(1) + (match.group(2) or "") not in out, f"twice: {line}"
            out[match.group(1) + (match.group(2) or "")] = float(match.group(3))
    return out


def grown(http, before):
    """What counts more now, of the counters of requests and records."""
    names = ("postern_requests", "postern_decisions", "postern_answers", "postern_records", "postern_folded", "postern_unrecorded")
    now = samples(http)
    return {name: now[name] - before.get(name, 0) for name in now if name.startswith(names) and now[name] != before.get(name, 0)}


def test_health_is_200_for_anybody(web, shop, written):
    for token in (None, shop.token(), "bad"):
        answer = web.get("/v1/health", token)
        assert answer.status == 200 and answer.json == {"status": "ok", "vault": True, "ledger": True, "space": True}
        assert answer.header("Content-Type") == "application/json"
        written.none(answer)
    assert web.request("HEAD", "/v1/health").body == b""


def test_health_says_nothing_about_sites(web, shop):
    assert b"shop" not in web.get("/v1/health").body


def test_health_is_503_while_the_ledger_cannot_be_written_and_mends(data):
    site = add_shop(data, "shop")
    with Worker(data, "--audit-budget", "0") as w, Lighttpd(w) as server:
        http = server.client()
        assert http.get("/v1/health").status == 200
        with HeldLedger(data), ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(http.act, "shop", "list_orders", token=site.token())
            answer = wait_until(lambda: a if (a := http.send("GET", "/v1/health")).status == 503 else None, "health to say so", 5)
            assert answer.json == {"status": "failing", "vault": True, "ledger": False, "space": True}
            assert answer.header("Retry-After").isdigit()
            assert waiting.result().code == "audit_unavailable"
        http.act("shop", "list_orders", token=site.token())
        wait_until(lambda: http.send("GET", "/v1/health").status == 200, "the worker to be well again")


def test_metrics_are_not_there_unless_the_server_says_so(web, unlimited):
    assert web.get("/v1/metrics").code == "not_found"
    for value in ("0", "", "true", "yes", "1 ", "11"):
        assert ask(unlimited, path="/v1/metrics", POSTERN_METRICS=value).code == "not_found"
    pairs = [*environ(path="/v1/metrics").items(), ("POSTERN_METRICS", "1"), ("POSTERN_METRICS", "1")]
    with Connection(unlimited.socket) as c:
        assert c.ask(pairs).answer.check().code == "not_found"


def test_a_client_cannot_ask_for_metrics(web):
    headers = [("Postern-Metrics", "1"), ("Http-Postern-Metrics", "1")]
    assert web.request("GET", "/v1/metrics?POSTERN_METRICS=1", headers=headers).code == "not_found"


def test_metrics_take_get_and_head_alone(metered):
    assert metered.request("HEAD", "/v1/metrics").body == b""
    assert metered.request("POST", "/v1/metrics", body="").header("Allow") == "GET, HEAD, OPTIONS"


def test_every_request_is_counted_by_endpoint_decision_and_answer(metered, shop):
    before = samples(metered)
    metered.identity("shop")
    metered.identity("shop", shop.token())
    metered.identity("shop", shop.token(email="alex@shop.test"))
    metered.catalogue("shop", "x.y.z")
    metered.act("shop", "list_orders", token=shop.token())
    metered.act("shop", "list_orders")
    metered.act("shop", "hello", token=shop.token(ttl=-1))
    metered.get("/v1/nothing", "bad")
    metered.identity("nobody", "bad")
    metered.request("OPTIONS", "/v1/sites/shop/identity")
    metered.get("/v1/health")
    assert grown(metered, before) == {
        'postern_requests_total{endpoint="identity"}': 4, 'postern_requests_total{endpoint="actions"}': 1,
        'postern_requests_total{endpoint="action"}': 3, 'postern_requests_total{endpoint="none"}': 1,
        'postern_requests_total{endpoint="preflight"}': 1, 'postern_requests_total{endpoint="health"}': 1,
        'postern_requests_total{endpoint="metrics"}': 1,
        'postern_decisions_total{decision="anonymous",reason="no_token"}': 2,
        'postern_decisions_total{decision="anonymous",reason="email_reserved"}': 1,
        'postern_decisions_total{decision="verified",reason="none"}': 2,
        'postern_decisions_total{decision="blocked",reason="token_malformed"}': 1,
        'postern_decisions_total{decision="blocked",reason="token_expired"}': 1,
        'postern_answers_total{code="none"}': 7, 'postern_answers_total{code="token_invalid"}': 1,
        'postern_answers_total{code="sign_in_required"}': 1, 'postern_answers_total{code="token_expired"}': 1,
        'postern_answers_total{code="not_found"}': 1, 'postern_answers_total{code="site_unknown"}': 1,
        'postern_records_total': 4}


@pytest.mark.parametrize("code, send", [
    ("request_malformed", lambda h: h.act("shop", "hello", body="{")),
    ("action_unknown", lambda h: h.act("shop", "nothing")),
    ("method_not_allowed", lambda h: h.request("PUT", "/v1/sites/shop/identity")),
    ("body_too_large", lambda h: h.act("shop", "hello", body=" " * 65537)),
    ("media_type", lambda h: h.request("POST", "/v1/sites/shop/actions/hello", headers=[("Content-Type", "a/b")], body="{}")),
    ("site_unknown", lambda h: h.act("nobody", "hello")), ("not_found", lambda h: h.get("/v1/x"))])
def test_what_is_not_recorded_is_counted(metered, shop, code, send):
    before = samples(metered)
    assert send(metered).code == code
    more = grown(metered, before)
    assert more[f'postern_answers_total{{code="{code}"}}'] == 1
    assert not any(name.startswith(("postern_records", "postern_folded")) for name in more)


def test_nothing_of_a_visitor_is_in_the_metrics(metered, shop):
    metered.act("shop", "list_orders", {"email": "canary"}, shop.token(email="canary@example.com"), "canary-conversation")
    text = metered.get("/v1/metrics").body
    for word in (b"canary", b"shop", b"127.0.0"):
        assert word not in text


def test_folds_and_lost_records_are_counted(data):
    add_shop(data, "shop")
    with Worker(data, "--audit-budget", "1") as w, Lighttpd(w, POSTERN_METRICS="1") as server:
        http = server.client()
        for _ in range(30):
            assert http.identity("shop", "bad").status == 401
        counts = samples(http)
        assert counts["postern_records_total"] + counts["postern_folded_total"] == 30 and counts["postern_folded_total"] >= 1
        assert counts["postern_unrecorded_total"] == 0


def test_gauges_tell_the_space(metered):
    values = samples(metered)
    assert 0 < values["postern_ledger_used_bytes"] < values["postern_ledger_limit_bytes"]
    assert values["postern_commits_total"] > 0 and values["postern_start_time_seconds"] > 1.7e9


def test_the_data_directory_replaced_under_the_worker_is_noticed():
    """Its files are not those it has open: what it would write is lost, so it says that it is not well."""
    with DataDir() as data:
        with Worker(data) as w:
            assert ask(w).status == 200
            shutil.copytree(data.path / "vault", data.path / "vault-copy")
            (data.path / "vault").rename(data.path / "vault-before")
            (data.path / "vault-copy").rename(data.path / "vault")
            with w.connect() as c:
                answer = c.ask(environ()).answer
            assert (answer.status, answer.json) == (503, {"status": "failing", "vault": False, "ledger": True, "space": True})
