"""POST /v1/sites/{site}/actions/{action}: the demo site's actions, and what each operation on documents does."""
import pytest

from lib.shop import ALEX, HELLO, JORDAN, add_demo, add_shop, order, rows

AT = "2026-12-01T10:00:00+01:00"


@pytest.fixture(scope="module")
def demo(module_data):
    return add_demo(module_data)


@pytest.fixture(scope="module")
def own(module_data):
    """A second shop, for the tests that change it."""
    return add_shop(module_data, "own")


def run(web, site, action, parameters=None, token=None, **how):
    """The result of an action that must succeed; the rest of its answer is checked here."""
    answer = web.act(site.name, action, parameters, token, **how)
    assert answer.status == 200, str(answer)
    assert answer.header("Content-Type") == "application/json"
    body = answer.json
    assert set(body) == {"action", "identity", "result", "ignored", "audit"}
    assert body["action"] == action and body["audit"] == answer.request_id and body["ignored"] == []
    assert body["identity"]["status"] == ("verified" if token else "anonymous")
    return body["result"]


def ids(result):
    assert set(result) == {"items", "next"} and result["next"] is None
    assert all(set(item) == {"id", "data"} for item in result["items"])
    return [item["id"] for item in result["items"]]


# ---- the demo site ----

def test_demo_public_actions_work_for_anybody(web, demo):
    for token in (None, demo.token()):
        assert len(ids(run(web, demo, "browse_products", token=token))) == 8
    call = run(web, demo, "book_call", {"email": "me@example.org", "preferred_at": AT, "topic": "returns"})
    assert call["data"] == {"state": "requested", "topic": "returns", "preferred_at": AT, "contact": {"email": "me@example.org"}}
    ticket = run(web, demo, "open_ticket", {"email": "me@example.org", "name": "Me", "subject": "Help", "message": "Please.",
                                            "urgency": "low"})
    assert ticket["data"]["contact"] == {"email": "me@example.org", "name": "Me"} and ticket["data"]["state"] == "open"
    assert rows(demo, "calls")[None, call["id"]] == call["data"]
    assert rows(demo, "support_requests")[None, ticket["id"]] == ticket["data"]


@pytest.mark.parametrize("email", [ALEX, JORDAN])
@pytest.mark.parametrize("action, collection", [
    ("list_orders", "orders"), ("list_invoices", "invoices"), ("list_tickets", "tickets"), ("check_booking", "bookings")])
def test_demo_lists_are_the_visitors_own(web, demo, email, action, collection):
    result = run(web, demo, action, token=demo.token(email=email))
    mine = {key[1]: data for key, data in rows(demo, collection).items() if key[0] == email}
    assert mine and {item["id"]: item["data"] for item in result["items"]} == mine
    assert ids(result) == sorted(mine)


@pytest.mark.parametrize("email, own_id, foreign_id", [(ALEX, "A-1001", "J-5001"), (JORDAN, "J-5001", "A-1001")])
def test_demo_an_order_is_tracked_by_its_owner_alone(web, demo, email, own_id, foreign_id):
    token = demo.token(email=email)
    result = run(web, demo, "track_order", {"order_id": own_id}, token)
    assert result == {"id": own_id, "data": rows(demo, "orders")[email, own_id]}
    answer = web.act("demo", "track_order", {"order_id": foreign_id}, token)
    assert (answer.status, answer.code) == (404, "not_found")


@pytest.mark.parametrize("email", [ALEX, JORDAN])
def test_demo_a_subscription_is_shown_changed_paused_and_cancelled(web, demo, email):
    """Whatever its state is when the shop opens: put to active first, as the shop's admin."""
    token = demo.token(email=email)
    demo.import_documents([{"collection": "subscriptions", "id": "current", "owner": email,
                            "data": {"state": "active", "plan": "weekender"}}])
    assert run(web, demo, "show_subscription", token=token) == {"id": "current", "data": {"state": "active", "plan": "weekender"}}
    assert run(web, demo, "change_plan", {"plan": "trekker"}, token)["data"] == {"state": "active", "plan": "trekker"}
    paused = run(web, demo, "pause_subscription", {"resume_on": "2027-01-31"}, token)["data"]
    assert paused == {"state": "paused", "plan": "trekker", "resume_on": "2027-01-31"}
    for action, parameters in (("pause_subscription", {}), ("change_plan", {"plan": "weekender"})):
        assert web.act("demo", action, parameters, token).code == "conflict"
    cancelled = run(web, demo, "cancel_subscription", {"reason": "other"}, token)["data"]
    assert cancelled == {**paused, "state": "cancelled", "cancel_reason": "other"}
    assert web.act("demo", "cancel_subscription", {}, token).code == "conflict"
    assert run(web, demo, "show_subscription", token=token)["data"] == cancelled


