"""The audit budget (design 9): what one source may write a second, and what becomes of the rest. lighttpd would show one
address for all, so these requests go straight to the worker with a REMOTE_ADDR of their own."""
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.datadir import DataDir
from lib.fastcgi import Connection, environ
from lib.ledger import HeldLedger
from lib.programs import wait_until
from lib.shop import ALEX, add_shop, rows
from lib.worker import Worker

pytestmark = pytest.mark.tree("plain")

IDENTITY = "/v1/sites/shop/identity"
A, B, C = "203.0.113.7", "203.0.113.8", "198.51.100.9"


def flood(worker, count, address=A, path=IDENTITY, method="GET", body=b"", token="x.y.z"):
    """So many requests on one connection; the answers, and when they began and ended."""
    env = environ(method, path, token=token, body=body, REMOTE_ADDR=address)
    start = time.time()
    with Connection(worker.socket) as c:
        answers = [c.ask(env, body, keep=True).answer.check() for _ in range(count)]
    return answers, start, time.time()


def act(worker, count, action="list_orders", address=A, token=None):
    return flood(worker, count, address, f"/v1/sites/shop/actions/{action}", "POST", b"{}", token)


def split(data, after=0):
    """(records of their own, folds), of requests alone."""
    records = [r for r in data.audit() if r["event"] in ("action", "identity") and r["seq"] >= after]
    return [r for r in records if "count" not in r], [r for r in records if "count" in r]


@pytest.fixture
def shop(data):
    return add_shop(data, "shop")


@pytest.fixture(scope="module", autouse=True)
def gathering(module_data):
    """A worker whose fold gathers while the other tests run: (worker, data, when its first requests came)."""
    add_shop(module_data, "shop")
    with Worker(module_data, "--audit-budget", "1") as w:
        _, start, _ = flood(w, 30)
        yield w, module_data, start


def test_the_default_is_100_at_once_and_10_a_second(data, shop):
    with Worker(data) as w:
        answers, start, end = flood(w, 180)
        assert {a.code for a in answers} == {"token_invalid"}
        whole, _ = split(data)
        assert 100 <= len(whole) <= 100 + 10 * (end - start + 1)
        assert [r["id"] for r in whole[:100]] == [a.request_id for a in answers[:100]], "the first hundred are these"
        spent = time.time()
        flood(w, 40)
        more = [r for r in split(data)[0]][len(whole):]
        assert len(more) <= 10 * (time.time() - spent + (spent - end) + 1)
        # ten a second come back
        before, begin = len(split(data)[0]), time.time()
        while time.time() - begin < 1.2:
            flood(w, 1)
        gained = len(split(data)[0]) - before
        assert 8 <= gained <= 10 * (time.time() - begin) + 2
    whole, folds = split(data)
    assert len(folds) == 1, "at the stop what was folded is written"


def test_nothing_is_lost_own_records_and_counts_are_all_that_came(data, shop):
    with Worker(data, "--audit-budget", "2") as w:
        answers, start, end = flood(w, 100)
    whole, folds = split(data)
    assert len(folds) == 1 and len(whole) + folds[0]["count"] == 100
    fold = folds[0]
    assert set(fold) == {"event", "id", "outcome", "seq", "time", "v", "site", "remote", "reason", "count", "first", "last"}
    assert (fold["event"], fold["outcome"], fold["reason"], fold["site"], fold["remote"]) == (
        "identity", "blocked", "token_malformed", "shop", "203.0.113.0/24")
    assert start <= fold["first"] / 1e6 <= fold["last"] / 1e6 <= end
    assert fold["first"] > max(r["time"] for r in whole[:20]) and fold["id"] not in {a.request_id for a in answers}


def test_a_fold_says_only_what_its_requests_had_in_common(data, shop):
    with Worker(data, "--audit-budget", "1") as w:
        flood(w, 20)
        flood(w, 10, token=shop.token(ttl=-1))
        act(w, 10)
    whole, (fold,) = split(data)
    assert "reason" not in fold and fold["count"] + len(whole) == 40 and fold["site"] == "shop"


def test_past_it_a_blocked_token_is_answered_without_waiting_and_within_it_only_on_disk(data, shop):
    with Worker(data, "--audit-budget", "1") as w:
        flood(w, 30)
        with HeldLedger(data):
            answers, start, end = flood(w, 50)
            assert end - start < 1 and {a.status for a in answers} == {401}
            answers, start, end = flood(w, 1, address=B)
            assert end - start > 1 and answers[0].status == 401, "another source is within its budget, so it waits"


def test_past_it_anonymous_actions_are_rate_limited_and_not_run(data, shop):
    with Worker(data, "--audit-budget", "1") as w:
        body = b'{"parameters":{"text":"x"}}'
        answers, start, end = flood(w, 40, A, "/v1/sites/shop/actions/contact", "POST", body, None)
        done = [a for a in answers if a.status == 200]
        limited = [a for a in answers if a.status != 200]
        assert 10 <= len(done) <= 10 + (end - start) + 1 and {(a.status, a.code) for a in limited} == {(429, "rate_limited")}
        assert all(a.header("Retry-After").isdigit() for a in limited)
        assert len(rows(shop, "contacts")) == len(done)
        reads, _, _ = act(w, 1, "hello")
        assert reads[0].code == "rate_limited", "public reads are records of theirs too"
        refused, _, _ = act(w, 1)
        assert refused[0].code == "sign_in_required", "a refusal stays what it is"
        unusable, _, _ = act(w, 1, "hello", token=shop.token(email="alex@shop.test"))
        assert unusable[0].code == "rate_limited", "an unusable email is anonymous"
    whole, folds = split(data)
    assert sum(f["count"] for f in folds) == len(limited) + 3 and {f["outcome"] for f in folds} == {"refused"}
    assert len([r for r in whole if r["outcome"] == "done"]) == len(done)


