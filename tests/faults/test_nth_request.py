"""The Nth call fails, for every N there is in a request's life: nobody is let in, nothing is answered that was not done and
recorded, nothing is there by half, and the worker goes on.

Each request is one of a kind whose right answer is known to the byte. With a fault it may be refused as one of ours is, or be
dropped; it may never be answered otherwise. POSTERN_SLOW=1 tries every N, else some."""
import json
from collections import Counter

import pytest

from lib import fastcgi, notes
from lib.nth import FOR_EVER, SLOW, Nth
from lib.programs import wait_until
from lib.rawdb import RawDb
from lib.tokens import fingerprint
from lib.worker import Worker

REFUSED = {(503, "audit_unavailable"), (503, "vault_unavailable"), (503, "overloaded")}
ALEX, JORDAN = "alex.with-a-long-name@example.com", "jordan@example.com"
CLAIMS = {"email": ALEX, "name": "Alexander of the Long and Winding Name", "user_id": "customer-000000000017"}
TEXT = "a text that is longer than what a parser's buffer holds at first, so that it has to grow"
HANG_SECONDS = 8                        # a job that is not taken is withdrawn after 2


class Service:
    """A worker, and another after one that ended as it should (LMDB gives its environment up after some faults)."""

    def __init__(self, data, *options):
        self.data, self.site, self.nth, self.options = data, data.add_site(notes.SITE, actions=notes.ACTIONS), Nth(data), options
        self.good = self.site.token(ttl=3600, **CLAIMS)
        self.expired = self.site.token(ttl=-5, **CLAIMS)
        self.forged = self.site.token(secret="x" * 43, **CLAIMS)
        self.made, self.answered, self.seen, self.workers = 0, [], Counter(), []
        self.worker = self.start()
        jordans = self.site.token(email=JORDAN)
        self.jordans_note = notes.act(self.worker, "create_note", {"text": "Jordan's"}, jordans).json["result"]["id"]
        self.my_note = notes.act(self.worker, "create_note", {"text": TEXT}, self.good).json["result"]["id"]

    def start(self):
        worker = Worker(self.data, "--audit-budget", "0", *self.options, threads=2, env=self.nth.env)
        self.workers.append(worker)
        return worker

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.nth.disarm()
        for worker in self.workers:
            if kind is None and worker is self.worker and "LMDB gave" not in worker.log():
                worker.stop()
            else:
                worker.kill()
                if kind is not None:
                    print(f"---- log of a worker\n{worker.log()}")
                else:
                    worker.check_log()

    def revive(self, fault):
        """The worker is there, or ended with the line that says why: then another is."""
        if self.worker.process.poll() is None and "LMDB gave the ledger up" not in self.worker.log():
            return False
        assert self.worker.process.wait(10) == 3, f"{fault}: ended with {self.worker.process.returncode}\n{self.worker.log()}"
        assert fault.kind in ("write", "sync") and "LMDB gave the ledger up" in self.worker.log(), f"{fault}\n{self.worker.log()}"
        self.seen["worker ended"] += 1
        self.worker = self.start()
        return True

    def ask(self, env, body=b""):
        """The reply, or None where the connection went first."""
        try:
            with fastcgi.Connection(self.worker.socket, HANG_SECONDS) as c:
                reply = c.ask(env, body)
        except (BrokenPipeError, ConnectionResetError, ConnectionRefusedError, FileNotFoundError):
            return None
        return reply.answer.check() if reply.ended else None

    def fresh(self):
        """Never used before."""
        self.made += 1
        return f"key-{self.made}"


def identity_of(answer):
    return answer.json["identity"]


def is_me(identity):
    return identity["status"] == "verified" and {k: identity[k] for k in CLAIMS} == CLAIMS


def nobody(identity):
    return identity == {"status": "anonymous", "reason": "no_token"}


class Case:
    """A request, and what its answer must be."""
    def __init__(self, ask, right):
        self.ask, self.right = ask, right


def action(name, parameters, token=None, **more):
    def ask(s):
        values = {"id": s.my_note if parameters.get("id") == "mine" else s.jordans_note} if "id" in parameters else parameters
        document = {"parameters": values, **({"conversation": s.fresh()} if "conversation" in more else {})}
        body = json.dumps(document).encode()
        headers = {"HTTP_IDEMPOTENCY_KEY": s.fresh()} if "key" in more else {}
        return s.ask(fastcgi.environ("POST", f"/v1/sites/{notes.SITE}/actions/{name}", token=getattr(s, token) if token else None,
                                     body=body, **headers), body)
    return ask


def get(path, token=None, **more):
    return lambda s: s.ask(fastcgi.environ(path=f"/v1/sites/{notes.SITE}/{path}" if path else "/v1/health",
                                           token=getattr(s, token) if token else None, **more))


def code(status, name):
    return lambda a: (a.status, a.code) == (status, name)


def guard(token):
    return lambda s: s.ask(fastcgi.environ(path="/private", script="", token=getattr(s, token) if token else None,
                                           POSTERN_ROLE="authorizer", POSTERN_SITE=notes.SITE))