@pytest.mark.parametrize("email", [ALEX, JORDAN])
def test_demo_an_appointment_is_booked_moved_and_cancelled(web, demo, email):
    token = demo.token(email=email)
    made = run(web, demo, "book_appointment", {"service": "boot_fitting", "starts_at": AT, "place": "Berlin"}, token)
    assert made["data"] == {"state": "confirmed", "service": "boot_fitting", "starts_at": AT, "place": "Berlin", "booked_for": email}
    assert made["id"] in ids(run(web, demo, "check_booking", token=token))
    later = "2026-12-02T10:00:00+01:00"
    moved = run(web, demo, "reschedule_booking", {"booking_id": made["id"], "starts_at": later}, token)
    assert moved == {"id": made["id"], "data": {**made["data"], "starts_at": later}}
    cancelled = run(web, demo, "cancel_booking", {"booking_id": made["id"]}, token)
    assert cancelled["data"] == {**moved["data"], "state": "cancelled"}
    assert web.act("demo", "reschedule_booking", {"booking_id": made["id"], "starts_at": AT}, token).code == "conflict"
    assert rows(demo, "bookings")[email, made["id"]] == cancelled["data"]


# ---- each operation ----

def test_static_gives_its_canned_result(web, shop):
    assert run(web, shop, "hello") == HELLO
    assert run(web, shop, "static_own", token=shop.token()) == {"for": "members"}


def test_get_gives_id_and_data(web, shop):
    assert run(web, shop, "get_order", {"id": "a-1"}, shop.token()) == {"id": "a-1", "data": {"state": "open", "item": "boots"}}


def test_get_of_no_row_is_not_found(web, shop):
    assert web.act("shop", "get_order", {"id": "a-9"}, shop.token()).code == "not_found"


def test_the_owner_is_found_however_the_token_spells_the_email(web, shop):
    assert run(web, shop, "get_order", {"id": "a-1"}, shop.token(email="ALEX@Example.Com"))["id"] == "a-1"


def test_a_list_has_pages_of_50(web, own):
    email = "many@example.com"
    names = [f"m-{n:03}" for n in range(120)]
    own.import_documents([order(email, name, n=n) for n, name in enumerate(names)])
    token = own.token(email=email)
    seen, cursor, pages = [], None, []
    while True:
        page = run(web, own, "list_orders", {"after": cursor} if cursor else {}, token)
        seen += [item["id"] for item in page["items"]]
        pages.append(len(page["items"]))
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == names and pages == [50, 50, 20]


@pytest.mark.parametrize("count, pages", [(50, [50]), (51, [50, 1]), (0, [0])])
def test_the_last_page_has_no_next(web, own, count, pages):
    email = f"exactly{count}@example.com"
    if count:
        own.import_documents([order(email, f"e-{n:03}") for n in range(count)])
    token, cursor, got = own.token(email=email), None, []
    while not got or cursor:
        page = run(web, own, "list_orders", {"after": cursor} if cursor else {}, token)
        got.append(len(page["items"]))
        cursor = page["next"]
    assert got == pages


def test_a_cursor_that_is_no_row_is_only_a_place(web, shop):
    """The rows behind it, of the visitor alone."""
    assert ids(run(web, shop, "list_orders", {"after": "a-1x"}, shop.token())) == ["a-2", "a-3"]
    assert ids(run(web, shop, "list_orders", {"after": "zzz"}, shop.token())) == []


