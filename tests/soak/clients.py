"""The clients of a run: processes that each send a handful of requests at once, read all the answers, and judge each by itself.

A visitor belongs to one process and has one request under way at a time, so what it may see is known exactly: what was answered
happened, what was not answered may have. What can only be judged over everybody goes into a file for books.py."""
import contextlib
import json
import random
import re
import time

from lib import tokens
from lib.fastcgi import Connection, environ, whole
from soak import shop
from soak.ring import GONE, VERIFIES, RingView

FOREIGN = re.compile(rb"(?i)(?:canary|soak)(\d+)x")
NOTES_MAX = 10                      # a visitor's, so that a run of any length keeps as many documents
PER_CONNECTION = 25                 # requests, then another of the sockets
ANSWER_SECONDS = 20
NOT_NOW = {"audit_unavailable", "overloaded"}


class Broken(AssertionError):
    """An answer that may not be."""


class Visitor:
    def __init__(self, number):
        self.number = number
        self.counter, self.n, self.unsure = None, 0, False     # its first note; unsure: a count had no answer
        self.notes = {}                                        # id: text, of those answered
        self.maybe_made, self.maybe_gone = set(), {}           # texts, ids: no answer came
        self.turn = 0

    @property
    def email(self):
        return shop.email(self.number)

    def said(self):
        return {"visitor": self.number, "counter": self.counter, "n": self.n, "unsure": self.unsure, "notes": self.notes,
                "maybe_made": sorted(self.maybe_made), "maybe_gone": self.maybe_gone}


class Ask:
    """One request: what is sent, and who judges the answer."""

    def __init__(self, kind, path, judge, body=None, kid=None, token=None, visitor=None, lost=None):
        self.kind, self.path, self.judge, self.kid, self.token, self.visitor, self.lost = kind, path, judge, kid, token, visitor, lost
        self.body = None if body is None else json.dumps(body).encode()
        self.conversation = (body or {}).get("conversation") if isinstance(body, dict) else None

    def bytes(self):
        env = environ("GET" if self.body is None else "POST", self.path, token=self.token, body=self.body or b"")
        return whole(env, self.body or b"", keep=True)


def expect(answer, *allowed):
    """allowed: statuses, or (status, code)."""
    if not any(answer.status == want if isinstance(want, int) else (answer.status, answer.code) == want for want in allowed):
        raise Broken(f"expected {allowed}: {answer}")


