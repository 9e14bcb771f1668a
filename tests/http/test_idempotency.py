"""Idempotency-Key: a change that is asked for twice is made once, and answered the same for a day."""
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.fastcgi import Connection, ask, environ
from lib.rawdb import RawDb
from lib.shim import Shim
from lib.shop import ALEX, JORDAN, Written, add_shop, everything, rows
from lib.worker import Worker

pytestmark = pytest.mark.tree("sanitized")

LONGEST = "!" + "~" * 127
MALFORMED = ["", "a b", "a\tb", "a, b", "\u00e9".encode().decode("latin-1"), "a\x7fb", LONGEST + "x"]
CANARY = "answer-canary-5512"


@pytest.fixture(scope="module")
def own(module_data):
    return add_shop(module_data, "own")


@pytest.fixture
def log(web, own):
    return Written(web, own)


def send(web, site, key, item="boots", action="create_order", email=ALEX, **more):
    token = site.token(email=email) if email else None
    parameters = more.pop("parameters", {"item": item})
    return web.act(site.name, action, parameters, token, headers=[("Idempotency-Key", key)], **more)


def replayed(answer):
    """Is it the stored answer? One that is says so in a header, any other has none."""
    assert answer.status == 200, str(answer)
    value = answer.header("Idempotent-Replayed")
    assert value in (None, "true")
    return value == "true"


def test_the_second_time_nothing_is_run_and_the_answer_is_the_first(web, own, log):
    first = send(web, own, "again")
    assert not replayed(first)
    log.one(first, outcome="done", status=200, reason=None)
    before = everything(own)
    for _ in range(3):
        second = send(web, own, "again")
        assert replayed(second) and second.json["result"] == first.json["result"]
        assert second.request_id == second.json["audit"] != first.request_id
        record = log.one(second, outcome="done", status=200, reason="replayed", action="create_order")
        assert record["subject"] and "again" not in str(record)
    assert everything(own) == before


def test_without_a_key_everything_is_run_each_time(web, own):
    ids = {web.act(own.name, "create_order", {"item": "boots"}, own.token()).json["result"]["id"] for _ in range(2)}
    assert len(ids) == 2


def test_other_parameters_are_a_conflict_and_the_answer_stays(web, own, log):
    first = send(web, own, "other", "boots")
    before = everything(own)
    log.take()
    answer = send(web, own, "other", "poles")
    assert (answer.status, answer.code) == (409, "conflict") and answer.header("Idempotent-Replayed") is None
    log.one(answer, outcome="refused", reason="conflict", status=409)
    assert everything(own) == before
    assert send(web, own, "other", "boots").json["result"] == first.json["result"]


def test_parameters_are_the_same_after_pinning_however_they_are_written(web, own):
    first = send(web, own, "spelling", parameters={"item": "x", "note": "y"})
    body = '{"email": "%s", "parameters" : {"note":"\\u0079","item":"x", "User_Id": 5}}' % JORDAN
    second = send(web, own, "spelling", body=body)
    assert replayed(second) and second.json["result"] == first.json["result"]
    assert second.json["ignored"] == ["/email", "/parameters/User_Id"], "it is this request's"


def test_a_key_is_one_visitors(web, own):
    mine, theirs = send(web, own, "shared", "boots"), send(web, own, "shared", "boots", email=JORDAN)
    assert not replayed(mine) and not replayed(theirs)
    assert mine.json["result"]["id"] != theirs.json["result"]["id"]
    assert {owner for owner, name in rows(own) if name == theirs.json["result"]["id"]} == {JORDAN}
    assert replayed(send(web, own, "shared", email="ALEX@Example.com"))


def test_a_key_is_one_sites_and_one_actions(web, own, module_data):
    other = add_shop(module_data, "own-2")
    assert not replayed(send(web, own, "wide"))
    assert not replayed(send(web, other, "wide"))
    assert not replayed(send(web, own, "wide", action="contact", parameters={"text": "x"}))
    assert replayed(send(web, other, "wide"))


def test_a_public_change_of_a_verified_visitor(web, own):
    first = send(web, own, "public", action="contact", parameters={"text": "hi"})
    assert send(web, own, "public", action="contact", parameters={"text": "hi"}).json["result"] == first.json["result"]


