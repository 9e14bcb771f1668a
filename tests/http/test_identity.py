"""GET /v1/sites/{site}/identity: whom Postern takes the caller for."""
import time

import pytest

from lib.shop import raw_token


def verified(web, site, token):
    answer = web.identity(site.name, token)
    assert answer.status == 200, str(answer)
    assert answer.header("Content-Type") == "application/json"
    assert list(answer.json) == ["identity"] and answer.json["identity"].pop("status") == "verified"
    return answer.json["identity"]


def test_without_a_token_the_caller_is_anonymous(web, shop, written):
    answer = web.identity("shop")
    assert answer.status == 200 and answer.json == {"identity": {"status": "anonymous", "reason": "no_token"}}
    written.none(answer)


@pytest.mark.parametrize("scheme", ["Basic dXNlcjpwYXNz", "Digest", "DPoP abc.def", "negotiate x"])
def test_another_scheme_without_a_jwt_is_anonymous(web, shop, scheme):
    answer = web.request("GET", "/v1/sites/shop/identity", headers=[("Authorization", scheme)])
    assert answer.json == {"identity": {"status": "anonymous", "reason": "no_token"}}


def test_a_good_token_gives_the_whole_identity(web, shop, written):
    now = int(time.time())
    answer = web.identity("shop", shop.token(email="Alex@Example.COM", name="Alex Winter", user_id="1001", now=now, ttl=600))
    assert answer.status == 200
    assert answer.json == {"identity": {"status": "verified", "email": "alex@example.com", "name": "Alex Winter", "user_id": "1001",
                                        "expires_at": now + 600}}
    written.none(answer)


def test_what_the_token_does_not_say_is_null(web, shop):
    token = shop.token(exp=None)
    assert web.identity("shop", token).json["identity"] == {"status": "verified", "email": "alex@example.com", "name": None,
                                                            "user_id": None, "expires_at": None}


def test_a_token_without_a_known_kid_is_tried_under_every_key(web, module_data):
    site = module_data.add_site("three")
    site.add_key()
    site.add_key()
    for kid in site.keys:
        assert web.identity("three", site.token(kid=kid, named=False)).json["identity"]["status"] == "verified"
        strange = raw_token(site, {"email": "alex@example.com"}, {"alg": "HS256", "kid": "k_somebody"})
        assert web.identity("three", strange).json["identity"]["status"] == "verified"


@pytest.mark.parametrize("given, pinned", [
    (17, "17"), (-4, "-4"), ("u/17 ", "u/17 "), ("x" * 128, "x" * 128), ("x" * 129, None), (1.5, None), (True, None), (None, None),
    ([], None), ({}, None), ("", None)])
def test_a_user_id_is_a_string_or_integer_and_always_a_string_for_us(web, shop, given, pinned):
    assert verified(web, shop, raw_token(shop, {"email": "alex@example.com", "user_id": given}))["user_id"] == pinned


@pytest.mark.parametrize("given, pinned", [
    ("  Alex\tWinter \r\n", "AlexWinter"), ("A\u202ele\u2066x\u2069", "Alex"), ("\u200f\x7f", None), ("", None), ("   ", None),
    ("ä" * 128, "ä" * 128), ("ä" * 127 + "x" + "ä", "ä" * 127 + "x"), ("x" * 400, "x" * 256), (5, None), (None, None), (["Alex"], None),
    ("Zoë 李 🙂", "Zoë 李 🙂")])
def test_a_name_loses_controls_and_is_cut_on_a_character(web, shop, given, pinned):
    assert verified(web, shop, raw_token(shop, {"email": "alex@example.com", "name": given}))["name"] == pinned


@pytest.mark.parametrize("email, pinned", [
    ("ALEX@EXAMPLE.COM", "alex@example.com"), ("k.o'hara+tag@sub.example.org", "k.o'hara+tag@sub.example.org"),
    ("x@münchen.de", "x@xn--mnchen-3ya.de"), ("x@MÜNCHEN.de", "x@xn--mnchen-3ya.de"), ("x@XN--MNCHEN-3YA.de", "x@xn--mnchen-3ya.de"),
    ("x@ab--cd.com", "x@ab--cd.com")])