CASES = {
    "identity": Case(get("identity", "good"), lambda a: a.status == 200 and is_me(identity_of(a))),
    "anonymous": Case(get("identity"), lambda a: a.status == 200 and nobody(identity_of(a))),
    "expired": Case(get("identity", "expired"), code(401, "token_expired")),
    "catalogue": Case(get("actions", "good"), lambda a: a.status == 200 and {x["name"] for x in a.json["actions"]} == {
        x["name"] for x in notes.ACTIONS["actions"]}),
    "guard": Case(guard("good"), lambda a: a.status == 200 and a.header("X-Postern-Email") == ALEX),
    "guard_forged": Case(guard("forged"), code(401, "token_invalid")),
    "guard_without": Case(guard(None), code(401, "sign_in_required")),
    "read": Case(action("read_note", {"id": "mine"}, "good"), lambda a: a.status == 200 and is_me(identity_of(a)) and
                 a.json["result"]["data"] == {"n": 0, "text": TEXT}),
    "anothers": Case(action("read_note", {"id": "jordan's"}, "good"), code(404, "not_found")),
    "write": Case(action("create_note", {"text": TEXT}, "good", conversation=True, key=True),
                  lambda a: a.status == 200 and is_me(identity_of(a)) and a.json["result"]["data"] == {"n": 0, "text": TEXT}),
    "blocked": Case(action("create_note", {"text": TEXT}, "forged"), code(401, "token_invalid")),
    "no_sign_in": Case(action("create_note", {"text": TEXT}), code(401, "sign_in_required")),
    "public_write": Case(action("leave_note", {"text": TEXT}), lambda a: a.status == 200 and nobody(identity_of(a))),
    "public_read": Case(action("hello", {}), lambda a: a.status == 200 and a.json["result"] == {"hello": "world"}),
}


@pytest.fixture
def service(data):
    with Service(data) as s:
        yield s
    check_books(data, s)


def note(s, case, answer, fault):
    if answer is None:
        s.seen["dropped"] += 1
        return
    s.seen[f"{answer.status} {answer.code or ''}".strip()] += 1
    if CASES[case].right(answer):
        if answer.status == 200 and b'"audit":' in answer.body:
            s.answered.append((case, answer.json["audit"]))
        return
    assert (answer.status, answer.code) in REFUSED, f"{case}, {fault}: {answer}"


def try_one(s, case, fault):
    with fault:
        answer = CASES[case].ask(s)
    note(s, case, answer, fault)

    def as_ever():
        again = CASES[case].ask(s)
        if again is None:
            assert s.revive(fault), f"{case}, after {fault}: dropped"
            return False
        assert CASES[case].right(again) or (again.status, again.code) == (503, "audit_unavailable"), f"{case}, after {fault}: {again}"
        note(s, case, again, "none")
        return again.status != 503
    wait_until(as_ever, f"{case} to work again after {fault}")


def check_books(data, s):
    """Every answered action has its record and every record its change; only bad tokens are recorded as blocked."""
    data.run("audit", "checkpoint")
    verdict = data.run("audit", "verify", "--json").json
    assert verdict["verdict"] == "verified", verdict
    records = data.audit(event="action")
    done = Counter(r["id"] for r in records if r["outcome"] == "done")
    twice = [i for i, n in done.items() if n > 1]
    assert not twice, f"recorded twice: {twice}"
    # A public read's record is queued, and lost with a worker that ends.
    missing = [a for a in s.answered if a[1] not in done and not (a[0] == "public_read" and s.seen["worker ended"])]
    assert not missing, f"answered without a record: {missing}"
    rows = data.run("document", "list", notes.SITE, "notes", "--json").json
    written = sum(r["action"] in ("create_note", "leave_note") for r in records if r["outcome"] == "done")
    assert len(rows) == written, f"{len(rows)} documents, {written} records of one"
    assert {r["data"]["text"] for r in rows} <= {TEXT, "Jordan's"} and {r["owner"] for r in rows} <= {ALEX, JORDAN, None}
    blamed = [r for r in data.audit(outcome="blocked") if r.get("token") == fingerprint(s.good)]
    assert not blamed, f"a good token is recorded as blocked: {blamed}"
    with RawDb(data.path / "ledger") as ledger:
        assert not ledger.rows("calls")
    print(dict(s.seen))


def try_all(s, kind, cases=CASES, error=None, count=1, few=1):
    for case in cases:
        hits = 0
        for fault in s.nth.every(kind, error, count, few):
            try_one(s, case, fault)
            hits += fault.hit
        s.seen[f"hits {kind}"] += hits


@pytest.mark.limit(600 if SLOW else 60)
def test_an_nth_allocation_that_fails(service):
    try_all(service, "memory", few=3)
    assert service.seen["hits memory"] > 100 and service.seen["503 overloaded"] and service.seen["dropped"]


@pytest.mark.limit(600 if SLOW else 60)
def test_all_allocations_fail_from_the_nth_on(service):
    try_all(service, "memory", ["identity", "guard_forged", "write", "anothers", "public_read"], count=FOR_EVER, few=1)
    assert service.seen["hits memory"]


SOME = ["identity", "expired", "write", "blocked", "anothers", "public_read"]


@pytest.mark.limit(600 if SLOW else 60)
def test_an_nth_write_or_sync_that_fails(service):
    """Some end the worker: LMDB gives its environment up where the last page of a commit could not be written."""
    try_all(service, "write", CASES if SLOW else ["expired", "write", "public_read"], few=8)
    try_all(service, "sync", CASES if SLOW else SOME)
    assert service.seen["worker ended"] and service.seen["hits sync"] and service.seen["503 audit_unavailable"]


@pytest.mark.limit(600 if SLOW else 60)
def test_an_nth_descriptor_or_read_that_fails(service):
    for kind in ("read", "accept", "epoll"):
        try_all(service, kind, CASES if SLOW else SOME, few=8)
        assert service.seen[f"hits {kind}"]
