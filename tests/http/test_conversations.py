"""Conversations (design 5): whose they are, and what that means for everybody else."""
import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.fastcgi import ask
from lib.shop import ALEX, JORDAN, Written, add_shop, everything

PINS_PER_SUBJECT = 64


@pytest.fixture(scope="module")
def chat(module_data):
    return add_shop(module_data, "chat")


def say(web, site, conversation, email=ALEX, action="hello", parameters=None):
    """The code of a request in this conversation; email None: without a token."""
    token = site.token(email=email) if email else None
    return web.act(site.name, action, parameters, token, conversation).code


def test_the_first_verified_action_claims_it(web, chat):
    assert say(web, chat, "c-first") is None
    assert say(web, chat, "c-first") is None
    assert say(web, chat, "c-first", JORDAN) == "conversation_conflict"
    assert say(web, chat, "c-first") is None, "the conflict changed nothing"


def test_the_email_decides_not_its_spelling_or_the_token(web, chat):
    assert say(web, chat, "c-case", "Alex@EXAMPLE.com") is None
    assert say(web, chat, "c-case", ALEX) is None


def test_a_conflict_reveals_nothing_and_changes_nothing(web, chat):
    say(web, chat, "c-secret")
    say(web, chat, "c-other", "third@example.com")
    before, written = everything(chat), Written(web, chat)
    answers = [web.act("chat", "create_order", {"item": "x"}, chat.token(email=JORDAN), c) for c in ("c-secret", "c-other")]
    assert {a.status for a in answers} == {403} and len({a.body for a in answers}) == 1
    assert "new conversation" in answers[0].json["detail"]
    assert everything(chat) == before
    records = written.take()
    assert [(r["outcome"], r["reason"], r["action"]) for r in records] == [("refused", "conversation_conflict", "create_order")] * 2
    assert [r["id"] for r in records] == [a.request_id for a in answers]


def test_without_a_token_one_is_simply_anonymous_in_it(web, chat):
    say(web, chat, "c-anonymous")
    assert web.act("chat", "hello", conversation="c-anonymous").json["identity"]["status"] == "anonymous"
    assert say(web, chat, "c-anonymous", None, "list_orders") == "sign_in_required"
    assert say(web, chat, "c-anonymous") is None


def test_an_anonymous_request_claims_nothing(web, chat):
    assert say(web, chat, "c-none", None) is None
    assert say(web, chat, "c-none", None, "contact", {"text": "hi"}) is None
    assert say(web, chat, "c-none", JORDAN) is None
    assert say(web, chat, "c-none", ALEX) == "conversation_conflict"


@pytest.mark.parametrize("email", ["alex@shop.test", "alex@acme.corp"])
def test_an_unusable_email_neither_claims_nor_conflicts(web, chat, email):
    name = f"c-{email[5:].replace('.', '-')}"
    assert say(web, chat, name, email) is None
    assert say(web, chat, name, JORDAN) is None
    assert say(web, chat, name, email) is None, "it is anonymous, so not another subject"


def test_a_blocked_token_claims_nothing(web, chat):
    assert web.act("chat", "hello", token=chat.token(ttl=-1), conversation="c-blocked").code == "token_expired"
    assert say(web, chat, "c-blocked", JORDAN) is None


def test_what_the_gate_refuses_claims_nothing(web, module_data):
    site = add_shop(module_data, "chat-free", "--plan", "free")
    assert say(web, site, "c-plan", ALEX, "list_orders") == "plan_required"
    assert say(web, site, "c-plan", JORDAN, "hello") is None
    assert say(web, site, "c-plan", ALEX, "list_orders") == "conversation_conflict"


def test_what_passes_the_gate_claims_even_if_nothing_is_found(web, chat):
    assert say(web, chat, "c-notfound", ALEX, "get_order", {"id": "none"}) == "not_found"
    assert say(web, chat, "c-notfound", JORDAN) == "conversation_conflict"


def test_a_denied_origin_claims_nothing(web, module_data):
    site = add_shop(module_data, "chat-origin", "--origin", "https://shop.example.com")
    body = json.dumps({"conversation": "c-origin"})
    assert web.act(site.name, "hello", token=site.token(), body=body, headers=[("Origin", "https://evil.example.com")]).code == "origin_denied"
    assert say(web, site, "c-origin", JORDAN) is None