def test_an_email_is_normalised(web, shop, email, pinned):
    assert verified(web, shop, raw_token(shop, {"email": email}))["email"] == pinned


@pytest.mark.parametrize("email, reason", [
    ("alex@shop.test", "email_reserved"), ("alex@printer.local", "email_reserved"), ("alex@1.0.10.in-addr.arpa", "email_reserved"),
    ("alex@host.internal", "email_reserved"), ("alex@ｓｈｏｐ.ｔｅｓｔ", "email_reserved"), ("alex@acme.corp", "email_not_public"),
    ("alex@host", "email_not_public"), ("alex@host.123", "email_not_public")])
def test_a_reserved_or_private_email_is_anonymous_and_says_why(web, shop, written, email, reason):
    answer = web.identity("shop", shop.token(email=email))
    assert answer.status == 200 and answer.json == {"identity": {"status": "anonymous", "reason": reason}}
    written.none(answer)


@pytest.mark.parametrize("email", ["x@contest.com", "x@notexample.com", "x@local.iana.org", "x@example.net", "x@mail.example.com"])
def test_names_are_compared_by_whole_labels_from_the_right(web, shop, email):
    assert verified(web, shop, shop.token(email=email))["email"] == email


def test_a_bad_token_is_blocked_and_never_anonymous(web, shop, written):
    answer = web.identity("shop", shop.token()[:-3] + "AAA")
    assert (answer.status, answer.code) == (401, "token_invalid")
    written.one(answer, event="identity", outcome="blocked", reason="signature_mismatch", status=401)


def test_an_expired_token_is_told_so(web, shop, written):
    answer = web.identity("shop", shop.token(ttl=-1))
    assert (answer.status, answer.code) == (401, "token_expired")
    written.one(answer, event="identity", outcome="blocked", reason="token_expired", status=401)


def test_the_next_request_is_judged_by_itself(web, shop):
    """Good, bad, none, good: nothing of one is there for the next."""
    for _ in range(20):
        assert web.identity("shop", shop.token(name="Alex")).json["identity"]["name"] == "Alex"
        assert web.identity("shop", "x.y.z").status == 401
        assert web.identity("shop").json["identity"] == {"status": "anonymous", "reason": "no_token"}
        assert web.identity("shop", shop.token()).json["identity"]["name"] is None


def test_a_retired_key_is_gone_with_the_very_next_request(web, module_data):
    site = module_data.add_site("retiring")
    old = site.kid
    token = site.token()
    assert web.identity("retiring", token).status == 200
    site.add_key()
    site.retire(old)
    assert web.identity("retiring", token).code == "token_invalid"
    assert web.identity("retiring", site.token()).status == 200


def test_a_setting_counts_from_the_very_next_request(web, module_data):
    site = module_data.add_site("changing")
    token = site.token(exp=None)
    assert web.identity("changing", token).status == 200
    module_data.run("site", "set", "changing", "--require-exp")
    assert web.identity("changing", token).code == "token_invalid"
    module_data.run("site", "set", "changing", "--no-require-exp")
    assert web.identity("changing", token).status == 200


def test_a_token_of_one_site_is_nothing_to_another(web, shop, module_data):
    other = module_data.add_site("other")
    assert web.identity("other", shop.token()).code == "token_invalid"
    assert web.identity("shop", other.token()).code == "token_invalid"


def test_head_is_get_without_a_body(web, shop):
    answer = web.request("HEAD", "/v1/sites/shop/identity", shop.token())
    assert answer.status == 200 and answer.body == b"" and answer.header("Content-Type") == "application/json"
    answer = web.request("HEAD", "/v1/sites/shop/identity", "bad")
    assert answer.status == 401 and answer.body == b"" and "invalid_token" in answer.header("WWW-Authenticate")
