"""The table `What a request writes` of design 9, and the members of records (design 10), from requests over HTTP."""
import hashlib
import json
import re
import threading
import time

import pytest

from lib.codes import CODES, TOKEN_FAULTS, UNUSABLE_EMAILS, between
from lib.fastcgi import Connection, ask, environ
from lib.ledger import HeldLedger
from lib.shop import ALEX, JORDAN, Written, add_shop, everything, raw_token, rows
from lib.tokens import HEADER

pytestmark = pytest.mark.tree("sanitized")

ALWAYS = {"event", "id", "outcome", "seq", "time", "v"}
OF_ACTION = ALWAYS | {"site", "remote", "status", "action", "effect"}
OF_TOKEN = {"kid", "subject", "token"}


# ---- sites whose settings some reasons need ----

class Shops:
    def __init__(self, data):
        self.main = add_shop(data, "records", "--origin", "https://shop.example.com")
        self.free = add_shop(data, "records-free", "--plan", "free")
        self.strict = add_shop(data, "records-strict", "--require-exp")
        self.issuer = add_shop(data, "records-issuer", "--issuer", "https://issuer.example.com", "--audience", "postern")
        self.empty = add_shop(data, "records-empty", key=False)
        self.retired = add_shop(data, "records-retired")
        self.old = self.retired.kid
        self.old_token = self.retired.token()
        self.retired.add_key()
        self.retired.retire(self.old)


@pytest.fixture(scope="module")
def shops(module_data):
    return Shops(module_data)


@pytest.fixture
def log(web, shops):
    return Written(web, shops.main)


# ---- every reason that a record can have: how one comes by it. (site, token), or a function that asks ----

def bad(**claim):
    return lambda s: (s.main, s.main.token(**claim))


def raw(payload, header=None):
    return lambda s: (s.main, raw_token(s.main, payload, header))


GOOD = {"email": ALEX}
BLOCKED = {
    "token_malformed": lambda s: (s.main, "x.y"),
    "token_algorithm": raw(GOOD, {"alg": "none"}),
    "token_critical": raw(GOOD, {"crit": ["exp"]}),
    "ring_empty": lambda s: (s.empty, s.main.token()),
    "key_retired": lambda s: (s.retired, s.old_token),
    "signature_mismatch": lambda s: (s.main, s.main.token(secret="x" * 40)),
    "claim_invalid": raw({**GOOD, "exp": "soon"}),
    "token_expired": bad(ttl=-1),
    "token_not_yet_valid": bad(nbf=2**52),
    "lifetime_too_long": bad(ttl=86401),
    "expiry_missing": lambda s: (s.strict, s.strict.token(exp=None)),
    "issuer_mismatch": lambda s: (s.issuer, s.issuer.token(iss="https://other.example.com", aud="postern")),
    "audience_mismatch": lambda s: (s.issuer, s.issuer.token(iss="https://issuer.example.com", aud=["other"])),
    "email_missing": bad(email=None),
    "email_malformed": raw({"email": "alex@@example.com"}),
}
REFUSED = {
    "email_reserved": lambda web, s: web.act("records", "list_orders", token=s.main.token(email="alex@shop.test")),
    "email_not_public": lambda web, s: web.act("records", "list_orders", token=s.main.token(email="alex@acme.corp")),
    "parameters_invalid": lambda web, s: web.act("records", "get_order", {}, s.main.token()),
    "sign_in_required": lambda web, s: web.act("records", "list_orders"),
    "plan_required": lambda web, s: web.act("records-free", "list_orders", token=s.free.token()),
    "conversation_conflict": lambda web, s: web.act("records", "list_orders", token=s.main.token(email=JORDAN), conversation="alexs"),
    "origin_denied": lambda web, s: web.act("records", "list_orders", token=s.main.token(), headers=[("Origin", "https://evil.example.com")]),
    "identity_incomplete": lambda web, s: web.act("records", "by_user_id", token=s.main.token()),
    "not_found": lambda web, s: web.act("records", "get_order", {"id": "none"}, s.main.token()),
    "conflict": lambda web, s: web.act("records", "delete_order", {"id": "a-2"}, s.main.token()),
}
UNRECORDED = {
    "request_malformed": lambda web, s: web.act("records", "hello", body="{"),
    "site_unknown": lambda web, s: web.act("nobody", "hello"),
    "action_unknown": lambda web, s: web.act("records", "none"),
    "method_not_allowed": lambda web, s: web.request("PUT", "/v1/sites/records/actions/hello"),
    "body_too_large": lambda web, s: web.act("records", "hello", body=" " * 65537),
    "media_type": lambda web, s: web.request("POST", "/v1/sites/records/actions/hello", headers=[("Content-Type", "text/xml")], body="{}"),
}
ELSEWHERE = {
    "none": "not a refusal", "no_token": "not a refusal", "token_invalid": "what the public is told; never a record's reason",
    "rate_limited": "test_budget.py", "upstream_failed": "test_http_connector.py", "upstream_timeout": "test_http_connector.py",
    "audit_unavailable": "test_while_the_ledger_cannot_be_written", "vault_unavailable": "test_problem.py", "overloaded": "test_protocol.py",
    "site_not_set": "test_authorizer.py", **dict.fromkeys(between("connection_unknown", "outcome_unknown"), "test_http_connector.py"),
    "replayed": "an outcome that is done"}


