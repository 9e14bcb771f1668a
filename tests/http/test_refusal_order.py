"""Design 4: a request that is wrong in several ways gets the refusal that comes first. Every pair of faults is tried, not
only the neighbours, and all of them at once. (Truncated requests are dropped: test_protocol.py.)"""
import itertools
import json
from dataclasses import dataclass, field

import pytest

from lib.client import Client
from lib.lighttpd import Lighttpd
from lib.shop import JORDAN, Written, add_shop
from lib.vault import damage_rows
from lib.worker import Worker

OPTIONS = ("--origin", "https://listed.example.com")


@dataclass
class Request:
    """A change of Alex's open order on the site `shop`, which succeeds."""
    site: str = "ordered"
    token: str = "good"
    action: str = "change_order"
    method: str = "POST"
    media: str = "application/json"
    route: str = "/v1/sites/{site}/actions/{action}"
    members: dict = field(default_factory=lambda: {"parameters": {"id": "a-1"}})
    padding: int = 0
    origin: str = ""

    def send(self, http: Client, tokens):
        headers = [("Content-Type", self.media), *([("Origin", self.origin)] if self.origin else [])]
        return http.request(self.method, self.route.format(site=self.site, action=self.action), tokens[self.token, self.site],
                            headers=headers, body=json.dumps(self.members) + " " * self.padding)


def no_route(r):
    r.route += "/deeper"


def wrong_method(r):
    r.method = "PUT"


def too_large(r):
    r.padding = 65537


def unreadable_vault(r):
    r.site = "ordered-damaged"


def unknown_site(r):
    r.site = "nobody"


def bad_token(r):
    r.token = "bad"


def unknown_action(r):
    r.action = "no_such_action"


def wrong_media_type(r):
    r.media = "text/plain"


def malformed_body(r):
    r.members["surprise"] = 1


def foreign_conversation(r):
    r.members["conversation"] = "jordans"


def denied_origin(r):
    r.origin = "https://evil.example.com"


def plan_free(r):
    if r.site == "ordered":
        r.site = "ordered-free"


def invalid_parameters(r):
    r.members["parameters"]["note"] = 5


def missing_row(r):
    r.members["parameters"]["id"] = "none"


FAULTS = {no_route: "not_found", wrong_method: "method_not_allowed", too_large: "body_too_large", unreadable_vault: "vault_unavailable",
          unknown_site: "site_unknown", bad_token: "token_invalid", unknown_action: "action_unknown", wrong_media_type: "media_type",
          malformed_body: "request_malformed", foreign_conversation: "conversation_conflict", denied_origin: "origin_denied",
          plan_free: "plan_required", invalid_parameters: "parameters_invalid", missing_row: "not_found"}
ORDER = list(FAULTS)
# A request names one site, so it cannot be unreadable and unknown; and an unreadable one has no plan.
IMPOSSIBLE = {(unreadable_vault, unknown_site), (unreadable_vault, plan_free), (unknown_site, plan_free)}
PAIRS = [pair for pair in itertools.combinations(ORDER, 2) if pair not in IMPOSSIBLE]


@pytest.fixture(scope="module")
def ordered(module_data):
    """(client, tokens by (kind, site), the main site)"""
    data = module_data
    sites = [add_shop(data, "ordered", *OPTIONS), add_shop(data, "ordered-free", *OPTIONS, "--plan", "free"),
             add_shop(data, "ordered-damaged", *OPTIONS)]
    tokens = {("good", s.name): s.token() for s in sites} | {("bad", s.name): s.token()[:-4] + "AAAA" for s in sites}
    tokens |= {("good", "nobody"): sites[0].token(), ("bad", "nobody"): "bad"}
    assert damage_rows(data, "rings", b"ordered-damaged") == 1
    with Worker(data, "--audit-budget", "0") as worker, Lighttpd(worker) as server:
        http = server.client()
        for site in sites[:2]:                          # a public action passes the gate on both plans, and claims
            token = site.token(email=JORDAN)
            assert http.act(site.name, "hello", token=token, conversation="jordans").status == 200
        yield http, tokens, sites[0]
        damage_rows(data, "rings", b"ordered-damaged")


def wrong(*faults):
    request = Request()
    for fault in faults:
        fault(request)
    return request


def test_without_a_fault_the_request_succeeds(ordered):
    http, tokens, _ = ordered
    assert wrong().send(http, tokens).status == 200


@pytest.mark.parametrize("fault", ORDER, ids=lambda f: f.__name__)
def test_each_fault_alone_has_its_code(ordered, fault):
    http, tokens, _ = ordered
    assert wrong(fault).send(http, tokens).code == FAULTS[fault]


@pytest.mark.parametrize("first, second", PAIRS, ids=lambda f: f.__name__)
def test_the_earlier_of_two_faults_is_answered(ordered, first, second):
    http, tokens, _ = ordered
    answer = wrong(second, first).send(http, tokens)
    assert answer.code == FAULTS[first], str(answer)


@pytest.mark.parametrize("start", range(len(ORDER)), ids=lambda i: ORDER[i].__name__)
def test_all_faults_from_one_on_give_that_one(ordered, start):
    http, tokens, _ = ordered
    faults = [f for f in ORDER[start:] if f is ORDER[start] or f not in (unreadable_vault, unknown_site)]
    if ORDER[start] in (unreadable_vault, unknown_site):
        faults.remove(plan_free)
    assert wrong(*reversed(faults)).send(http, tokens).code == FAULTS[ORDER[start]]


@pytest.mark.parametrize("first, second", [
    ("method_not_allowed", "token_invalid"), ("body_too_large", "token_invalid"), ("action_unknown", "media_type")])
def test_what_comes_before_the_conversation_writes_no_record(module_data, ordered, first, second):
    http, tokens, site = ordered
    by_code = {code: fault for fault, code in FAULTS.items() if fault is not missing_row}
    damage_rows(module_data, "rings", b"ordered-damaged")       # whole again while the log is read
    try:
        written = Written(http, site)
        written.none(wrong(by_code[first], by_code[second]).send(http, tokens))
    finally:
        damage_rows(module_data, "rings", b"ordered-damaged")