@pytest.mark.parametrize("key", ["k", "a b", "x" * 500])
def test_an_anonymous_callers_is_ignored(web, own, key):
    before = len(rows(own, "contacts"))
    for _ in range(2):
        assert not replayed(send(web, own, key, action="contact", email=None, parameters={"text": "hi"}))
    assert len(rows(own, "contacts")) == before + 2


@pytest.mark.parametrize("key", ["k", "a b", "x" * 500])
def test_a_reads_is_ignored(web, own, key):
    for name in ("a-1", "a-2"):
        answer = send(web, own, key, action="get_order", parameters={"id": name})
        assert not replayed(answer) and answer.json["result"]["id"] == name


@pytest.mark.parametrize("key", MALFORMED)
def test_attack_keys_that_are_none(unlimited, own, key):
    before = everything(own)
    answer = ask(unlimited, "POST", "/v1/sites/own/actions/create_order", '{"parameters":{"item":"x"}}',
                 HTTP_AUTHORIZATION=f"Bearer {own.token()}", HTTP_IDEMPOTENCY_KEY=key)
    assert (answer.status, answer.code) == (400, "request_malformed")
    (problem,) = answer.json["errors"]
    assert problem["pointer"] == "" and "Idempotency-Key" in problem["detail"]
    assert everything(own) == before


@pytest.mark.parametrize("key", ["!", LONGEST, "a,b", "\"'<>\\%00", "5f0c2a0e-9b7d-4c1f"])
def test_keys_that_are_some(web, own, key):
    assert not replayed(send(web, own, key)) and replayed(send(web, own, key))


def test_attack_two_keys(unlimited, web, own):
    body = b'{"parameters":{"item":"x"}}'
    for second in ("one", "two"):
        with Connection(unlimited.socket) as c:
            env = environ("POST", "/v1/sites/own/actions/create_order", own.token(), body)
            answer = c.ask([*env.items(), ("HTTP_IDEMPOTENCY_KEY", "one"), ("HTTP_IDEMPOTENCY_KEY", second)], body).answer.check()
            assert answer.code == "request_malformed"
    assert web.act("own", "create_order", {"item": "x"}, own.token(),
                   headers=[("Idempotency-Key", "one"), ("Idempotency-Key", "one")]).code == "request_malformed"


def test_its_refusal_comes_behind_the_bodys_and_before_the_conversations(web, own):
    assert send(web, own, "a b", body='{"x":1}').json["errors"][0]["pointer"] == "/x"
    assert send(web, own, "k", conversation="k-1", email=JORDAN).status == 200
    assert send(web, own, "a b", conversation="k-1").code == "request_malformed"


def test_the_token_is_looked_at_each_time(web, own):
    send(web, own, "expired")
    assert web.act(own.name, "create_order", {"item": "boots"}, own.token(ttl=-120), headers=[("Idempotency-Key", "expired")]).code == \
        "token_expired"
    assert send(web, own, "expired", email=None).code == "sign_in_required"
    assert replayed(send(web, own, "expired"))


def test_a_retired_key_gets_no_answer_again(web, module_data):
    site = add_shop(module_data, "own-retired")
    old = site.kid
    token = site.token()
    header = [("Idempotency-Key", "k")]
    assert web.act(site.name, "create_order", {"item": "x"}, token, headers=header).status == 200
    site.rotate()
    site.retire(old)
    assert web.act(site.name, "create_order", {"item": "x"}, token, headers=header).code == "token_invalid"
    assert replayed(web.act(site.name, "create_order", {"item": "x"}, site.token(), headers=header)), "the visitor is who they were"


def test_the_gate_is_asked_each_time(web, module_data):
    site = add_shop(module_data, "own-plan")
    send(web, site, "k")
    module_data.run("site", "set", site.name, "--plan", "free")
    assert send(web, site, "k").code == "plan_required"
    module_data.run("site", "set", site.name, "--plan", "pro")
    assert replayed(send(web, site, "k"))


def test_a_conversation_of_somebody_else_gets_no_answer_again(web, own):
    assert send(web, own, "talk").status == 200
    assert send(web, own, "x", conversation="k-theirs", email=JORDAN).status == 200
    assert send(web, own, "talk", conversation="k-theirs").code == "conversation_conflict"