def test_it_belongs_to_one_site(web, chat, shop):
    assert say(web, chat, "c-two-sites", ALEX) is None
    assert say(web, shop, "c-two-sites", JORDAN) is None
    assert say(web, chat, "c-two-sites", JORDAN) == "conversation_conflict"


def test_ids_are_compared_exactly(web, chat):
    for name, email in (("c-Exact", ALEX), ("c-exact", JORDAN), ("c-exact_", "third@example.com"), ("c-exac", "fourth@example.com")):
        assert say(web, chat, name, email) is None
        assert say(web, chat, name, "fifth@example.com") == "conversation_conflict"


@pytest.mark.parametrize("name", ["x", "X" * 128, "-", "_", "0", "Az09_-"])
def test_ids_of_the_alphabet_are_taken(web, chat, name):
    assert say(web, chat, name, "ids@example.com") is None


@pytest.mark.parametrize("name", ["", "x" * 129, "a b", "a.b", "ä", "a\n", "a/b", "a=", " a", 5, None, True, [], {}, ["x"]])
def test_any_other_id_is_malformed(web, chat, name):
    written = Written(web, chat)
    answer = web.act("chat", "hello", token=chat.token(), body=json.dumps({"conversation": name}))
    assert (answer.status, answer.code) == (400, "request_malformed")
    assert [e["pointer"] for e in answer.json["errors"]] == ["/conversation"]
    written.none(answer)


def test_of_two_who_claim_at_once_one_wins(web, chat):
    """Compare-and-set: whatever the order, all answers agree on one owner."""
    emails = [f"race{n}@example.com" for n in range(4)]
    tokens = {email: chat.token(email=email) for email in emails}
    with ThreadPoolExecutor(8) as pool:
        for n in range(12):
            wanted = emails * 2
            answers = list(pool.map(lambda e, n=n: web.act("chat", "create_order", {"item": f"race-{n}"}, tokens[e], f"c-race-{n}"), wanted))
            winners = {email for email, a in zip(wanted, answers, strict=True) if a.status == 200}
            assert len(winners) == 1
            assert all((a.status, a.code) in ((200, None), (403, "conversation_conflict")) for a in answers)
            assert sum(a.status == 200 for a in answers) == 2, "both requests of the winner"


def test_a_subject_has_at_most_64_live_pins_and_the_oldest_goes(web, chat):
    email = "many@example.com"
    names = [f"c-many-{n}" for n in range(PINS_PER_SUBJECT + 1)]
    for name in names[:-1]:
        assert say(web, chat, name, email) is None
    assert {say(web, chat, name, JORDAN) for name in names[:-1]} == {"conversation_conflict"}
    assert say(web, chat, names[-1], email) is None
    freed = [name for name in names if say(web, chat, name, JORDAN) is None]
    assert freed == names[:1]


def test_the_log_has_a_keyed_hash_of_it(web, chat, shop):
    name = "canary-conversation-0123456789"
    written = Written(web, chat)
    records = [written.one(web.act("chat", "list_orders", token=chat.token(), conversation=name)) for _ in range(2)]
    records.append(written.one(web.act("chat", "hello", conversation=name)))
    assert len({r["conversation"] for r in records}) == 1 and re.fullmatch("[0-9a-f]{16}", records[0]["conversation"])
    other = written.one(web.act("shop", "list_orders", token=shop.token(), conversation=name))
    assert other["conversation"] != records[0]["conversation"], "keyed with the site too"
    assert "conversation" not in written.one(web.act("chat", "list_orders", token=chat.token()))
    assert name not in "\n".join(chat.data.audit_lines())


def test_identity_and_catalogue_read_no_conversation(web, unlimited, chat):
    """Straight to the worker: lighttpd lets no GET with a body through."""
    say(web, chat, "c-elsewhere")
    token = chat.token(email=JORDAN)
    for path in ("identity", "actions"):
        answer = ask(unlimited, path=f"/v1/sites/chat/{path}", body=json.dumps({"conversation": "c-elsewhere"}),
                     QUERY_STRING="conversation=c-elsewhere", HTTP_AUTHORIZATION=f"Bearer {token}")
        assert answer.status == 200