class Client:
    """One process's."""

    def __init__(self, index, sockets, ring, visitors, out, rate, seed):
        self.sockets, self.view, self.out, self.rate = sockets, RingView(ring), out, rate
        self.visitors = [Visitor(v) for v in visitors]
        self.luck = random.Random(seed * 1000 + index)
        self.index, self.nonce, self.slots = index, 0, [None] * len(self.visitors)
        self.left = []                                          # ids of contacts that this process left and has not taken away

    # ---- what is asked ----

    def text(self, visitor):
        self.nonce += 1
        return shop.canary(visitor.number, f"p{self.index}n{self.nonce}")

    def mint(self, visitor, kid, secret, **claim):
        return tokens.mint(secret, kid=kid if self.luck.random() < 0.8 else None, email=visitor.email, name=shop.name(visitor.number),
                           **{"ttl": 600, **claim})

    def key(self):
        found = self.view.in_state(VERIFIES)
        return self.luck.choice(found) if found else (None, None)

    def action(self, visitor, kind, action, parameters, judge, lost=None, site=shop.SITE, conversation=None, personal=True):
        kid, secret = self.key() if personal else (None, None)
        if personal and not kid:
            return None
        body = {"parameters": parameters, **({"conversation": conversation} if conversation else {})}
        return Ask(kind, f"/v1/sites/{site}/actions/{action}", judge, body, kid, self.mint(visitor, kid, secret) if kid else None,
                   visitor if personal else None, lost)

    def count(self, v):
        def judge(answer):
            expect(answer, 200)
            v.n += 1

        def lost():
            v.unsure = True
        return self.action(v, "count", "count_note", {"id": v.counter, "n": v.n + 1}, judge, lost)

    def look(self, v):
        def judge(answer):
            expect(answer, 200)
            n = answer.json["result"]["data"]["n"]
            if not v.n <= n <= v.n + v.unsure:
                raise Broken(f"{v.email} counted to {v.n}, there is {n}")
            v.n, v.unsure = n, False
        return self.action(v, "look", "read_note", {"id": v.counter}, judge)

    def create(self, v):
        note = self.text(v)

        def judge(answer):
            expect(answer, 200)
            made = answer.json["result"]["id"]
            v.notes[made] = note
            v.counter = v.counter or made
        return self.action(v, "create", "create_note", {"text": note}, judge, lambda: v.maybe_made.add(note))

    def delete(self, v):
        victim = self.luck.choice([i for i in v.notes if i != v.counter])

        def judge(answer):
            expect(answer, 200)
            del v.notes[victim]

        def lost():
            v.maybe_gone[victim] = v.notes.pop(victim)
        return self.action(v, "delete", "delete_note", {"id": victim}, judge, lost)

    def listing(self, v):
        mine = dict(v.notes)

        def judge(answer):
            expect(answer, 200)
            seen = {item["id"]: item["data"]["text"] for item in answer.json["result"]["items"]}
            missing = {i for i in mine if seen.get(i) != mine[i]}
            strange = {i for i in seen if i not in mine and seen[i] not in v.maybe_made and i not in v.maybe_gone}
            if missing or strange:
                raise Broken(f"{v.email} sees {seen}: not {missing}, and {strange}")
        return self.action(v, "listing", "list_notes", {}, judge)

    def foreign(self, v):
        """Another one's note, where this process knows one: as if it were not there."""
        other = self.luck.choice([o for o in self.visitors if o is not v])
        victim = other.counter or "no-such"
        action, more = self.luck.choice([("read_note", {}), ("count_note", {"n": 666}), ("delete_note", {})])
        return self.action(v, "foreign", action, {"id": victim, **more}, lambda answer: expect(answer, (404, "not_found")))

    def identity(self, v):
        kid, secret = self.key()
        if not kid:
            return None
        exp = {"exp": None} if self.luck.random() < 0.2 else {}

        def judge(answer):
            expect(answer, 200, *([(401, "token_invalid")] if exp else []))          # require_exp comes and goes
            who = answer.json.get("identity")
            if who and (who["status"], who["email"]) != ("verified", v.email):
                raise Broken(f"{v.email} is taken for {who}")
        return Ask("identity", f"/v1/sites/{shop.SITE}/identity", judge, None, kid, self.mint(v, kid, secret, **exp), v)

    def refused_token(self, kind, token, code):
        """On the identity endpoint or an action, personal or public: blocked everywhere."""
        where, body = self.luck.choice([("identity", None), ("actions/list_notes", {}), ("actions/hello", {}),
                                        ("actions/create_note", {"parameters": {"text": "forged"}})])
        return Ask(kind, f"/v1/sites/{shop.SITE}/{where}", lambda answer: expect(answer, (401, code)), body, None, token)

    def forged(self, v):
        kid, secret = self.key()
        if not kid:
            return None
        good = self.mint(v, kid, secret)
        head, body, mac = good.split(".")
        others = tokens.b64(json.dumps(tokens.claims(email=shop.email(v.number + 1)), separators=(",", ":")))
        how = self.luck.choice([
            lambda: f"{head}.{others}.{mac}", lambda: f"{head}.{body}.{('A' if mac[0] != 'A' else 'B') + mac[1:]}",
            lambda: f"{head}.{body}.", lambda: tokens.mint("x" * 43, kid=kid, email=v.email), lambda: good + "." + mac,
            lambda: tokens.mint(secret, header={"alg": "none"}, kid=kid, email=v.email), lambda: good[:-4],
            lambda: tokens.mint(secret, kid=kid, email=v.email, exp="never"), lambda: "x"])
        return self.refused_token("forged", how(), "token_invalid")

    def expired(self, v):
        kid, secret = self.key()
        return Ask("expired", f"/v1/sites/{shop.SITE}/identity", lambda answer: expect(answer, (401, "token_expired")), None, kid,
                   tokens.mint(secret, kid=kid, email=v.email, ttl=-5)) if kid else None

    def retired(self, v):
        found = self.view.in_state(GONE)
        if not found:
            return None
        kid, secret = self.luck.choice(found)
        return self.refused_token("retired", tokens.mint(secret, kid=kid if self.luck.random() < 0.7 else None, email=v.email),
                                  "token_invalid")

    def anonymous(self, v):
        body = {"parameters": {}}
        asks = [Ask("anonymous", f"/v1/sites/{shop.SITE}/identity", lambda answer: expect(answer, 200)),
                Ask("hello", f"/v1/sites/{shop.SITE}/actions/hello", lambda answer: expect(answer, 200), body),
                Ask("sign_in", f"/v1/sites/{shop.SITE}/actions/list_notes", lambda answer: expect(answer, (401, "sign_in_required")), body),
                Ask("unknown", f"/v1/sites/{shop.SITE}/actions/no_such", lambda answer: expect(answer, (404, "action_unknown")), body),
                Ask("malformed", f"/v1/sites/{shop.SITE}/actions/hello", lambda answer: expect(answer, (400, "request_malformed")), [1]),
                Ask("catalogue", f"/v1/sites/{shop.SITE}/actions", lambda answer: expect(answer, 200))]
        return self.luck.choice(asks)

    def contact(self, v):
        if len(self.left) > 3:
            victim = self.left.pop(0)
            return self.action(v, "take_away", "take_away", {"id": victim}, lambda answer: expect(answer, 200), personal=False)
        return self.action(v, "leave", "leave", {"text": "a word"},
                           lambda answer: (expect(answer, 200), self.left.append(answer.json["result"]["id"])), personal=False)

    def slot(self, v):
        verb, slot = self.luck.choice(["take", "release"]), self.luck.choice(shop.SLOTS)
        action = f"{verb}_{slot.rsplit('-', 1)[1]}"
        return self.action(v, action, action, {"by": f"p{self.index}"}, lambda answer: expect(answer, 200, (409, "conflict")),
                           personal=False)

    def conversation(self, v):
        """Its own; or one that everybody wants, where books.py looks who got it."""
        if self.luck.random() < 0.5:
            return self.action(v, "own_conversation", "list_notes", {}, lambda answer: expect(answer, 200),
                               conversation=f"own-{v.number}-{self.luck.randrange(4)}")
        wanted = f"race-{self.luck.randrange(6)}-{int(time.time()) // 5}"
        return self.action(v, "race", "list_notes", {}, lambda answer: expect(answer, 200, (403, "conversation_conflict")),
                           conversation=wanted)

    def thief(self, v):
        """Another's conversation: theirs from their first answer on; before that it would become this one's, so it is not asked."""
        other = self.luck.choice([o for o in self.visitors if o is not v])
        held = getattr(other, "held", None)
        return self.action(v, "thief", "list_notes", {}, lambda answer: expect(answer, (403, "conversation_conflict")),
                           conversation=held) if held else None

    def at_other_site(self, v):
        """A token of one site is nothing at another; and that one's plan comes and goes for nobody who is not verified."""
        kid, secret = self.key()
        return Ask("other_site", f"/v1/sites/{shop.OTHER}/actions/list_notes", lambda answer: expect(answer, (401, "token_invalid")),
                   {"parameters": {}}, None, self.mint(v, kid, secret)) if kid else None

    def parameters(self, v):
        return self.action(v, "parameters", "read_note", {"id": 7}, lambda answer: expect(answer, (400, "parameters_invalid")))

    WEIGHTS = {"count": 20, "look": 10, "create": 12, "delete": 12, "listing": 8, "foreign": 8, "identity": 10, "forged": 10, "expired": 4,
               "retired": 6, "anonymous": 12, "contact": 4, "slot": 8, "conversation": 8, "thief": 4, "at_other_site": 3, "parameters": 3}

    def next(self, v):
        """What this visitor does now; what it cannot do yet is something else."""
        if v.unsure:
            return self.look(v)
        if v.counter is None:
            return self.create(v)
        what = self.luck.choices(list(self.WEIGHTS), list(self.WEIGHTS.values()))[0]
        if what == "create" and len(v.notes) >= NOTES_MAX:
            what = "delete"
        if what == "delete" and len(v.notes) < 2:
            what = "create"
        return getattr(self, what)(v)

    # ---- how it is asked ----

    def connection(self, place):
        kept = self.slots[place]
        if kept and kept[2] < PER_CONNECTION:
            return kept
        self.drop(place)
        for name, path in self.luck.sample(self.sockets, len(self.sockets)):
            with contextlib.suppress(OSError):
                self.slots[place] = [name, Connection(path, ANSWER_SECONDS), 0]
                return self.slots[place]
        return None

    def drop(self, place):
        if self.slots[place]:
            self.slots[place][1].close()
            self.slots[place] = None

    def send(self, place, ask):
        """The place's connection, or None where nothing was sent."""
        kept = self.connection(place)
        if not kept:
            return None
        kept[2] += 1
        try:
            kept[1].send(ask.bytes())
        except OSError:
            self.drop(place)
            return kept                    # some of it may have arrived
        return kept

    def receive(self, place, ask, kept, sent_at):
        reply = None
        if self.slots[place] is kept:
            try:
                reply = kept[1].read_reply()
            except (OSError, TimeoutError) as problem:
                if isinstance(problem, TimeoutError):
                    raise Broken(f"no answer within {ANSWER_SECONDS} s to {ask.kind}") from problem
        if not reply or not reply.ended:
            self.drop(place)
            if ask.lost:
                ask.lost()
            self.write(ask, kept[0], sent_at, None)
            return
        answer = reply.answer.check()
        self.judge(ask, answer)
        self.write(ask, kept[0], sent_at, answer)

    def judge(self, ask, answer):
        own = {ask.visitor.number} if ask.visitor else set()
        seen = {int(n) for n in FOREIGN.findall(answer.body + str(answer.headers).encode())}
        if seen - own:
            raise Broken(f"{ask.kind} of {own or 'nobody'} shows {seen - own}: {answer}")
        if answer.status == 503 and answer.code in NOT_NOW:
            return                         # it never ran
        if answer.status == 401 and ask.kid and not self.view.still(ask.kid, VERIFIES):
            return                         # its key went meanwhile
        ask.judge(answer)
        if ask.kind == "own_conversation" and answer.status == 200:
            ask.visitor.held = ask.conversation

    def write(self, ask, socket, sent_at, answer):
        row = [ask.kind, ask.path.rsplit("/", 1)[1], ask.visitor.number if ask.visitor else None, socket, sent_at, time.time(),
               answer and answer.status, answer and answer.code, answer and answer.request_id, ask.conversation]
        self.out.write(json.dumps(row) + "\n")

    def burst(self):
        """One request of each visitor, all under way at once. Returns how many."""
        under_way = []
        for place, visitor in enumerate(self.visitors):
            ask = self.next(visitor)
            if ask and (kept := self.send(place, ask)):
                under_way.append((place, ask, kept, time.time()))
        for place, ask, kept, sent_at in under_way:
            self.receive(place, ask, kept, sent_at)
        return len(under_way)

    def run(self, until):
        sent, began = 0, time.monotonic()
        while time.time() < until:
            sent += self.burst()
            time.sleep(max(0.01 if not sent else 0.0, began + sent / self.rate - time.monotonic()))
        for place in range(len(self.slots)):
            self.drop(place)


def main(index, sockets, ring, visitors, path, rate, seed, until):
    """A client process: its answers and, at the end, its visitors go to path, one JSON document a line. Ends with 1 where an answer was
    wrong, and says which in its last line."""
    with open(path, "w", encoding="utf-8") as out:
        client = Client(index, sockets, ring, visitors, out, rate, seed)
        problem = None
        try:
            client.run(until)
        except Exception as e:                                  # pylint: disable=broad-except
            problem = f"{type(e).__name__}: {e}"
        for visitor in client.visitors:
            out.write(json.dumps(visitor.said()) + "\n")
        out.write(json.dumps({"problem": problem}) + "\n")
