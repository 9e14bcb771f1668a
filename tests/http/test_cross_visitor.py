"""Fifty visitors, five hundred documents, and everybody tries everything on everybody's: nothing of anybody else's is seen,
told apart from what does not exist, or changed.

Each document carries a canary of its owner, so that one foreign byte in any answer is found. POSTERN_SLOW=1 tries every
visitor on every document; else each visitor tries documents of every other one."""
import itertools
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.fastcgi import Connection, environ
from lib.shop import ACTIONS, add_shop, rows

pytestmark = pytest.mark.tree("sanitized")

VISITORS, EACH, CONNECTIONS = 50, 10, 8
SLOW = os.environ.get("POSTERN_SLOW") == "1"
CANARY = re.compile(rb"canary-(\d+)-")
# Neighbours that a careless key, prefix or comparison would mix up.
NEIGHBOURS = ["u@example.com", "u@example.com.evil.org", "u@sub.example.com", "uu@example.com", "u+x@example.com", "u.x@example.com",
              "u@example.co", "u-@example.com", "u_@example.com", "u/x@example.com"]
EMAILS = NEIGHBOURS + [f"u{n}@example.com" for n in range(VISITORS - len(NEIGHBOURS))]
REFUSED = {"get_order": {}, "get_maybe": {}, "change_order": {"note": "stolen"}, "delete_order": {}}


def document(visitor, n):
    """Open, so that only the owner stands in the way. The last one of each visitor has the same id as everybody's last."""
    name = "shared" if n == EACH - 1 else f"d-{visitor}-{n}"
    return {"collection": "orders", "id": name, "owner": EMAILS[visitor],
            "data": {"state": "open", "canary": f"canary-{visitor}-{n}", "n": n}}


@pytest.fixture(scope="module")
def crowd(module_data):
    """The site, and a token for each visitor."""
    everything = [document(v, n) for v in range(VISITORS) for n in range(EACH)]
    site = add_shop(module_data, "crowd", documents=everything)
    nobodys = {"collection": "orders", "id": "nobodys", "owner": None, "data": {"state": "open", "canary": "canary-999-0"}}
    site.import_documents([nobodys])
    assert len(rows(site)) == VISITORS * EACH + 1
    return site, [site.token(email=email) for email in EMAILS]


@pytest.fixture(scope="module")
def untouched(crowd):
    """All rows as they were imported: what every test here must leave."""
    before = rows(crowd[0])
    yield before
    assert rows(crowd[0]) == before


def run(worker, asked):
    """asked: [(visitor or None, token, action, parameters)]; their answers, in order, over a few connections at once."""
    def serve(share):
        answers = []
        with Connection(worker.socket) as c:
            for _, token, action, parameters in share:
                body = json.dumps({"parameters": parameters}).encode()
                env = environ("POST", f"/v1/sites/crowd/actions/{action}", token=token, body=body)
                answers.append(c.ask(env, body, keep=True).answer)
        return answers
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        shares = list(pool.map(serve, [asked[i::CONNECTIONS] for i in range(CONNECTIONS)]))
    out = [None] * len(asked)
    for i, share in enumerate(shares):
        out[i::CONNECTIONS] = share
    return out


def foreign(answer, visitor):
    """Canaries of others in the whole answer."""
    text = answer.body + str(answer.headers).encode()
    return {int(n) for n in CANARY.findall(text)} - {visitor}


def without_id(answer):
    return answer.status, sorted((n, v) for n, v in answer.headers if n != "X-Request-Id"), answer.body.replace(
        answer.request_id.encode(), b"")


def foreign_ids(visitor):
    """Ids of others: all of them, or one of each other visitor, another one for each action tried."""
    others = [v for v in range(VISITORS) if v != visitor]
    if SLOW:
        return [(v, n) for v in others for n in range(EACH - 1)]
    return [(v, (visitor + v) % (EACH - 1)) for v in others]