def test_every_code_of_a_request_is_in_one_of_these_tables():
    """A new code in codes.h fails here until somebody says what it writes."""
    assert set(BLOCKED) == set(TOKEN_FAULTS) and set(UNUSABLE_EMAILS) <= set(REFUSED)
    tables = [BLOCKED, REFUSED, UNRECORDED, ELSEWHERE]
    assert sorted(name for table in tables for name in table) == sorted(between("none", "replayed"))
    assert between("replayed", list(CODES)[-1])[1] == "site_exists", "the codes behind it are admins'"


# ---- blocked tokens ----

@pytest.mark.parametrize("endpoint", ["identity", "actions", "action"])
@pytest.mark.parametrize("reason", list(BLOCKED))
def test_a_blocked_token_writes_one_blocked_record(web, shops, log, reason, endpoint):
    site, token = BLOCKED[reason](shops)
    before = rows(site)
    answer = {"identity": lambda: web.identity(site.name, token), "actions": lambda: web.catalogue(site.name, token),
              "action": lambda: web.act(site.name, "create_order", {"item": "x"}, token)}[endpoint]()
    assert answer.status == 401
    record = log.one(answer, outcome="blocked", reason=reason, status=401, site=site.name, v=1,
                     event="action" if endpoint == "action" else "identity",
                     token=hashlib.sha256(token.encode()).hexdigest()[:8])
    assert ("action" in record, "effect" in record) == ((True, True) if endpoint == "action" else (False, False))
    verified = TOKEN_FAULTS.index(reason) > TOKEN_FAULTS.index("signature_mismatch")
    assert record.get("kid") == (site.kid if verified else None)
    assert ("subject" in record) == (verified and reason not in ("email_missing", "email_malformed"))
    assert record.get("kid_claimed") == (shops.old if reason == "key_retired" else None)
    assert rows(site) == before


@pytest.mark.parametrize("token", ["", "a b", "a, b", "x" * 8193])
def test_what_is_no_single_token_is_blocked_too(unlimited, web, shops, log, token):
    """Straight to the worker: a web server has a limit of its own for a header."""
    log.one(ask(unlimited, path="/v1/sites/records/identity", HTTP_AUTHORIZATION=f"Bearer {token}"), outcome="blocked",
            reason="token_malformed")


def test_a_blocked_record_names_only_actions_the_site_has(web, shops, log):
    assert "action" not in log.one(web.act("records", "no_such_action", token="x.y.z"), event="action", outcome="blocked")
    assert log.one(web.act("records", "hello", token="x.y.z"))["action"] == "hello"


