"""postern token: the debugger's verdicts and exit codes, and minting."""
import json
import time

import pytest

from lib import tokens


@pytest.fixture
def acme(data):
    return data.add_site("acme")


def explain(acme, text, expect=1, *args):
    return acme.data.run("token", "explain", "acme", *args, "--json", stdin=text, expect=expect).json


def verdicts(explained):
    return {c["check"]: c["verdict"] for c in explained["checks"]}


def test_a_good_token_is_verified_and_every_check_passed(acme):
    e = explain(acme, acme.token(email="Alex@EXAMPLE.com", name="Alex", user_id=7), 0)
    assert set(e) == {"decision", "reason", "identity", "checks", "hints"}
    assert e["decision"] == "verified" and e["reason"] is None and e["hints"] == []
    assert e["identity"]["email"] == "Alex@EXAMPLE.com".lower() and e["identity"]["user_id"] == "7"
    assert set(verdicts(e).values()) == {"passed"} and len(e["checks"]) >= 18


def test_it_takes_a_token_a_header_value_or_a_whole_header_line_from_stdin_or_a_file(acme, tmp_path):
    token = acme.token()
    for text in (token, token + "\n", f"Bearer {token}", f"bearer   {token}\r\n", f"Authorization: Bearer {token}\n"):
        explain(acme, text, 0)
        explain(acme, text, 0, "-")
    (tmp_path / "t").write_text(token)
    explain(acme, "", 0, tmp_path / "t")
    acme.data.run("token", "explain", "acme", tmp_path / "none", expect=3)


@pytest.mark.parametrize("text, decision, reason", [
    ("", "blocked", "token_malformed"), ("Basic YWxleDp4", "anonymous", "no_token"), ("Bearer", "blocked", "token_malformed"),
    ("nonsense", "blocked", "token_malformed"), ("Bearer a.b.c, Bearer d.e.f", "blocked", "token_malformed"),
])
def test_what_is_no_token(acme, text, decision, reason):
    e = explain(acme, text)
    assert (e["decision"], e["reason"]) == (decision, reason)
    assert e["identity"] == {"status": decision, "reason": reason}


def test_one_failure_does_not_hide_the_others(acme):
    e = explain(acme, acme.token(exp=int(time.time()) - 100000, iat=int(time.time()) - 200000, email="alex@localhost"))
    assert e["decision"] == "blocked" and e["reason"] == "token_expired"
    v = verdicts(e)
    assert v["signature"] == "passed" and v["expiry"] == "failed" and v["lifetime"] == "failed" and v["email_reserved"] == "failed"


def test_nothing_is_said_of_claims_whose_signature_failed(acme):
    e = explain(acme, tokens.mint("postern_sk_" + "x" * 49, email="alex@example.com"))
    v = verdicts(e)
    assert e["reason"] == "signature_mismatch" and v["signature"] == "failed"
    assert {v[c] for c in ("expiry", "lifetime", "email", "email_public")} == {"not_checked"}
    assert e["identity"]["status"] == "blocked" and "email" not in e["identity"]


def test_reserved_email_is_anonymous_with_a_hint(acme):
    e = explain(acme, acme.token(email="alex@localhost"))
    assert (e["decision"], e["reason"]) == ("anonymous", "email_reserved") and len(e["hints"]) == 1 and "--accept-domain" in e["hints"][0]


@pytest.mark.parametrize("mangled, says", [
    (lambda t: t[:-2], "41 characters"), (lambda t: t[:-6], "37 characters"), (lambda t: t + "=", "padded"),
    (lambda t: t[:t.rindex(".") + 1], "signature is empty"), (lambda t: t[:-1] + "_", "left over"),
])
def test_a_mangled_token_is_not_blamed_on_its_header(acme, mangled, says):
    [hint] = explain(acme, mangled(acme.token()))["hints"]
    assert says in hint and "header" not in hint


def test_a_kid_that_is_no_string_is_named(acme):
    [hint] = explain(acme, acme.token(header={"kid": 7}))["hints"]
    assert "kid is not a string" in hint


def test_who_reserves_a_domain_is_named(acme):
    """Accepting would not help: what a site reserves wins."""
    acme.data.run("site", "set", "acme", "--reserve-domain", "staff.example.com", "--accept-domain", "staff.example.com")
    for domain in ("staff.example.com", "x.Staff.example.com"):
        [hint] = explain(acme, acme.token(email=f"alex@{domain}"))["hints"]
        assert "itself reserves staff.example.com" in hint and "--accept-domain" not in hint
    assert explain(acme, acme.token(email="alex@otherstaff.example.com"), 0)["hints"] == []


def test_people_read_the_same(acme):
    ran = acme.data.run("token", "explain", "acme", stdin=acme.token(name="\x1b[2Jx"))
    assert ran.out.startswith("verified: alex@example.com") and "signature" in ran.out and "\x1b" not in ran.out


def test_explaining_is_no_request(acme):
    before = acme.data.audit_lines()
    explain(acme, "nonsense")
    assert acme.data.audit_lines() == before


def test_mint_puts_in_what_the_policy_asks_for(acme, tmp_path):
    acme.data.run("site", "set", "acme", "--issuer", "shop", "--audience", "postern", "--require-exp")
    (tmp_path / "s").write_text(acme.secret + "\n")
    ran = acme.data.run("token", "mint", "acme", "--email", "alex@example.com", "--name", "Älex", "--user-id", "42",
                        "--ttl", "30m", "--secret-file", tmp_path / "s")
    e = explain(acme, ran.out, 0)
    assert e["identity"]["name"] == "Älex" and e["identity"]["user_id"] == "42"
    assert e["identity"]["expires_at"] == pytest.approx(time.time() + 1800, abs=5)
    assert ran.out.count("\n") == 1 and ran.err == ""
    made = acme.data.run("token", "mint", "acme", "--email", "a@b.example", "--secret-file", tmp_path / "s", "--json").json
    assert set(made) == {"token"}


def test_mint_for_attacks_too(acme, tmp_path):
    (tmp_path / "s").write_text(acme.secret)
    for args, reason in ((["--ttl", "25h"], "lifetime_too_long"), (["--ttl", "0s"], "token_expired")):
        token = acme.data.run("token", "mint", "acme", "--email", "alex@example.com", "--secret-file", tmp_path / "s", *args).out
        assert explain(acme, token)["reason"] == reason


def test_mint_refuses_a_short_secret_and_an_unknown_site(acme, tmp_path):
    (tmp_path / "s").write_text("x" * 31)
    mint = ["token", "mint", "acme", "--email", "a@example.com", "--secret-file", tmp_path / "s"]
    assert "secret_invalid" in acme.data.run(*mint, expect=1).err
    acme.data.run(*mint[:-1], tmp_path / "none", expect=3)
    (tmp_path / "s").write_text("x" * 32)
    acme.data.run("token", "mint", "nope", *mint[3:], expect=1)


def test_the_json_document_is_one(acme):
    out = acme.data.run("token", "explain", "acme", "--json", stdin="x", expect=1).out
    assert json.loads(out) and out.count("\n") == 1