def test_rate_limited_is_the_reason_of_its_fold(data, shop):
    with Worker(data, "--audit-budget", "1") as w:
        act(w, 30, "hello")
    fold, = split(data)[1]
    assert (fold["outcome"], fold["reason"], fold["event"]) == ("refused", "rate_limited", "action")


def test_verified_visitors_are_not_counted(data, shop):
    with Worker(data, "--audit-budget", "1") as w:
        flood(w, 30)
        for action in ("list_orders", "hello", "by_user_id"):
            answers, _, _ = act(w, 20, action, token=shop.token())
            assert {a.status for a in answers} == {403 if action == "by_user_id" else 200}
    whole, _ = split(data)
    assert len([r for r in whole if r["outcome"] != "blocked"]) == 60
    assert ALEX not in str(whole)


def test_asking_who_one_is_costs_nothing(data, shop):
    with Worker(data, "--audit-budget", "1") as w:
        answers, _, _ = flood(w, 60, token=None)
        assert {a.status for a in answers} == {200}
        act(w, 5)
    whole, folds = split(data)
    assert len(whole) == 5 and folds == []


def test_other_sources_and_other_sites_are_not_affected(data, shop):
    add_shop(data, "second")
    with Worker(data, "--audit-budget", "1") as w:
        flood(w, 40)
        for address in (B, C, "2001:db8::1", ""):
            answers, _, _ = flood(w, 5, address)
            assert len(data.audit(id=answers[-1].request_id)) == 1, address
        other, _, _ = flood(w, 5, path="/v1/sites/second/identity")
        assert len(data.audit(id=other[-1].request_id)) == 1


@pytest.mark.parametrize("first, second, same", [
    ("2001:db8:1:2200::1", "2001:db8:1:22ff:ffff::9", True), ("2001:db8:1:2200::1", "2001:db8:1:2300::1", False),
    ("203.0.113.7", "203.0.113.9", False), ("203.0.113.7", "::ffff:203.0.113.7", True)])
def test_a_source_is_an_ipv4_address_or_an_ipv6_56(data, shop, first, second, same):
    with Worker(data, "--audit-budget", "1") as w:
        flood(w, 30, first)
        answers, _, _ = flood(w, 1, second)
        assert len(data.audit(id=answers[0].request_id)) == (0 if same else 1)


def test_all_sources_of_a_site_share_ten_times_that(data, shop):
    with Worker(data, "--audit-budget", "1") as w:
        start = time.time()
        for n in range(20):
            flood(w, 9, f"198.51.100.{n}")
        end = time.time()
        whole, _ = split(data)
        assert 100 <= len(whole) <= 100 + 10 * (end - start + 1) < 180
    whole, folds = split(data)
    assert len(whole) + sum(f["count"] for f in folds) == 180
    assert len(folds) <= 20 and {f.get("site") for f in folds} == {"shop"}


def test_0_turns_both_off(data, shop):
    with Worker(data, "--audit-budget", "0") as w, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: flood(w, 150), range(8)))
    whole, folds = split(data)
    assert (len(whole), folds) == (1200, [])


@pytest.mark.parametrize("option, env", [(["--audit-budget", "3"], {}), (["--audit-budget", "3/s"], {}), ([], {"POSTERN_AUDIT_BUDGET": "3"})])
def test_n_sets_the_rate_and_ten_times_it_at_once(data, shop, option, env):
    with Worker(data, *option, env=env) as w:
        _, start, end = flood(w, 60)
        whole, _ = split(data)
        assert 30 <= len(whole) <= 30 + 3 * (end - start + 1)


def test_a_worker_that_is_killed_loses_only_what_was_folded(shop, data):
    w = Worker(data, "--audit-budget", "1")
    try:
        _, start, end = flood(w, 30)
    finally:
        w.kill()
    whole, folds = split(data)
    assert 10 <= len(whole) <= 10 + (end - start) + 1 and folds == []


def test_the_line_fits_the_schema_whatever_was_folded():
    """Sources without an address, IPv6, refusals and blocked ones at once: DataDir checks each line at its end."""
    with DataDir() as data:
        shop = add_shop(data, "shop")
        with Worker(data, "--audit-budget", "1") as w:
            for address in ("", "2001:db8::1", A):
                flood(w, 15, address, token=shop.token(ttl=-1, exp=None, iat=5))
                act(w, 15, "hello", address)
        folds = split(data)[1]
        assert folds and {f.get("remote") for f in folds} == {None, "2001:db8::/56", "203.0.113.0/24"}


def test_a_fold_is_written_after_ten_seconds(gathering):
    """The last one here: its ten seconds are those of the others."""
    worker, data, start = gathering
    fold, = wait_until(lambda: split(data)[1], "the fold", 16)
    assert fold["count"] + len(split(data)[0]) == 30
    assert 9.5 <= fold["time"] / 1e6 - start <= 14
    flood(worker, 30)
    assert len(split(data)[1]) == 1, "at most one in ten seconds"