# ---- refusals ----

@pytest.mark.parametrize("reason", list(REFUSED))
def test_a_refused_action_writes_one_refused_record(web, shops, log, reason):
    web.act("records", "hello", token=shops.main.token(), conversation="alexs")
    log.take()
    before = everything(shops.main)
    answer = REFUSED[reason](web, shops)
    code = "sign_in_required" if reason in UNUSABLE_EMAILS else reason
    assert answer.code == code
    record = log.one(answer, event="action", outcome="refused", reason=reason, status=CODES[code].status)
    expected = OF_ACTION | {"reason"} | (OF_TOKEN if reason != "sign_in_required" else set())
    assert set(record) - {"conversation"} == expected
    assert everything(shops.main) == before


@pytest.mark.parametrize("reason", list(UNRECORDED))
def test_what_comes_before_writes_nothing(web, shops, log, reason):
    before = everything(shops.main)
    answer = UNRECORDED[reason](web, shops)
    assert answer.code == reason
    log.none(answer)
    assert everything(shops.main) == before


@pytest.mark.parametrize("path", ["/v1/sites/records/identity", "/v1/sites/records/actions", "/v1/health", "/v1/nothing"])
@pytest.mark.parametrize("who", ["anonymous", "verified", "reserved"])
def test_asking_who_and_what_writes_nothing(web, shops, log, path, who):
    token = {"anonymous": None, "verified": shops.main.token(), "reserved": shops.main.token(email="alex@shop.test")}[who]
    log.none(web.get(path, token))


# ---- what is done ----

@pytest.mark.parametrize("action, effect, parameters, who", [
    ("hello", "read", {}, "anonymous"), ("hello", "read", {}, "verified"), ("browse", "read", {}, "anonymous"),
    ("look_up", "read", {"id": "n-1"}, "verified"), ("contact", "write", {"text": "x"}, "anonymous"),
    ("contact", "write", {"text": "x"}, "verified"), ("static_own", "read", {}, "verified"),
    ("list_orders", "read", {}, "verified"), ("create_order", "write", {"item": "x"}, "verified"), ("hello", "read", {}, "reserved")])
def test_an_action_that_is_done_writes_one_done_record(web, shops, log, action, effect, parameters, who):
    token = {"anonymous": None, "verified": shops.main.token(), "reserved": shops.main.token(email="alex@shop.test")}[who]
    answer = web.act("records", action, parameters, token)
    assert answer.status == 200
    record = log.one(answer, event="action", outcome="done", action=action, effect=effect, status=200, site="records",
                     remote="127.0.0.0/24")
    assert set(record) - {"duration_ms"} == OF_ACTION | (OF_TOKEN if token else set())
    assert abs(record["time"] / 1e6 - time.time()) < 60


def test_a_destructive_action_says_so(web, shops, log):
    made = web.act("records", "create_order", {"item": "x"}, shops.main.token()).json["result"]
    log.take()
    log.one(web.act("records", "delete_order", {"id": made["id"]}, shops.main.token()), outcome="done", effect="destructive")


def test_the_record_and_the_change_are_there_when_the_answer_is(web, shops):
    """No fence here: what the answer says is on disk before it leaves."""
    for n in range(10):
        answer = web.act("records", "create_order", {"item": f"n{n}"}, shops.main.token())
        assert [r["outcome"] for r in shops.main.data.audit(id=answer.request_id)] == ["done"]
        assert (ALEX, answer.json["result"]["id"]) in rows(shops.main)


# ---- members ----

def test_a_token_without_expiry_is_recorded_as_such(web, shops, log):
    token = shops.main.token(exp=None)
    assert log.one(web.act("records", "list_orders", token=token))["expiry"] == "none"
    assert log.one(web.act("records", "by_name", token=token), outcome="refused")["expiry"] == "none"
    assert "expiry" not in log.one(web.act("records", "list_orders", token=shops.main.token()))
    assert "expiry" not in log.one(web.act("records", "list_orders", token=raw_token(shops.main, GOOD, {"alg": "none"})))
    token = shops.strict.token(exp=None)
    assert log.one(web.act("records-strict", "hello", token=token), reason="expiry_missing")["expiry"] == "none"


