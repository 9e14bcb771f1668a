"""Pinned fields (design 7): what a request says about identity is removed, listed and recorded, and never counts."""
import json

import pytest

from lib.shop import ALEX, JORDAN, Written, add_shop, rows

FIELDS = ["email", "name", "user_id", "identity"]
SPELLINGS = ["email", "Email", "EMAIL", "eMaIl", "Name", "NAME", "User_Id", "USER_ID", "Identity", "IDENTITY"]


@pytest.fixture(scope="module")
def own(module_data):
    return add_shop(module_data, "pins")


@pytest.fixture
def log(web, own):
    return Written(web, own)


def send(web, site, action, body, token=None):
    return web.act(site.name, action, token=token, body=json.dumps(body))


@pytest.mark.parametrize("name", FIELDS + SPELLINGS)
def test_at_the_top_of_the_body(web, own, log, name):
    answer = send(web, own, "get_order", {name: JORDAN, "parameters": {"id": "a-1"}}, own.token())
    assert answer.status == 200 and answer.json["ignored"] == [f"/{name}"]
    assert answer.json["result"]["id"] == "a-1" and answer.json["identity"]["email"] == ALEX
    assert log.one(answer, outcome="done")["ignored"] == [f"/{name}"]


@pytest.mark.parametrize("name", FIELDS + SPELLINGS)
def test_among_the_parameters_of_a_personal_action(web, own, log, name):
    for parameters, status in (({"id": "a-1", name: JORDAN}, 200), ({"id": "j-1", name: {"email": JORDAN}}, 404)):
        answer = send(web, own, "get_order", {"parameters": parameters}, own.token())
        assert answer.status == status, "removed before validation, so not an unknown parameter"
        assert log.one(answer)["ignored"] == [f"/parameters/{name}"]


@pytest.mark.parametrize("data, left, pointers", [
    ({"email": JORDAN}, {}, ["/email"]),
    ({"a": {"b": [{"NAME": 1, "c": 2}]}}, {"a": {"b": [{"c": 2}]}}, ["/a/b/0/NAME"]),
    ({"a/b": {"x~y": {"user_id": 1}}}, {"a/b": {"x~y": {}}}, ["/a~1b/x~0y/user_id"]),
    ({"identity": {"email": JORDAN, "name": "x"}}, {}, ["/identity"]),
    ({"x": [[[{"Identity": 1}]], {"email": 2}]}, {"x": [[[{}]], {}]}, ["/x/0/0/0/Identity", "/x/1/email"]),
    ({"emails": 1, "e-mail": 2, "userid": 3, "names": 4, "user id": 5}, {"emails": 1, "e-mail": 2, "userid": 3, "names": 4, "user id": 5}, [])])
def test_at_any_depth_of_the_parameters(web, own, log, data, left, pointers):
    answer = send(web, own, "free_form", {"parameters": {"data": data}}, own.token())
    assert answer.status == 200 and answer.json["result"]["data"] == {"data": left}
    assert sorted(answer.json["ignored"]) == sorted(f"/parameters/data{p}" for p in pointers)
    assert sorted(log.one(answer).get("ignored", [])) == sorted(answer.json["ignored"])
    assert rows(own, "notes")[ALEX, answer.json["result"]["id"]] == {"data": left}


def test_in_a_list_of_the_parameters(web, own):
    answer = send(web, own, "free_form", {"parameters": {"list": [1, {"email": JORDAN}, [{"user_id": 5}]]}}, own.token())
    assert answer.json["result"]["data"] == {"list": [1, {}, [{}]]}
    assert sorted(answer.json["ignored"]) == ["/parameters/list/1/email", "/parameters/list/2/0/user_id"]


def test_a_name_written_with_escapes_is_the_same_name(web, own):
    answer = web.act(own.name, "get_order", token=own.token(), body='{"\\u0065mail":"x","parameters":{"id":"a-1","n\\u0061me":"y"}}')
    assert answer.status == 200 and sorted(answer.json["ignored"]) == ["/email", "/parameters/name"]


def test_a_public_action_that_declares_none_has_them_removed_too(web, own, log):
    for token in (None, own.token()):
        answer = send(web, own, "hello", {"name": "x", "parameters": {"email": JORDAN, "user_id": 1}}, token)
        assert answer.status == 200 and sorted(answer.json["ignored"]) == ["/name", "/parameters/email", "/parameters/user_id"]
        assert log.one(answer)["ignored"] == answer.json["ignored"]


def test_a_refused_request_is_recorded_with_what_it_tried(web, own, log):
    answer = send(web, own, "list_orders", {"email": JORDAN, "parameters": {"identity": {"email": JORDAN}}})
    assert answer.code == "sign_in_required"
    assert sorted(log.one(answer, outcome="refused")["ignored"]) == ["/email", "/parameters/identity"]


def test_values_of_removed_fields_are_in_no_record(web, own, log):
    answer = send(web, own, "get_order", {"email": "secret-canary", "parameters": {"id": "a-1", "name": "secret-canary"}}, own.token())
    assert "secret-canary" not in str(log.one(answer)) and b"secret-canary" not in answer.body


# ---- public actions that declare email and name ----

