"""A call to another system whose last record cannot be written when it is due: the answer says so, the record is written once it
can be, and then its Idempotency-Key is what the record says."""
import json

import pytest

from lib import fastcgi, notes
from lib.nth import FOR_EVER, Nth
from lib.programs import wait_until
from lib.provider import Provider
from lib.rawdb import RawDb
from lib.worker import Worker

pytestmark = pytest.mark.tree("sanitized")

ACTIONS = {"actions": [notes.action("book", "personal", "write", {"slot": "string"}, {
    "type": "http", "connection": "shop", "method": "POST", "path": ["bookings"], "json": {"slot": {"$input": "slot"}, "email": {"$identity": "email"}}})]}


class Desk:
    """A site whose one action books at the stand-in for the connection provider; during the call `meanwhile` is called."""

    def __init__(self, data, provider):
        self.data, self.provider, self.nth = data, provider, Nth(data)
        self.site = data.add_site(notes.SITE, actions=ACTIONS)
        self.says, self.meanwhile = (200, {}, {"booked": "b-17"}), lambda: None
        provider.reply = self.reply

    def reply(self, _):
        self.meanwhile()
        return self.says

    def unwritable(self):
        """Nothing is made durable until disarm()."""
        self.nth.arm("sync", 1, count=FOR_EVER)

    def book(self, worker, key="k-1"):
        body = json.dumps({"parameters": {"slot": "9:00"}}).encode()
        with worker.connect() as c:
            return c.ask(fastcgi.environ("POST", f"/v1/sites/{notes.SITE}/actions/book", token=self.site.token(), body=body,
                                         HTTP_IDEMPOTENCY_KEY=key), body).answer.check()

    def last_records(self, answer):
        return [r for r in self.data.audit(id=answer.request_id) if r["outcome"] != "intended"]


@pytest.fixture
def desk(data):
    with Provider(data.home / "proxy.sock") as provider:
        yield Desk(data, provider)


@pytest.fixture
def worker(data, desk):
    with Worker(data, "--audit-budget", "0", "--connect", desk.provider.path, env=desk.nth.env) as w:
        yield w


def refused_and_recorded_later(desk, worker):
    desk.meanwhile = desk.unwritable
    answer = desk.book(worker)
    assert (answer.status, answer.code) == (503, "audit_unavailable"), str(answer)
    desk.meanwhile = lambda: None
    assert not desk.last_records(answer)
    desk.nth.disarm()
    last = wait_until(lambda: desk.last_records(answer), "the record to be written")
    assert len(last) == 1
    return last[0]


def test_what_was_done_is_recorded_later_and_given_to_who_asks_again(desk, worker):
    last = refused_and_recorded_later(desk, worker)
    assert (last["outcome"], last["status"]) == ("done", 200) and "reason" not in last
    again = desk.book(worker)
    assert again.status == 200 and again.json["result"] == {"booked": "b-17"} and again.header("Idempotent-Replayed") == "true"
    assert len(desk.provider.asked) == 1, "booked twice"


@pytest.mark.parametrize("status, free", [(404, True), (500, False)])
def test_a_failure_frees_the_key_where_nothing_was_done_for_certain(desk, worker, status, free):
    desk.says = status, {}, {}
    last = refused_and_recorded_later(desk, worker)
    assert last["outcome"] == "failed"
    desk.says = 200, {}, {"booked": "b-17"}
    again = desk.book(worker)
    assert (again.status, again.code) == ((200, None) if free else (409, "conflict")), str(again)
    assert len(desk.provider.asked) == 1 + free


def test_a_call_that_was_closed_meanwhile_has_no_second_last_record(desk, worker):
    """As by a worker that found its time to be over."""
    def close():
        with RawDb(desk.data.path / "ledger") as ledger:
            (key, _), = ledger.rows("calls")
            ledger.delete("calls", key)
    desk.meanwhile = close
    answer = desk.book(worker)
    assert (answer.status, answer.code) == (502, "upstream_failed"), str(answer)
    assert not desk.last_records(answer)
    desk.meanwhile = lambda: None
    assert desk.book(worker).code == "conflict", "whether it was done is not known: the key stays taken"