def test_create_makes_the_id_and_stores_constants_and_references(web, own):
    token = own.token(email="create@example.com")
    made = run(web, own, "create_order", {"item": "tent", "note": "two"}, token)
    assert made["data"] == {"state": "open", "item": "tent", "note": "two", "by": "create@example.com", "fixed": [1, {"two": None}]}
    assert run(web, own, "get_order", {"id": made["id"]}, token) == made
    other = run(web, own, "create_order", {"item": "tent"}, token)
    assert other["id"] != made["id"] and "note" not in other["data"], "an optional $input without a value omits its member"
    assert ids(run(web, own, "list_orders", token=token)) == sorted([made["id"], other["id"]])


def test_update_sets_its_members_and_leaves_the_others(web, own):
    own.import_documents([order("update@example.com", "u-1", item="boots", note="old")])
    token = own.token(email="update@example.com")
    assert run(web, own, "change_order", {"id": "u-1", "note": "new"}, token)["data"] == {"state": "open", "item": "boots", "note": "new",
                                                                                        "seen": True}
    unset = run(web, own, "change_order", {"id": "u-1"}, token)
    assert unset["data"]["note"] == "new", "an optional $input without a value omits its member"
    assert rows(own)["update@example.com", "u-1"] == unset["data"]


def test_delete_gives_the_id_and_the_row_is_gone(web, own):
    own.import_documents([order("delete@example.com", "d-1")])
    token = own.token(email="delete@example.com")
    assert run(web, own, "delete_order", {"id": "d-1"}, token) == {"id": "d-1"}
    assert ("delete@example.com", "d-1") not in rows(own)
    assert web.act("own", "delete_order", {"id": "d-1"}, token).code == "not_found"


@pytest.mark.parametrize("state, code", [("open", None), ("held", None), ("shipped", "conflict"), (None, "conflict"), (["open"], "conflict"),
                                         ("Open", "conflict")])
def test_when_must_equal_one_of_its_constants(web, own, state, code):
    own.import_documents([order("when@example.com", "w-1", state)])
    before = rows(own)
    answer = web.act("own", "change_order", {"id": "w-1", "note": "x"}, own.token(email="when@example.com"))
    assert answer.code == code
    assert (answer.status, rows(own) == before) == ((409, True) if code else (200, False))


def test_when_of_a_member_that_is_not_there_is_a_conflict(web, own):
    own.import_documents([{"collection": "orders", "id": "w-2", "owner": "when@example.com", "data": {}}])
    for action in ("change_order", "delete_order"):
        assert web.act("own", action, {"id": "w-2"}, own.token(email="when@example.com")).code == "conflict"


@pytest.mark.parametrize("action", ["change_order", "delete_order"])
def test_a_missing_row_is_not_found_before_any_conflict(web, own, action):
    answer = web.act("own", action, {"id": "j-none"}, own.token())
    assert (answer.status, answer.code) == (404, "not_found")


def test_an_optional_input_in_an_id_is_parameters_invalid(web, shop):
    answer = web.act("shop", "get_maybe", {}, shop.token())
    assert (answer.status, answer.code) == (400, "parameters_invalid")
    assert run(web, shop, "get_maybe", {"id": "a-1"}, shop.token())["id"] == "a-1"


@pytest.mark.parametrize("name", ["", "x" * 129, "a\nb", "\x7f"])
def test_an_id_that_can_be_none_is_refused_and_not_looked_up(web, shop, name):
    assert web.act("shop", "get_maybe", {"id": name}, shop.token()).code == "parameters_invalid"


@pytest.mark.parametrize("name", ["../a-1", "a-1/", "a-1%00", "A-1", " a-1", "a-1 ", "j-1", "*", "jordan@example.com/j-1"])
def test_an_id_is_compared_byte_for_byte_below_the_owner(web, shop, name):
    assert web.act("shop", "get_order", {"id": name}, shop.token()).code == "not_found"


@pytest.mark.parametrize("action, claims", [("by_user_id", {"user_id": "7"}), ("by_name", {"name": "Alex"}), ("by_claim", {"tier": "gold"})])
def test_an_identity_or_claim_without_a_value_is_identity_incomplete(web, own, action, claims):
    before = rows(own, "notes")
    answer = web.act("own", action, {}, own.token(**{name: None for name in claims}))
    assert (answer.status, answer.code) == (403, "identity_incomplete")
    assert rows(own, "notes") == before
    made = run(web, own, action, {}, own.token(**claims))
    assert list(made["data"].values()) == list(claims.values())


