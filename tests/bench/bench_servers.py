"""Target 1 and 2 of the measurements: identity and personal actions behind nginx, against the null responder."""
from dataclasses import dataclass

from lib import audit
from lib.datadir import DataDir
from lib.worker import Worker
from run import interleaved, median, ratio
from servers import Ask, Commits, Front, NullResponder, Target, settled, written_bytes

METHOD = """nginx (one worker process, the shipped configuration) before postern-fcgi, and the same nginx before a null libfcgi
responder (tests/bench/null-responder.c) that gets the same requests, tokens included, and sends as many bytes. wrk is the
load, 32 or 256 connections that are kept, 2 s a round, on the same machine; the two take turns, after a first second of each
that does not count. rate and p99 are wrk's; CPU is what nginx's worker and the backend used for an answer, from /proc. The
null responder has a thread for each connection, else libfcgi leaves some waiting. Postern has as many threads as it takes by
itself. Where a figure is a ratio it is the median of the rounds' ratios. Every answer's status is checked: by wrk, whether
below 400, and by Postern's own count of answers by code; and afterwards the log must verify and hold a record for each
answer that needs one, no more. "null beside the commits" is the null responder again while a process of its own
(tests/bench/commits.c) makes as many commits a second as Postern just made, each of as many pages, and nothing else: what this
machine's disk costs any server that shares it. What needs a record is measured a second time with the data in memory
(/dev/shm), where a commit is free."""

ROUNDS = 5
ROUNDS_IN_MEMORY = 3
SECONDS = 2
PAGE = 4096                     # bytes, LMDB's

ACTIONS = {"actions": [
    {"name": "track_order", "title": "Track an order", "description": "Where one of the visitor's orders is.", "access": "personal",
     "effect": "read", "parameters": {"type": "object", "properties": {"order_id": {"type": "string", "maxLength": 64}},
                                      "required": ["order_id"], "additionalProperties": False},
     "connector": {"type": "documents", "collection": "orders", "operation": "get", "id": {"$input": "order_id"}}},
    {"name": "change_address", "title": "Change an order's address", "description": "Where an order goes.", "access": "personal",
     "effect": "write", "parameters": {"type": "object", "properties": {
         "order_id": {"type": "string", "maxLength": 64}, "city": {"type": "string", "minLength": 1, "maxLength": 80}},
                                       "required": ["order_id", "city"], "additionalProperties": False},
     "connector": {"type": "documents", "collection": "orders", "operation": "update", "id": {"$input": "order_id"},
                   "set": {"city": {"$input": "city"}}}}]}
ORDER = {"collection": "orders", "id": "1001", "owner": "alex@example.com",
         "data": {"state": "in_transit", "carrier": "Fell Parcels", "city": "Kendal",
                  "items": [{"product": "boots-karst-gtx", "quantity": 1}]}}


@dataclass
class Kind:
    name: str
    ask: object                     # (site) -> Ask
    code: str                       # how Postern counts the answer
    rate: dict                      # {connections: at least}
    cpu: float = None               # at most
    budget: int = 0
    record: dict = None             # members of its record; None: there is none
    folded: bool = False

    @property
    def durable(self):
        """Is its record on the disk before the answer?"""
        return self.record is not None and not self.folded


def identity(site):
    return Ask("GET", "/v1/sites/acme/identity", site.token())


def bad_identity(site):
    return Ask("GET", "/v1/sites/acme/identity", site.token(secret="not the secret of any key of this site"), status=401)


def read_action(site):
    return Ask("POST", "/v1/sites/acme/actions/track_order", site.token(), body='{"parameters":{"order_id":"1001"}}')


def write_action(site):
    return Ask("POST", "/v1/sites/acme/actions/change_address", site.token(),
               body='{"parameters":{"order_id":"1001","city":"Ambleside"}}')


BLOCKED = {"event": "identity", "outcome": "blocked", "reason": "signature_mismatch"}
KINDS = [
    Kind("identity, valid token", identity, "none", {32: 0.95, 256: 0.95}, cpu=1.08),
    Kind("identity, bad token, recorded", bad_identity, "token_invalid", {32: 0.80, 256: 0.80}, record=BLOCKED),
    Kind("identity, bad token, folded", bad_identity, "token_invalid", {32: 0.95, 256: 0.95}, budget=10, record=BLOCKED,
         folded=True),
    Kind("personal read action", read_action, "none", {32: 0.70, 256: 0.85}, cpu=1.4,
         record={"event": "action", "outcome": "done", "action": "track_order"}),
    Kind("write action", write_action, "none", {32: 0.60, 256: 0.80},
         record={"event": "action", "outcome": "done", "action": "change_address"}),
]


def check_log(data, kind, before, answered):
    """A record for each answer of the load (a folded one stands for many), and nothing else but the admin's own."""
    records = [r for r in data.audit() if r["seq"] >= before]
    wrong = [r for r in records if not audit.matching([r], kind.record or {}) or kind.record is None]
    assert not wrong, f"{len(wrong)} records that nothing here causes: {wrong[:2]}"
    count = sum(r.get("count", 1) for r in records)
    expected = answered if kind.record else 0
    assert count == expected, f"the log tells of {count} answers, {expected} were given"
    assert not kind.folded or len(records) < max(1000, answered / 10), f"{len(records)} records of {answered} refusals: not folded"
    audit.check_lines(data.audit_lines()[:before + 50], data.secrets, data.emails)
    data.run("audit", "checkpoint")
    data.run("audit", "verify")