def test_the_subject_is_the_normalised_emails_and_the_sites_own(web, shops, log):
    def subject(site, email, action="list_orders"):
        return log.one(web.act(site.name, action, token=site.token(email=email)))["subject"]
    alex = subject(shops.main, ALEX)
    assert re.fullmatch("h1:[0-9a-f]{32}", alex)
    assert subject(shops.main, "ALEX@Example.COM") == alex
    assert subject(shops.main, JORDAN) != alex
    assert subject(shops.free, ALEX, "hello") != alex
    assert alex != "h1:" + hashlib.sha256(ALEX.encode()).hexdigest()[:32], "it is keyed"


def test_kid_is_the_key_that_verified_not_the_one_claimed(web, shops, log, module_data):
    site = add_shop(module_data, "records-kids")
    first = site.kid
    second = site.add_key()
    written = Written(web, site)
    assert written.one(web.act(site.name, "list_orders", token=site.token(kid=first)))["kid"] == first
    assert written.one(web.act(site.name, "list_orders", token=site.token(kid=second, named=False)))["kid"] == second
    unknown = raw_token(site, GOOD, {"kid": "k_aaaaaaaa"})
    assert written.one(web.act(site.name, "list_orders", token=unknown))["kid"] == second
    # a known kid is the only key that counts
    crossed = raw_token(site, GOOD, {"kid": first})
    record = written.one(web.act(site.name, "list_orders", token=crossed), reason="signature_mismatch")
    assert "kid" not in record and "kid_claimed" not in record


def test_no_value_of_a_header_is_stored(web, shops, log):
    canary = "canary-in-the-header"
    for header in ({"kid": canary}, {"alg": canary}, {"typ": canary}, {"jku": canary}, {"crit": [canary]}):
        record = log.one(web.act("records", "hello", token=raw_token(shops.main, GOOD, {**HEADER, **header})))
        assert canary not in json.dumps(record)
    for name in ("Origin", "User-Agent", "Referer", "X-Forwarded-For", "Idempotency-Key", "Cookie"):
        record = log.one(web.act("records", "hello", token=shops.main.token(), headers=[(name, canary)]))
        assert canary not in json.dumps(record)


@pytest.mark.parametrize("address, network", [
    ("203.0.113.7", "203.0.113.0/24"), ("255.255.255.255", "255.255.255.0/24"), ("0.0.0.0", "0.0.0.0/24"),
    ("2001:db8:1:22ff:3:4:5:6", "2001:db8:1:2200::/56"), ("2001:DB8::1", "2001:db8::/56"), ("::1", "::/56"),
    ("::ffff:203.0.113.7", "203.0.113.0/24"), ("unix:", None), ("", None), (None, None), ("203.0.113.7:443", None),
    ("203.0.113", None), ("203.0.113.7, 10.0.0.1", None), ("fe80::1%eth0", None), ("\"><script>", None)])
def test_remote_is_the_network_of_the_sender(unlimited, log, address, network):
    for token in (None, "Bearer x"):
        answer = ask(unlimited, "POST", "/v1/sites/records/actions/list_orders", "{}", REMOTE_ADDR=address, HTTP_AUTHORIZATION=token)
        assert log.one(answer).get("remote") == network


def test_a_forwarded_address_is_not_believed(web, log):
    headers = [("X-Forwarded-For", "198.51.100.1"), ("Forwarded", "for=198.51.100.1"), ("X-Real-IP", "198.51.100.1"), ("Remote-Addr", "1.2.3.4")]
    assert log.one(web.act("records", "list_orders", headers=headers))["remote"] == "127.0.0.0/24"