def test_a_claim_keeps_its_json_type(web, own):
    assert run(web, own, "by_claim", {}, own.token(tier={"level": [1, True]}))["data"] == {"tier": {"level": [1, True]}}


def test_an_anonymous_caller_has_no_identity_to_refer_to(web, own):
    before = rows(own, "contacts")
    for token in (None, own.token(email="alex@shop.test")):
        assert web.act("own", "sign", {}, token).code == "identity_incomplete"
    assert rows(own, "contacts") == before
    assert run(web, own, "sign", {}, own.token())["data"] == {"by": ALEX}


# ---- public actions and whose rows they reach ----

def test_public_actions_see_only_rows_owned_by_nobody(web, shop):
    for token in (None, shop.token()):
        assert ids(run(web, shop, "browse", token=token)) == ["p-1", "p-2"]
        assert run(web, shop, "look_up", {"id": "n-1"}, token)["data"]["item"] == "nobody's"
        for name in ("a-1", "j-1", "none"):
            assert web.act("shop", "look_up", {"id": name}, token).code == "not_found"


def test_public_actions_change_only_rows_owned_by_nobody(web, own):
    before = rows(own)
    for token in (None, own.token()):
        for name in ("a-1", "j-1"):
            assert web.act("own", "change_any", {"id": name}, token).code == "not_found"
            assert web.act("own", "remove_any", {"id": name}, token).code == "not_found"
    assert rows(own) == before
    assert run(web, own, "change_any", {"id": "n-1"})["data"]["note"] == "public"
    run(web, own, "remove_any", {"id": "n-1"})
    assert rows(own) == {key: data for key, data in before.items() if key != (None, "n-1")}


def test_a_public_action_owns_nothing_even_for_a_verified_caller(web, own):
    made = run(web, own, "contact", {"text": "hi"}, own.token())
    assert (None, made["id"]) in rows(own, "contacts")


def test_a_public_change_has_its_when_too(web, own):
    assert run(web, own, "take_slot", {"id": "s-1", "by": "me"})["data"] == {"state": "taken", "by": "me"}
    assert web.act("own", "take_slot", {"id": "s-1", "by": "you"}).code == "conflict"
    assert rows(own, "slots")[None, "s-1"]["by"] == "me"


# ---- the body ----

@pytest.mark.parametrize("body", ["", "{}", '{"parameters":{}}', ' \n{"parameters" : { } }\t'])
def test_an_empty_body_and_no_parameters_are_the_same(web, shop, body):
    assert run(web, shop, "hello", body=body) == HELLO


def test_no_body_at_all_needs_no_content_type(web, shop):
    answer = web.request("POST", "/v1/sites/shop/actions/hello", headers=[("Content-Length", "0")])
    assert answer.status == 200 and answer.json["result"] == HELLO


@pytest.mark.parametrize("media", ["application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;x=y"])
def test_a_media_type_is_compared_without_case_and_parameters(web, shop, media):
    answer = web.request("POST", "/v1/sites/shop/actions/hello", headers=[("Content-Type", media)], body="{}")
    assert answer.status == 200


def test_a_body_in_chunks_is_a_body(web, own):
    made = web.act("own", "create_order", token=own.token(email="chunks@example.com"), body=iter([b'{"parameters":{"it', b'em":"x"}}']),
                   chunked=True)
    assert made.status == 200 and made.json["result"]["data"]["item"] == "x"


def test_text_comes_back_as_it_was_sent(web, own):
    for value in ("Zoë 李 🙂", "a\"\\/\b\f\n\r\t", "</script>", "\u2028\ufeff\u202e"):
        assert run(web, own, "create_order", {"item": value}, own.token(email="text@example.com"))["data"]["item"] == value


def test_the_answers_identity_is_the_tokens(web, shop):
    token = shop.token(email="alex@example.com", name="Alex", user_id=5)
    body = web.act("shop", "hello", token=token).json
    assert {**body["identity"], "expires_at": 0} == {"status": "verified", "email": ALEX, "name": "Alex", "user_id": "5", "expires_at": 0}
    assert web.act("shop", "hello").json["identity"] == {"status": "anonymous", "reason": "no_token"}
    token = shop.token(email="alex@shop.test")
    assert web.act("shop", "hello", token=token).json["identity"] == {"status": "anonymous", "reason": "email_reserved"}