@pytest.mark.limit(600 if SLOW else 120)
@pytest.mark.parametrize("action", list(REFUSED))
def test_nobody_reaches_anybody_elses_document(unlimited, crowd, untouched, action):
    _, tokens = crowd
    more = REFUSED[action]
    asked = [(visitor, tokens[visitor], action, {"id": document(v, n)["id"], **more})
             for visitor in range(VISITORS) for v, n in foreign_ids(visitor)]
    missing = [(v, tokens[v], action, {"id": f"no-such-{v}", **more}) for v in range(VISITORS)]
    answers = run(unlimited, asked + missing)
    assert len(asked) >= VISITORS * (VISITORS - 1)
    told = {without_id(a)[0::2] + (tuple(without_id(a)[1]),) for a in answers}
    assert len(told) == 1, "foreign and missing are answered alike, to every visitor"
    assert answers[0].status == 404 and answers[0].code == "not_found"
    for (visitor, *_), answer in zip(asked + missing, answers, strict=True):
        assert foreign(answer, visitor) == set() and answer.check()


def test_lists_have_everything_of_ones_own_and_nothing_else(unlimited, crowd, untouched):
    _, tokens = crowd
    asked = [(v, tokens[v], "list_orders", {}) for v in range(VISITORS)]
    for (visitor, *_), answer in zip(asked, run(unlimited, asked), strict=True):
        items = answer.json["result"]["items"]
        mine = [document(visitor, n) for n in range(EACH)]
        assert {i["id"]: i["data"] for i in items} == {d["id"]: d["data"] for d in mine} and answer.json["result"]["next"] is None
        assert foreign(answer, visitor) == set()


def test_a_cursor_of_somebody_else_opens_nothing(unlimited, crowd, untouched):
    _, tokens = crowd
    cursors = ["shared", "nobodys", "\x7e", "!", *EMAILS[:5], *(document(v, 3)["id"] for v in range(0, VISITORS, 5))]
    asked = [(v, tokens[v], "list_orders", {"after": c}) for v in range(VISITORS) for c in cursors]
    for (visitor, *_), answer in zip(asked, run(unlimited, asked), strict=True):
        assert answer.status == 200 and foreign(answer, visitor) == set()


def test_the_same_id_is_everybodys_own(unlimited, crowd, untouched):
    _, tokens = crowd
    asked = [(v, tokens[v], "get_order", {"id": "shared"}) for v in range(VISITORS)]
    for (visitor, *_), answer in zip(asked, run(unlimited, asked), strict=True):
        assert answer.json["result"]["data"] == document(visitor, EACH - 1)["data"]


def test_naming_somebody_else_does_not_make_one_them(unlimited, crowd, untouched):
    """Whatever the request says about identity, in every place it could."""
    _, tokens = crowd
    asked = [(v, tokens[v], "list_orders", {name: EMAILS[(v + 1) % VISITORS]}) for v in range(VISITORS)
             for name in ("email", "EMAIL", "user_id", "identity", "name")]
    for (visitor, *_), answer in zip(asked, run(unlimited, asked), strict=True):
        assert answer.status == 200 and foreign(answer, visitor) == set() and len(answer.json["ignored"]) == 1
        assert len(answer.json["result"]["items"]) == EACH


@pytest.mark.parametrize("who", ["anonymous", "owner", "other"])
@pytest.mark.parametrize("action", ["look_up", "change_any", "remove_any"])
def test_public_actions_reach_no_owned_row(unlimited, crowd, untouched, action, who):
    _, tokens = crowd
    asked = []
    for v, n in itertools.product(range(VISITORS), range(EACH) if SLOW or who == "anonymous" else range(0, EACH, 3)):
        token = {"anonymous": None, "owner": tokens[v], "other": tokens[(v + 7) % VISITORS]}[who]
        asked.append((None, token, action, {"id": document(v, n)["id"]}))
    answers = run(unlimited, [*asked, (None, asked[0][1], action, {"id": "no-such"})])
    assert {without_id(a)[0] for a in answers} == {404} and len({without_id(a)[2] for a in answers}) == 1
    assert all(foreign(a, None) == set() for a in answers)