@dataclass
class Commit:
    """What Postern's commits were."""
    a_second: float
    jobs: float             # in one of them
    pages: float            # that the disk was given for one of them


def look(worker, home):
    """What commits_between() compares."""
    m = settled(worker)
    return m["postern_jobs_total"], m["postern_commits_total"], written_bytes(home)


def commits_between(before, after, seconds):
    jobs, commits, written = (b - a for a, b in zip(before, after))
    return Commit(commits / seconds, jobs / max(1, commits), written / PAGE / max(1, commits))


def rounds_of(rounds, kind, ask, connections, floor, postern, home):
    """({"null": [Sample], "postern": [Sample]} and, where each answer waits for a disk, "commits": [Sample]; Postern's Commit)."""
    worker = postern.backend
    floor.ask(ask, connections, 1)
    first = look(worker, home)
    postern.ask(ask, connections, 1)
    commit = commits_between(first, look(worker, home), 1)

    def beside_commits():
        with Commits(home, commit.a_second, commit.pages):
            return floor.ask(ask, connections, SECONDS)

    ways = {"null": lambda: floor.ask(ask, connections, SECONDS), "postern": lambda: postern.ask(ask, connections, SECONDS)}
    if kind.durable and commit.pages >= 1:
        ways["commits"] = beside_commits
    first = look(worker, home)
    samples = interleaved(rounds, ways)
    commit.jobs = commits_between(first, look(worker, home), SECONDS * rounds).jobs
    return samples, commit


def measure(kind, rounds):
    """{connections: what rounds_of() found} of one kind."""
    with DataDir() as data:
        data.check_lines = False            # a sample of them is, and all are counted: check_log()
        site = data.add_site("acme", actions=ACTIONS, documents=[ORDER])
        ask = kind.ask(site)
        before = len(data.audit_lines())
        with Worker(data, "--audit-budget", kind.budget, threads=None) as worker:
            answer = ask.raw_answer(worker)
            with Front(data.home, worker.socket) as front:
                postern = Target(worker, front, data.home)
                found = {}
                for connections in kind.rate:
                    with NullResponder(data.home, answer, connections) as null, Front(data.home, null.socket) as null_front:
                        floor = Target(null, null_front, data.home)
                        found[connections] = rounds_of(rounds, kind, ask, connections, floor, postern, data.home)
            answered = check_counts(kind, settled(worker), postern.answered, sum(c * (rounds + 1) for c in kind.rate))
        check_log(data, kind, before, answered)
        return found


def check_counts(kind, counted, seen, most_left):
    """How many answers the worker gave: all of one code, and wrk saw all but those it left when its time was over."""
    code = f'postern_answers_total{{code="{kind.code}"}}'
    answered = int(counted['postern_requests_total{endpoint="action"}'] + counted['postern_requests_total{endpoint="identity"}'])
    other = {name: n for name, n in counted.items() if name.startswith("postern_answers_total") and name != code
             and name != 'postern_answers_total{code="none"}'}              # the metrics' own answers
    assert not other, f"answers of another code: {other}"
    assert 0 <= answered - 1 - seen <= most_left, f"wrk saw {seen} answers, the worker gave {answered}"
    return answered


def part(samples, name):
    return [getattr(s, name) for s in samples]


def figures_of(kind, where, rounds):
    for connections, (samples, commit) in measure(kind, rounds).items():
        label = f"{kind.name}{where}, {connections} connections"
        rates, cpus, p99s = ({who: part(samples[who], name) for who in samples} for name in ("rate", "cpu_us", "p99_ms"))
        note = f"{median(rates['postern']):,.0f}/s to {median(rates['null']):,.0f}/s"
        if kind.durable:
            note += f"; {commit.jobs:.1f} writes a commit"
        yield {"name": f"{label}: rate", "value": ratio(rates, "postern", "null"), "unit": "x null",
               "goal": (">=", kind.rate[connections]), "note": note}
        if "commits" in rates:
            yield {"name": f"{label}: null beside the commits", "value": ratio(rates, "commits", "null"), "unit": "x null",
                   "note": "{:,.0f}/s; {:,.0f} commits a second of {:.0f} pages".format(
                       median(rates["commits"]), commit.a_second, commit.pages)}
        parts = {who: {p: median([s.parts[p] for s in samples[who]]) for p in ("nginx", "backend")} for who in samples}
        yield {"name": f"{label}: CPU", "value": ratio(cpus, "postern", "null"), "unit": "x null",
               "goal": ("<=", kind.cpu) if kind.cpu else None,
               "note": "us an answer: nginx {:.1f} + worker {:.1f}, to {:.1f} + {:.1f}".format(
                   *(parts[who][p] for who in ("postern", "null") for p in ("nginx", "backend")))}
        yield {"name": f"{label}: p99", "value": ratio(p99s, "postern", "null"), "unit": "x null",
               "goal": ("<=", 4) if connections == 256 else None,
               "note": f"{median(p99s['postern']):.1f} ms to {median(p99s['null']):.1f} ms"}


def figures(env):
    for kind in KINDS:
        yield from figures_of(kind, "", env.rounds(ROUNDS))
        if kind.durable:
            with env.in_memory():
                yield from figures_of(kind, ", data in memory", env.rounds(ROUNDS_IN_MEMORY))
