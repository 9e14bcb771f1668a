"""The corpus of attacks on tokens, replayed on a running worker: through lighttpd, and straight over FastCGI."""
import time

import pytest

from lib.client import Answer
from lib.corpus import read_corpus
from lib.fastcgi import Connection, environ
from lib.shop import Written

CORPUS = read_corpus()
# lighttpd sends no empty header on, so that the worker hears of no attempt at all.
EMPTY = {"authorization-empty", "authorization-only-spaces"}


class Rings:
    """A site for each ring and settings that the corpus asks for."""

    def __init__(self, data):
        self.data, self.sites = data, {}

    def of(self, case):
        wanted = (case.keys, case.settings)
        if wanted not in self.sites:
            self.sites[wanted] = self.make(*wanted, f"corpus-{len(self.sites)}")
        return self.sites[wanted]

    def make(self, keys, settings, name):
        site = self.data.add_site(name, *(f"--{s.replace('_', '-')}" for s in settings if s == "require_exp"), key=False)
        options = [part for s in settings if "=" in s for part in (f"--{s.split('=')[0].replace('_', '-')}", s.split("=", 1)[1])]
        options = [o + "s" if options[i - 1] == "--max-lifetime" else o for i, o in enumerate(options)]
        if options:
            self.data.run("site", "set", name, *options)
        for _ in keys:
            site.add_key()
        for kid, state in zip(list(site.keys), keys, strict=True):
            if state == "retired":
                site.retire(kid)
            elif state == "retiring":
                site.retire(kid, "--in", "48h", "--yes")
        return site


def raw_http(web, path, authorizations):
    """Bytes as they are, one header a parameter: no client library would send some of them."""
    head = [f"GET {web.prefix}{path} HTTP/1.1".encode(), b"Host: localhost", b"Connection: close",
            *(b"Authorization: " + value for value in authorizations)]
    text = web.raw(b"\r\n".join(head) + b"\r\n\r\n")
    head, _, body = text.partition(b"\r\n\r\n")
    status, *headers = head.decode("latin-1").split("\r\n")
    return Answer(int(status.split()[1]), [tuple(h.split(": ", 1)) for h in headers], body)


def raw_fastcgi(worker, path, authorizations):
    """A parameter each; None: the request was dropped."""
    pairs = [*environ(path=path).items(), *((b"HTTP_AUTHORIZATION", value) for value in authorizations)]
    with Connection(worker.socket) as c:
        reply = c.ask(pairs)
        return reply.answer.check() if reply.ended else None


def within_one_second(send):
    """Some cases lie on the edge of a second: sent again until no second passed meanwhile."""
    while True:
        now = int(time.time())
        answer = send(now)
        if int(time.time()) == now:
            return answer


@pytest.fixture(scope="module")
def replayed(web, unlimited, module_data):
    """{name: (over HTTP, over FastCGI, {request id: record})}"""
    rings, out = Rings(module_data), {}
    fence = Written(web, module_data.add_site("corpus-fence"))
    for name, case in CORPUS.items():
        site = rings.of(case)
        path = f"/v1/sites/{site.name}/identity"

        def send(how, now, case=case, site=site, path=path):
            return how(path, case.parameters(list(site.keys), list(site.keys.values()), now))
        out[name] = [within_one_second(lambda now, send=send, how=how: send(how, now)) for how in (
            lambda p, a: raw_http(web, p, a), lambda p, a: raw_fastcgi(unlimited, p, a))]
    records = {r["id"]: r for r in fence.take()}
    return {name: (*answers, records) for name, answers in out.items()}


def check(case, answer, records):
    assert answer.check().status == (401 if case.decision == "blocked" else 200), str(answer)
    if case.decision == "blocked":
        assert answer.code == ("token_expired" if case.reason == "token_expired" else "token_invalid")
        record = records[answer.request_id]
        assert (record["outcome"], record["reason"]) == ("blocked", case.reason)
        return
    assert answer.request_id not in records
    identity = answer.json["identity"]
    assert identity["status"] == case.decision
    if case.decision == "anonymous":
        assert identity == {"status": "anonymous", "reason": case.reason}
    elif case.email:
        assert identity["email"] == case.email


def test_the_corpus_is_there():
    assert len(CORPUS) > 200
    assert {case.decision for case in CORPUS.values()} == {"verified", "anonymous", "blocked"}


@pytest.mark.parametrize("name", list(CORPUS))
def test_through_a_web_server(replayed, name):
    case, (answer, _, records) = CORPUS[name], replayed[name]
    if case.may_refuse and answer.request_id is None:
        assert answer.status in (400, 431), str(answer)
    elif name in EMPTY:
        assert case.may_refuse and answer.check().json == {"identity": {"status": "anonymous", "reason": "no_token"}}
    else:
        check(case, answer, records)


@pytest.mark.parametrize("name", list(CORPUS))
def test_straight_to_the_worker(replayed, name):
    """A NUL byte in a parameter drops the request: never anonymous, never verified."""
    case, (_, answer, records) = CORPUS[name], replayed[name]
    if answer is None:
        assert case.may_refuse and b"{{byte:00}}" in b"".join(case.authorizations) + b"".join(case.lines.values())
    else:
        check(case, answer, records)
