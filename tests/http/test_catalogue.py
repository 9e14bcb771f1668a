"""GET /v1/sites/{site}/actions: every action, and which of them this caller may run."""
import json

import pytest

from lib.shop import ACTIONS, DEMO

NAMES = [a["name"] for a in ACTIONS["actions"]]
PERSONAL = {a["name"] for a in ACTIONS["actions"] if a["access"] == "personal"}


def listed(web, site, token=None):
    answer = web.catalogue(site, token)
    assert answer.status == 200 and answer.header("Content-Type") == "application/json", str(answer)
    assert list(answer.json) == ["actions"]
    return answer.json["actions"]


def availability(web, site, token=None):
    """{name: None if available, else the reason}"""
    out = {}
    for entry in listed(web, site, token):
        assert entry["available"] is (entry["reason"] is None), entry
        out[entry["name"]] = entry["reason"]
    return out


def expected(reason):
    return {name: reason if name in PERSONAL else None for name in NAMES}


def test_every_action_is_listed_as_imported_and_its_connector_is_not(web, shop):
    for entry, source in zip(listed(web, "shop"), ACTIONS["actions"], strict=True):
        assert set(entry) == {"name", "title", "description", "access", "effect", "parameters", "available", "reason"}
        for member in ("name", "title", "description", "access", "effect", "parameters"):
            assert entry[member] == source[member]


def test_the_demo_catalogue_is_the_file_that_ships(web, module_data):
    site = module_data.add_site("demo-catalogue", actions=json.loads((DEMO / "actions.json").read_text(encoding="utf-8")))
    names = [entry["name"] for entry in listed(web, site.name)]
    assert set(names) == set(("browse_products book_call open_ticket list_orders track_order track_parcel list_invoices show_subscription "
                              "change_plan pause_subscription cancel_subscription list_tickets check_booking book_appointment "
                              "reschedule_booking cancel_booking").split()) and len(names) == 16


def test_anonymous_callers_may_run_the_public_ones(web, shop, written):
    assert availability(web, "shop") == expected("sign_in_required")
    assert written.take() == []


def test_verified_callers_may_run_all(web, shop, written):
    assert availability(web, "shop", shop.token()) == expected(None)
    assert written.take() == []


@pytest.mark.parametrize("email", ["alex@shop.test", "alex@acme.corp"])
def test_callers_with_an_unusable_email_are_anonymous(web, shop, email):
    assert availability(web, "shop", shop.token(email=email)) == expected("sign_in_required")


def test_plan_free_offers_no_personal_action(web, module_data):
    site = module_data.add_site("free-catalogue", "--plan", "free", actions=ACTIONS)
    assert availability(web, site.name, site.token()) == expected("plan_required")
    assert availability(web, site.name) == expected("sign_in_required")


def test_a_bad_token_gets_no_catalogue(web, shop, written):
    answer = web.catalogue("shop", "bad")
    assert (answer.status, answer.code) == (401, "token_invalid")
    written.one(answer, event="identity", outcome="blocked", reason="token_malformed")


def test_a_site_without_actions_has_an_empty_catalogue(web, module_data):
    module_data.add_site("empty-catalogue")
    assert listed(web, "empty-catalogue") == []


def test_an_import_is_seen_by_the_next_request(web, module_data):
    site = module_data.add_site("reimported", actions=ACTIONS)
    assert len(listed(web, site.name)) == len(NAMES)
    site.import_actions({"actions": ACTIONS["actions"][:1]})
    assert [entry["name"] for entry in listed(web, site.name)] == NAMES[:1]
    assert web.act(site.name, NAMES[1], token=site.token()).code == "action_unknown"