def test_nothing_clear_of_a_visitor_is_in_the_ledger(web, shops, module_data):
    """Neither in the log nor in the bytes of the ledger: the email and name are sealed, the conversation hashed."""
    canaries = {"email": "canary.person@example.com", "name": "Canary Person"}
    token = shops.main.token(**canaries)
    for action in ("list_orders", "hello"):
        assert web.act("records", action, token=token, conversation="canary-conversation-1").status == 200
    web.act("records", "by_user_id", token=token)
    web.identity("records", token)
    web.act("records", "hello", token=shops.main.token(ttl=-1, **canaries))
    lines = "\n".join(module_data.audit_lines())
    ledger = (module_data.path / "ledger/data.mdb").read_bytes().lower()
    for text in (*canaries.values(), "canary-conversation-1", token, token.split(".")[1], token.split(".")[2]):
        assert text not in lines and text.lower().encode() not in ledger
    assert ALEX.encode() in ledger, "the search does find what is there: an owner of documents"


# ---- while nothing can be written ----

class Asked(threading.Thread):
    """One request in the background: its answer and how long it took."""

    def __init__(self, send):
        super().__init__()
        self.send, self.answer, self.seconds = send, None, None
        self.start()

    def run(self):
        start = time.monotonic()
        self.answer = self.send()
        self.seconds = time.monotonic() - start


def test_while_the_ledger_cannot_be_written(web, shops, log):
    """Actions 503 after 2 s and never run; a blocked token stays 401; identity and catalogue answer; a public read's
    record comes later."""
    token, before = shops.main.token(), everything(shops.main)
    asks = {
        "write": lambda: web.act("records", "create_order", {"item": "never"}, token),
        "read": lambda: web.act("records", "list_orders", token=token),
        "public write": lambda: web.act("records", "contact", {"text": "never"}),
        "claim": lambda: web.act("records", "hello", token=token, conversation="while-held"),
        "refused": lambda: web.act("records", "list_orders"),
        "blocked": lambda: web.act("records", "hello", token="x.y.z"),
        "expired": lambda: web.identity("records", shops.main.token(ttl=-1)),
        "identity": lambda: web.identity("records", token), "catalogue": lambda: web.catalogue("records", token)}
    with HeldLedger(shops.main.data):
        asked = {name: Asked(send) for name, send in asks.items()}
        for thread in asked.values():
            thread.join()
    codes = {name: thread.answer.code for name, thread in asked.items()}
    assert codes == {**{name: "audit_unavailable" for name in ("write", "read", "public write", "claim", "refused")},
                     "blocked": "token_invalid", "expired": "token_expired", "identity": None, "catalogue": None}
    quick = {name for name, thread in asked.items() if thread.seconds < 1.5}
    assert quick == {"identity", "catalogue"} and max(t.seconds for t in asked.values()) < 10
    assert log.take() == [] and everything(shops.main) == before
    assert web.act("records", "hello", token=shops.main.token(email=JORDAN), conversation="while-held").status == 200


def test_a_public_reads_record_is_queued(web, shops, log):
    with HeldLedger(shops.main.data):
        asked = Asked(lambda: web.act("records", "hello"))
        asked.join()
        assert asked.answer.status == 200 and asked.seconds < 1.5
    log.one(asked.answer, outcome="done", action="hello")


def test_records_of_many_at_once_have_no_gap(unlimited, shops, log):
    """One commit may carry many; seq counts on, and each request has its own record."""
    token, answers = shops.main.token(), []

    def many():
        with Connection(unlimited.socket) as c:
            for _ in range(25):
                env = environ("POST", "/v1/sites/records/actions/list_orders", token=token, body=b"{}")
                answers.append(c.ask(env, b"{}", keep=True).answer.check())
    threads = [threading.Thread(target=many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 200 and {a.status for a in answers} == {200}
    records = log.take()
    assert sorted(r["id"] for r in records) == sorted(a.request_id for a in answers)