def contact(web, site, token=None, **parameters):
    answer = web.act(site.name, "contact", {"text": "hi", **parameters}, token)
    assert answer.status == 200, str(answer)
    data = answer.json["result"]["data"]
    assert rows(site, "contacts")[None, answer.json["result"]["id"]] == data
    return {k: v for k, v in data.items() if k != "text"}, answer.json["ignored"]


def test_an_anonymous_callers_are_an_unverified_contact_and_never_an_owner(web, own, log):
    data, ignored = contact(web, own, email=ALEX, name="Anybody")
    assert data == {"email": ALEX, "name": "Anybody"} and ignored == []
    record = log.take()[0]
    assert "subject" not in record and ALEX not in str(record)
    assert web.act(own.name, "list_orders", {"email": ALEX}).code == "sign_in_required"


def test_a_verified_callers_are_the_tokens(web, own):
    data, ignored = contact(web, own, own.token(name="Alex Winter"), email=JORDAN, name="Jordan")
    assert data == {"email": ALEX, "name": "Alex Winter"} and sorted(ignored) == ["/parameters/email", "/parameters/name"]


def test_a_verified_callers_are_filled_in_where_they_are_missing(web, own):
    data, ignored = contact(web, own, own.token(name="Alex Winter"))
    assert data == {"email": ALEX, "name": "Alex Winter"} and ignored == []


def test_a_name_that_the_token_has_not_is_removed(web, own):
    data, ignored = contact(web, own, own.token(), email=JORDAN, name="Jordan")
    assert data == {"email": ALEX} and sorted(ignored) == ["/parameters/email", "/parameters/name"]


def test_the_pinned_value_is_put_in_before_validation(web, own):
    """So what the visitor sent cannot be invalid, whatever its type."""
    for value in (5, {"x": 1}, "x" * 5000, None, [JORDAN]):
        data, _ = contact(web, own, own.token(), email=value)
        assert data == {"email": ALEX}


def test_an_unusable_email_leaves_the_caller_anonymous(web, own):
    data, _ = contact(web, own, own.token(email="alex@shop.test", name="Alex"), email=JORDAN, name="x")
    assert data == {"email": JORDAN, "name": "x"}


@pytest.mark.parametrize("name", ["Email", "NAME", "user_id", "identity", "User_ID"])
def test_declaring_some_lets_no_other_through(web, own, name):
    for token in (None, own.token()):
        data, ignored = contact(web, own, token, **{name: "x"})
        assert name not in data and ignored == [f"/parameters/{name}"]


def test_declared_at_the_top_is_not_declared_below(web, own):
    for token in (None, own.token()):
        data, ignored = contact(web, own, token, more={"email": JORDAN, "list": [{"name": "x"}], "kept": 1})
        assert data["more"] == {"kept": 1, "list": [{}]}
        assert sorted(ignored) == ["/parameters/more/email", "/parameters/more/list/0/name"]


def test_declared_parameters_are_no_members_of_the_body(web, own):
    answer = send(web, own, "contact", {"email": JORDAN, "parameters": {"text": "hi"}})
    assert answer.json["ignored"] == ["/email"] and "email" not in answer.json["result"]["data"]


def test_a_declared_field_is_validated_for_an_anonymous_caller(web, own):
    assert web.act(own.name, "contact", {"text": "hi", "email": 5}).code == "parameters_invalid"


# ---- everything else that is unknown ----

@pytest.mark.parametrize("name", ["user", "userid", "customer", "site", "token", "sub", "Parameters", "conversation_id", "", "owner"])
def test_any_other_unknown_member_is_malformed(web, own, name):
    for value in ("x", {"email": JORDAN}):
        answer = send(web, own, "get_order", {name: value, "parameters": {"id": "a-1"}}, own.token())
        assert (answer.status, answer.code) == (400, "request_malformed")


def test_query_and_headers_name_nobody(web, own):
    headers = [("Content-Type", "application/json"), ("X-User-Email", JORDAN), ("X-Email", JORDAN), ("Remote-User", JORDAN),
               ("X-Forwarded-User", JORDAN), ("Cookie", f"email={JORDAN}; token={own.token(email=JORDAN)}"),
               ("X-Postern-Site", "shop"), ("Postern-Email", JORDAN)]
    path = f"/v1/sites/pins/actions/list_orders?email={JORDAN}&token={own.token(email=JORDAN)}&access_token=x"
    answer = web.request("POST", path, own.token(), headers, "{}")
    assert answer.json["identity"]["email"] == ALEX and all(i["id"].startswith("a-") for i in answer.json["result"]["items"])
    assert web.request("POST", path, headers=headers, body="{}").code == "sign_in_required"


def test_a_small_body_makes_no_large_record(web, own, log):
    """All are removed; how many of them are listed is bounded."""
    data = {f"k{i}": {"email": i} for i in range(900)} | {"p" * 300: {"email": 1}}
    answer = send(web, own, "free_form", {"parameters": {"data": data}}, own.token())
    assert answer.status == 200 and b"email" not in answer.body.split(b'"result"')[1].split(b'"ignored"')[0].replace(ALEX.encode(), b"")
    assert 1 <= len(answer.json["ignored"]) <= 901
    assert len(str(log.one(answer))) < 16384