def test_every_personal_action_is_tried_here():
    """A new one in the shop fails here until it is."""
    personal = {a["name"] for a in ACTIONS["actions"] if a["access"] == "personal"}
    with_an_id = {a["name"] for a in ACTIONS["actions"] if a["access"] == "personal" and "id" in a["connector"]}
    assert with_an_id == set(REFUSED)
    assert personal - with_an_id == {"static_own", "list_orders", "create_order", "by_user_id", "by_name", "by_claim", "free_form"}


def test_what_one_creates_changes_and_deletes_is_ones_own(unlimited, crowd, untouched):
    """Everybody at once: create, change, read, delete; at the end all is as it was."""
    site, tokens = crowd
    def step(action, parameters):
        answers = run(unlimited, [(v, tokens[v], action, parameters(v)) for v in range(VISITORS)])
        for visitor, answer in enumerate(answers):
            assert answer.status == 200 and foreign(answer, visitor) == set(), str(answer)
        return [a.json["result"] for a in answers]
    made = step("create_order", lambda v: {"item": f"canary-{v}-new"})
    assert len({m["id"] for m in made}) == VISITORS
    changed = step("change_order", lambda v: {"id": made[v]["id"], "note": f"canary-{v}-note"})
    assert all(c["data"]["note"] == f"canary-{v}-note" and c["data"]["by"] == EMAILS[v] for v, c in enumerate(changed))
    now = rows(site)
    assert {key for key in now if key not in untouched} == {(EMAILS[v], m["id"]) for v, m in enumerate(made)}
    assert {key: now[key] for key in untouched} == untouched
    # somebody else's new document, whose id was just made, is no more to be had than an old one
    thieves = run(unlimited, [(v, tokens[v], "delete_order", {"id": made[(v + 1) % VISITORS]["id"]}) for v in range(VISITORS)])
    assert {a.code for a in thieves} == {"not_found"}
    step("delete_order", lambda v: {"id": made[v]["id"]})


def test_the_same_through_a_web_server(web, crowd, untouched):
    """A share of it again with lighttpd in between."""
    _, tokens = crowd
    bodies = set()
    for visitor in range(0, VISITORS, 5):
        for v in (0, 1, 9, 49):
            if v != visitor:
                answer = web.act("crowd", "get_order", {"id": document(v, 1)["id"]}, tokens[visitor])
                assert answer.status == 404
                bodies.add(answer.body)
        answer = web.act("crowd", "list_orders", token=tokens[visitor])
        assert len(answer.json["result"]["items"]) == EACH and foreign(answer, visitor) == set()
    assert len(bodies) == 1


def test_another_sites_documents_of_the_same_email_are_another_sites(web, crowd, untouched, module_data):
    site, tokens = crowd
    twin = add_shop(module_data, "twin", documents=[{**document(0, n), "data": {"state": "open", "canary": "canary-888-0"}} for n in range(3)])
    token = twin.token(email=EMAILS[0])
    items = web.act("twin", "list_orders", token=token).json["result"]["items"]
    assert len(items) == 3 and all(i["data"]["canary"] == "canary-888-0" for i in items)
    assert foreign(web.act(site.name, "list_orders", token=tokens[0]), 0) == set()
    assert web.act(site.name, "list_orders", token=token).code == "token_invalid"
    assert web.act("twin", "delete_order", {"id": document(0, 1)["id"]}, token).status == 200
    assert (EMAILS[0], document(0, 1)["id"]) in rows(site)


def test_nothing_of_anybody_is_in_the_log(unlimited, crowd, untouched, module_data):
    lines = "\n".join(module_data.audit_lines())
    assert not CANARY.search(lines.encode()) and not any(email in lines for email in EMAILS)