def test_a_refusal_is_not_kept_and_its_key_is_free(web, own, log):
    for name in ("j-1", "a-2"):           # somebody else's; one that may not be changed
        answers = [send(web, own, "refused", action="change_order", parameters={"id": name}) for _ in range(2)]
        assert {a.status for a in answers} == {404 if name == "j-1" else 409}
    assert {r["outcome"] for r in log.take()} == {"refused"}
    assert not replayed(send(web, own, "refused", action="change_order", parameters={"id": "a-3", "note": "n"}))


def test_the_answer_is_that_of_then(web, own):
    made = send(web, own, "then", "tent").json["result"]
    change = {"parameters": {"id": made["id"], "note": "n"}, "action": "change_order"}
    assert not replayed(send(web, own, "change", **change))
    delete = {"parameters": {"id": made["id"]}, "action": "delete_order"}
    gone = send(web, own, "delete", **delete)
    assert (ALEX, made["id"]) not in rows(own)
    assert replayed(again := send(web, own, "delete", **delete)) and again.json["result"] == gone.json["result"]
    assert replayed(again := send(web, own, "then", "tent")) and again.json["result"] == made
    assert replayed(send(web, own, "change", **change))
    assert (ALEX, made["id"]) not in rows(own), "neither was run"


def test_many_at_once_make_one(web, own):
    before = len(rows(own))
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: send(web, own, "parallel"), range(32)))
    assert len({json.dumps(a.json["result"]) for a in answers}) == 1
    assert [replayed(a) for a in answers].count(False) == 1
    assert len(rows(own)) == before + 1


def test_many_at_once_with_other_parameters_make_one(web, own):
    before = len(rows(own))
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: send(web, own, "fight", f"item {n}"), range(16)))
    assert sorted(a.status for a in answers) == [200] + [409] * 15
    assert len(rows(own)) == before + 1


def kept(data):
    with RawDb(data.path / "ledger") as db:
        return len(db.rows("idempotency")), len(db.rows("idempotency_expiry"))


def test_a_day_later_it_is_run_again_and_the_old_rows_go(data):
    site = add_shop(data, "own")
    shim = Shim(data, "clock")
    body = b'{"parameters":{"item":"x"}}'

    def create(key):
        claims = {"iat": None, "exp": None} if shim["clock_offset_s"] else {}
        return ask(worker, "POST", "/v1/sites/own/actions/create_order", body,
                   HTTP_AUTHORIZATION=f"Bearer {site.token(**claims)}", HTTP_IDEMPOTENCY_KEY=key)
    with Worker(data, env=shim.env) as worker:
        made = [create(f"k{n}").json["result"]["id"] for n in range(4)]
        assert replayed(create("k0"))
        shim["clock_offset_s"] = 86400 + 60
        later = create("k0")
        assert not replayed(later) and later.json["result"]["id"] not in made
        shim["clock_offset_s"] = 0
    assert kept(data) == (1, 1)


def test_neither_answer_nor_key_stands_in_the_ledger_and_erasing_removes_it(data):
    """A canary that a document had, and that was deleted with it, is in no byte of the ledger but sealed."""
    site = add_shop(data, "own")
    with Worker(data) as worker:
        def run(action, parameters, key, email=ALEX):
            return ask(worker, "POST", f"/v1/sites/own/actions/{action}", json.dumps({"parameters": parameters}),
                       HTTP_AUTHORIZATION=f"Bearer {site.token(email=email)}", HTTP_IDEMPOTENCY_KEY=key)
        key = "key-canary-8131"
        made = run("create_order", {"item": CANARY}, key)
        run("create_order", {"item": "x"}, key, JORDAN)
        run("delete_order", {"id": made.json["result"]["id"]}, "delete")
        assert kept(data) == (3, 3)
        again = run("create_order", {"item": CANARY}, key)
        assert replayed(again) and CANARY in str(again.json["result"])
        with RawDb(data.path / "ledger") as db:
            for table in db.tables():
                for name, row in db.rows(table):
                    assert CANARY.encode() not in name + row and key.encode() not in name + row, table
        data.run("audit", "erase", "own", "--email", ALEX, "--yes")
        assert kept(data) == (1, 1)
        assert not replayed(run("create_order", {"item": CANARY}, key)), "it is as if it had never been"
        data.run("site", "remove", "own", "--yes")
        assert kept(data) == (0, 0)
    assert key not in "".join(data.audit_lines())
