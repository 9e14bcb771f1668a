"""The table of design 6: every kind of caller, both kinds of action, every plan."""
import pytest

from lib.codes import CODES
from lib.shop import JORDAN, Written, add_shop, raw_token, rows

pytestmark = pytest.mark.tree("sanitized")

SIGN_IN = "https://shop.example.com/sign-in"
PLANS = ["free", "pro", "business"]
CALLERS = {
    "none": lambda s: None, "valid": lambda s: s.token(), "reserved": lambda s: s.token(email="alex@shop.test"),
    "not public": lambda s: s.token(email="alex@acme.corp"), "bad": lambda s: s.token()[:-4] + "AAAA",
    "expired": lambda s: s.token(ttl=-1), "no email": lambda s: raw_token(s, {})}
PUBLIC_READ, PUBLIC_WRITE = ("hello", {}), ("contact", {"text": "hi"})
PERSONAL_READ, PERSONAL_WRITE = ("get_order", {"id": "a-1"}), ("create_order", {"item": "x"})


@pytest.fixture(scope="module")
def plans(module_data):
    return {plan: add_shop(module_data, f"plan-{plan}", "--plan", plan, "--sign-in-url", SIGN_IN) for plan in PLANS}


def expected(caller, access, plan):
    """(code or None, reason in the audit)"""
    blocked = {"bad": ("token_invalid", "signature_mismatch"), "expired": ("token_expired", "token_expired"),
               "no email": ("token_invalid", "email_missing")}
    if caller in blocked:
        return blocked[caller]
    if access == "public":
        return None, None
    if caller == "valid":
        return ("plan_required", "plan_required") if plan == "free" else (None, None)
    return "sign_in_required", {"none": "sign_in_required", "reserved": "email_reserved", "not public": "email_not_public"}[caller]


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("access, action, parameters", [
    ("public", *PUBLIC_READ), ("public", *PUBLIC_WRITE), ("personal", *PERSONAL_READ), ("personal", *PERSONAL_WRITE)],
    ids=lambda v: v if isinstance(v, str) else "")
@pytest.mark.parametrize("caller", list(CALLERS))
def test_the_gate(web, plans, plan, access, action, parameters, caller):
    site = plans[plan]
    token = CALLERS[caller](site)
    before, written = {name: rows(site, name) for name in ("orders", "contacts")}, Written(web, site)
    answer = web.act(site.name, action, parameters, token)
    code, reason = expected(caller, access, plan)
    assert answer.code == code and answer.status == (CODES[code].status if code else 200), str(answer)
    record = written.one(answer, reason=reason, outcome="done" if code is None else "blocked" if "token" in code else "refused")
    if code is None:
        status = answer.json["identity"]
        assert status["status"] == ("verified" if caller == "valid" else "anonymous")
        assert ("subject" in record) == (caller not in ("none",))
    else:
        assert {name: rows(site, name) for name in ("orders", "contacts")} == before
        assert answer.json.get("sign_in_url") == (SIGN_IN if code in ("sign_in_required", "token_expired") else None)


def test_repeating_without_authorization_is_a_new_anonymous_request(web, plans):
    site = plans["pro"]
    assert web.act(site.name, "hello", token="bad").status == 401
    assert web.act(site.name, "hello").json["identity"] == {"status": "anonymous", "reason": "no_token"}


def test_the_plan_counts_from_the_very_next_request(web, module_data):
    site = add_shop(module_data, "upgraded", "--plan", "free")
    token = site.token()
    for plan, status in (("pro", 200), ("free", 403), ("business", 200)):
        module_data.run("site", "set", site.name, "--plan", plan)
        assert web.act(site.name, "list_orders", token=token).status == status


def test_the_default_plan_is_pro(web, shop):
    assert web.act("shop", "list_orders", token=shop.token()).status == 200


def test_a_domain_the_site_accepts_is_verified(web, module_data):
    site = add_shop(module_data, "accepting", "--accept-domain", "test", "--accept-domain", "corp", "--reserve-domain", "example.com")
    for email in ("alex@shop.test", "alex@acme.corp"):
        assert web.act(site.name, "list_orders", token=site.token(email=email)).json["identity"]["email"] == email
    assert web.act(site.name, "list_orders", token=site.token()).code == "sign_in_required"


@pytest.mark.parametrize("action, name", [("get_order", "j-1"), ("change_order", "j-1"), ("delete_order", "j-1")])
def test_somebody_elses_document_and_none_are_answered_alike(web, shop, action, name):
    """Byte for byte apart from the request id: foreign, nobody's, and missing."""
    answers = [web.act("shop", action, {"id": which}, shop.token()) for which in (name, "n-1", "zz-9")]
    first = answers[0]
    for answer in answers:
        assert answer.status == 404 and answer.body == first.body
        drop = ("x-request-id", "date")
        assert [h for h in answer.headers if h[0].lower() not in drop] == [h for h in first.headers if h[0].lower() not in drop]
    assert (JORDAN, "j-1") in rows(shop)
