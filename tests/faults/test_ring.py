"""Many admins at one key ring, and many workers that have it in memory: three keys at most, and every answer is true."""
import json
import random
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from lib import notes
from lib.programs import SANITIZED, environment, program
from lib.worker import Worker

RING_MAX = 3
AT_ONCE = 20
ADMINS = 5
STEPS = 6 if SANITIZED else 30


def keys_of(data, site):
    return {k["kid"]: k for k in data.run("key", "list", site, "--json").json}


def test_twenty_creations_at_once_leave_three_keys(data):
    data.add_site("acme", key=False)
    running = [subprocess.Popen([program("postern"), "key", "create", "acme", "--json", "--data", str(data.path)],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
               for _ in range(AT_ONCE)]
    ended = [(p.communicate(timeout=60), p.returncode) for p in running]
    made = {json.loads(out)["kid"]: json.loads(out)["secret"] for (out, _), code in ended if code == 0}
    data.secrets.update(made.values())
    full = [err for (_, err), code in ended if code == 1 and b"ring_full" in err]
    assert (len(made), len(full)) == (RING_MAX, AT_ONCE - RING_MAX), ended
    assert {kid: k["state"] for kid, k in keys_of(data, "acme").items()} == dict.fromkeys(made, "active")
    changes = data.audit(event="key")
    assert len([r for r in changes if r["outcome"] == "done"]) == RING_MAX
    assert len([r for r in changes if r["outcome"] == "intended"]) == AT_ONCE
    refused = [r for r in changes if r["outcome"] == "refused"]
    assert len(refused) == AT_ONCE - RING_MAX and {r["reason"] for r in refused} == {"ring_full"}
    site = data.sites["acme"]
    site.keys.update(made)
    with Worker(data) as worker:
        for kid in made:
            assert notes.identity(worker, site.token(kid)).json["identity"]["status"] == "verified"


def test_the_next_request_in_every_worker_process_sees_a_change(data, site):
    first, token = site.kid, site.token()
    second = site.add_key()
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(data, "--audit-budget", "0", threads=2)) for _ in range(4)]

        def decisions(kid):
            return [notes.identity(w, site.token(kid)).status for w in workers]
        for w in workers:
            for _ in range(8):                  # both threads have the ring
                assert notes.identity(w, token).status == 200
        site.retire(first)
        assert [notes.identity(w, token).status for w in workers] == [401] * 4
        assert decisions(second) == [200] * 4
        third = site.rotate(second, "--grace", "1h")
        assert decisions(second) == decisions(third) == [200] * 4
        site.retire(second)
        assert decisions(second) == [401] * 4
        data.run("site", "set", "acme", "--require-exp")
        assert [notes.identity(w, site.token(exp=None)).status for w in workers] == [401] * 4
        assert decisions(third) == [200] * 4
        data.run("site", "remove", "acme", "--yes")
        assert [notes.identity(w, site.token()).status for w in workers] == [404] * 4
    blocked = data.audit(outcome="blocked")
    assert {r["reason"] for r in blocked} == {"key_retired", "expiry_missing"}
    assert {r.get("kid_claimed") for r in blocked if r["reason"] == "key_retired"} == {first, second}


class Admin:
    """A clerk that changes the ring at random, and notes what each command said."""

    def __init__(self, data, seed):
        self.data, self.luck = data, random.Random(seed)
        self.made, self.retired, self.problems = {}, set(), []

    def work(self):
        for _ in range(STEPS):
            verb = self.luck.choice(["create", "create", "rotate", "retire", "keep", "schedule"])
            getattr(self, verb)()

    def command(self, *args, codes=(0, 1)):
        ran = self.data.ask("key", *args)
        if ran.code not in codes:
            self.problems.append(str(ran))
        return ran

    def learn(self, ran):
        if ran.code == 0:
            self.made[ran.json["kid"]] = ran.json["secret"]

    def some_key(self):
        live = [k["kid"] for k in self.data.run("key", "list", "acme", "--json").json if k["state"] != "retired"]
        if len(live) > RING_MAX:
            self.problems.append(f"{len(live)} keys verify")
        return self.luck.choice(live) if live else None

    def create(self):
        self.learn(self.command("create", "acme", "--json"))

    def rotate(self):
        kid = self.some_key()
        if kid:
            self.learn(self.command("rotate", "acme", kid, "--grace", "1h", "--json"))

    def retire(self):
        kid = self.some_key()
        if kid and self.command("retire", "acme", kid, "--now", "--yes").code == 0:
            self.retired.add(kid)

    def keep(self):
        kid = self.some_key()
        if kid:
            self.command("keep", "acme", kid)

    def schedule(self):
        kid = self.some_key()
        if kid:
            self.command("retire", "acme", kid, "--in", "2h", "--yes")


@pytest.mark.limit(120)
def test_admins_at_cross_purposes_leave_what_their_commands_said(data):
    site = data.add_site("acme")
    admins = [Admin(data, seed) for seed in range(ADMINS)]
    with ThreadPoolExecutor(ADMINS) as pool:
        for done in [pool.submit(a.work) for a in admins]:
            done.result()
    assert not [p for a in admins for p in a.problems]
    made = {**site.keys, **{kid: s for a in admins for kid, s in a.made.items()}}
    retired = [kid for a in admins for kid in a.retired]
    data.secrets.update(made.values())
    assert len(retired) == len(set(retired)), "two commands say they retired the same key"
    assert made.keys() >= set(retired), "a key nobody was given"

    there = keys_of(data, "acme")
    live = {kid for kid, k in there.items() if k["state"] != "retired"}
    assert live == made.keys() - set(retired) and len(live) <= RING_MAX
    assert {kid for kid, k in there.items() if k["state"] == "retired"} == set(retired)
    unending = [kid for kid in live if there[kid]["state"] == "active"]
    data.run("key", "check", "acme", expect=0 if unending else 1)       # chance may have given each key an end, or left none
    site.keys = made
    with Worker(data, "--audit-budget", "0") as worker:
        for kid in made:
            expected = 200 if kid in live else 401
            assert notes.identity(worker, site.token(kid)).status == expected, kid
    intended = {r["id"] for r in data.audit(event="key", outcome="intended")}
    ended = [r["id"] for r in data.audit(event="key") if r["outcome"] != "intended"]
    assert sorted(ended) == sorted(intended), "each change is recorded once before and once after"


def test_a_worker_answers_rightly_while_its_ring_is_changed(data, site):
    """Keys come and go under load; a token of the key that stays is never refused, one of a retired key never verified."""
    token, stop, wrong = site.token(), threading.Event(), []

    def ask(worker):
        with worker.connect() as c:
            while not stop.is_set():
                answer = c.ask(notes.environ(path=notes.identity_path("acme"), token=token), keep=True).answer
                if answer.status != 200:
                    wrong.append(str(answer))
    with Worker(data, threads=2) as worker:
        askers = [threading.Thread(target=ask, args=(worker,)) for _ in range(3)]
        for a in askers:
            a.start()
        try:
            for _ in range(6):
                kid = site.add_key()
                other = site.token(kid)
                assert notes.identity(worker, other).status == 200
                site.retire(kid)
                assert notes.identity(worker, other).status == 401
        finally:
            stop.set()
            for a in askers:
                a.join(20)
    assert not wrong, wrong[:3]
