"""Every way to get FastCGI records wrong that we could think of, each in a request that carries a good token: it is dropped, or
answered as what it is; never is somebody anonymous who meant to present a token, and the worker serves the next one."""
import struct

import pytest

from lib import fastcgi
from lib.fastcgi import (ABORT_REQUEST, AUTHORIZER, BEGIN_REQUEST, DATA, END_REQUEST, GET_VALUES, PARAMS, STDERR, STDIN, STDOUT, abort,
                         begin, environ, get_values, length_of, pairs, params, record, stream, whole)
from lib.worker import Worker

# What a sanitizer sees here is more than an answer can say.
pytestmark = pytest.mark.tree("sanitized")

IDENTITY, HELLO = "/v1/sites/acme/identity", "/v1/sites/acme/actions/hello"
ACTIONS = {"actions": [{"name": "hello", "title": "Say hello", "description": "Always the same.", "access": "public", "effect": "read",
                        "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
                        "connector": {"type": "static", "result": {"hello": "world"}}}]}
DROPPED, VERIFIED, BLOCKED = [], ["verified"], ["token_invalid"]


@pytest.fixture(scope="module")
def worker(module_data):
    module_data.add_site("acme", actions=ACTIONS)
    with Worker(module_data, "--audit-budget", "0", threads=2) as w:
        yield w


@pytest.fixture(scope="module")
def token(worker):
    return worker.data.sites["acme"].token()


def say(c, data, size):
    """Sends it, in pieces of this size, and then nothing more; a peer that has closed hears no more of it."""
    try:
        c.send_pieces(data, size)
        c.half_close()
    except OSError:
        pass


def outcomes(worker, data, size):
    """What each answer says that comes back until the connection ends: the decision, or the code of a refusal."""
    answers = []
    with worker.connect() as c:
        say(c, data, size)
        while (got := c.read_record()) is not None:
            kind, request_id, content = got
            if kind == STDOUT and content:
                answers.append([request_id, content])
            else:
                assert kind in (STDOUT, END_REQUEST) and answers and request_id == answers[-1][0], got
    return [said(content) for _, content in answers]


def said(content):
    answer = fastcgi.Reply(stdout=content, ended=True).answer.check()
    if answer.status != 200:
        return answer.code
    return answer.json["identity"]["status"]


def still_serves(worker, token):
    assert worker.process.poll() is None, worker.log()
    assert outcomes(worker, whole(environ(path=IDENTITY, token=token)), 1 << 20) == VERIFIED


# ---- the pieces of a good request ----

class Good:
    """One request with a token, and its parts."""

    def __init__(self, token):
        self.token = token
        self.env = environ(path=IDENTITY, token=token)
        self.pairs = pairs(self.env)
        self.head = begin()
        self.params = params(self.env)
        self.end = stream(STDIN, b"")
        self.all = self.head + self.params + self.end

    def cut(self, at=0.5):
        """The parameters in two halves, neither of them the end."""
        n = int(len(self.pairs) * at)
        return record(PARAMS, self.pairs[:n]), record(PARAMS, self.pairs[n:])

    def raw(self, more):
        """The request with these bytes in front of its name-value pairs."""
        return self.head + stream(PARAMS, more + self.pairs) + self.end

    def authorization(self, length):
        """HTTP_AUTHORIZATION first, with a lie about its value's length; the rest behind it."""
        rest = {k: v for k, v in self.env.items() if k != "HTTP_AUTHORIZATION"}
        value = f"Bearer {self.token}".encode()
        lie = length_of(18) + struct.pack(">I", (len(value) + length) | 0x80000000) + b"HTTP_AUTHORIZATION" + value
        return self.head + stream(PARAMS, lie + pairs(rest)) + self.end


def posted(token, length, body=b"{}"):
    return whole(environ("POST", HELLO, token=token, body=body, CONTENT_LENGTH=length), body)


def long_form(env):
    """All lengths in four bytes, where one would do."""
    return b"".join(struct.pack(">II", len(k) | 0x80000000, len(v) | 0x80000000) + k + v
                    for k, v in ((fastcgi.as_bytes(k), fastcgi.as_bytes(v)) for k, v in env.items()))


def role(n, flags=0, reserved=bytes(5)):
    return record(BEGIN_REQUEST, struct.pack(">HB", n, flags) + reserved)


KINDS = {"nothing": 0, "end_request": END_REQUEST, "stdout": STDOUT, "stderr": STDERR, "data": DATA, "get_values": GET_VALUES,
         "get_values_result": 10, "unknown_type": 11, "type 12": 12, "type 255": 255, "abort": ABORT_REQUEST}
PLACES = {
    "at the start": lambda g, r: r + g.all,
    "after begin": lambda g, r: g.head + r + g.params + g.end,
    "within the parameters": lambda g, r: g.head + g.cut()[0] + r + g.cut()[1] + record(PARAMS) + g.end,
    "after the parameters": lambda g, r: g.head + g.params + r + g.end,
}
STRAY = {f"{kind} {place}, id {i}": (lambda g, k=KINDS[kind], p=PLACES[place], i=i, c=content: p(g, record(k, c, request_id=i)), DROPPED)
         for kind in KINDS for place in PLACES for i, content in ((1, b""), (0, b"\1\0x"))}

WRONG = {
    # versions, roles, ids
    **{f"version {v} of begin": (lambda g, v=v: bytes([v]) + g.all[1:], DROPPED) for v in (0, 2, 128, 255)},
    "version 2 of the parameters": (lambda g: g.head + b"\2" + g.params[1:] + g.end, DROPPED),
    "version 0 of the body": (lambda g: g.head + g.params + b"\0" + g.end[1:], DROPPED),
    **{f"role {r}": (lambda g, r=r: role(r) + g.params + g.end, DROPPED) for r in (0, 3, 4, 256, 257, 65535)},
    "reserved bytes of begin that are not zero": (lambda g: role(1, 0, b"\xff" * 5) + g.params + g.end, VERIFIED),
    "all flags of begin": (lambda g: role(1, 0xff) + g.params + g.end, VERIFIED),
    "flags other than keep": (lambda g: role(1, 0xfe) + g.params + g.end, VERIFIED),
    "the reserved byte of a header": (lambda g: g.head + g.params[:7] + b"\xff" + g.params[8:] + g.end, VERIFIED),
    "id 0": (lambda g: whole(g.env, request_id=0), DROPPED),
    **{f"id {i}": (lambda g, i=i: whole(g.env, request_id=i), VERIFIED) for i in (2, 255, 256, 65535)},
    "another id for the parameters": (lambda g: g.head + params(g.env, request_id=2) + g.end, DROPPED),
    "another id for half of the parameters": (lambda g: g.head + g.cut()[0] + record(PARAMS, g.pairs[len(g.pairs) // 2:], request_id=2)
                                              + record(PARAMS) + g.end, DROPPED),
    "another id for the end of the parameters": (lambda g: g.head + params(g.env, end=False) + record(PARAMS, request_id=2) + g.end, DROPPED),
    "another id for the body": (lambda g: g.head + g.params + stream(STDIN, b"", request_id=2), DROPPED),
    "id 257 for 1": (lambda g: g.head + params(g.env, request_id=257) + g.end, DROPPED),
    "two requests in turns": (lambda g: begin(keep=True) + begin(keep=True, request_id=2) + g.params + params(g.env, request_id=2) + g.end
                              + stream(STDIN, b"", request_id=2), DROPPED),
    "two requests, one inside the other": (lambda g: g.head + g.params + whole(g.env, request_id=2) + g.end, DROPPED),
    # order
    **{f"a second begin {place}": (lambda g, p=PLACES[place]: p(g, begin()), DROPPED) for place in PLACES},
    **{f"a second begin of id 2 {place}": (lambda g, p=PLACES[place]: p(g, begin(request_id=2)), DROPPED) for place in PLACES},
    "parameters and no begin": (lambda g: g.params + g.end, DROPPED),
    "a body and nothing else": (lambda g: stream(STDIN, b"{}"), DROPPED),
    "parameters after their end": (lambda g: g.head + g.params + g.params + g.end, DROPPED),
    "the end of the parameters twice": (lambda g: g.head + g.params + record(PARAMS) + g.end, DROPPED),
    "the parameters after the body": (lambda g: g.head + g.end + g.params, DROPPED),
    "the token after the end of the parameters": (lambda g: g.head + params(environ(path=IDENTITY))
                                                  + params({"HTTP_AUTHORIZATION": f"Bearer {g.token}"}) + g.end, DROPPED),
    "parameters that never end": (lambda g: g.head + params(g.env, end=False), DROPPED),
    "parameters that never end, and a body": (lambda g: g.head + params(g.env, end=False) + g.end, DROPPED),
    "no parameters": (lambda g: g.head + g.end, DROPPED),
    "no end of the body": (lambda g: g.head + g.params, DROPPED),
    "no end of a body that has begun": (lambda g: g.head + g.params + record(STDIN, b"{}"), DROPPED),
    "begin alone": (lambda g: g.head, DROPPED),
    "half a header": (lambda g: g.head[:5], DROPPED),
    "begin of no bytes": (lambda g: record(BEGIN_REQUEST) + g.params + g.end, DROPPED),
    "begin of 7 bytes": (lambda g: record(BEGIN_REQUEST, g.head[8:15]) + g.params + g.end, DROPPED),
    "begin of 9 bytes": (lambda g: record(BEGIN_REQUEST, g.head[8:] + b"\0") + g.params + g.end, DROPPED),
    # lengths of records
    "a record longer than what comes": (lambda g: g.head + record(PARAMS, g.pairs, length=len(g.pairs) + 100) + record(PARAMS) + g.end, DROPPED),
    "a record shorter than what comes": (lambda g: g.head + record(PARAMS, g.pairs, length=len(g.pairs) - 1) + record(PARAMS) + g.end, DROPPED),
    "a record of 65,535 bytes that are not there": (lambda g: g.head + record(PARAMS, g.pairs, length=65535), DROPPED),
    "more padding than comes": (lambda g: g.head + g.params + record(STDIN)[:6] + b"\xff\0", DROPPED),
    "padding of 255 bytes everywhere": (lambda g: begin()[:6] + b"\xff\0" + begin()[8:] + bytes(255) + record(PARAMS, g.pairs, padding=255)
                                        + record(PARAMS, padding=255) + record(STDIN, padding=255), VERIFIED),
    "padding that looks like a request": (lambda g: g.head + record(PARAMS, g.pairs)[:6] + bytes([len(begin() * 15)]) + b"\0" + g.pairs
                                          + begin() * 15 + record(PARAMS) + g.end, VERIFIED),
    "parameters a byte a record": (lambda g: g.head + b"".join(record(PARAMS, g.pairs[i:i + 1], padding=i % 8) for i in range(len(g.pairs)))
                                   + record(PARAMS) + g.end, VERIFIED),
    # lengths of names and values
    "all lengths in four bytes": (lambda g: g.head + stream(PARAMS, long_form(g.env)) + g.end, VERIFIED),
    "a length of four bytes that is 0": (lambda g: g.raw(b"\x80\0\0\0\x80\0\0\0"), VERIFIED),
    "a name of 2 GiB less one": (lambda g: g.raw(b"\xff\xff\xff\xff\0"), DROPPED),
    "a value of 2 GiB less one": (lambda g: g.raw(b"\1\xff\xff\xff\xffX"), DROPPED),
    "name and value of 2 GiB less one": (lambda g: g.raw(b"\xff" * 8), DROPPED),
    "lengths whose sum is 2 GiB": (lambda g: g.raw(length_of(0x40000000) * 2), DROPPED),
    "a name as long as all parameters may be": (lambda g: g.raw(length_of(65536) + b"\0"), DROPPED),
    "a name one byte longer": (lambda g: g.raw(length_of(65537) + b"\0"), DROPPED),
    "a value that takes in all that follows": (lambda g: g.head + stream(PARAMS, b"\1" + length_of(len(g.pairs)) + b"X" + g.pairs) + g.end, DROPPED),
    "a value one byte longer than what follows": (lambda g: g.raw(b"\1" + length_of(len(g.pairs) + 1) + b"X"), DROPPED),
    "a length cut off at its first byte": (lambda g: g.head + stream(PARAMS, g.pairs + b"\x80") + g.end, DROPPED),
    "a name length and no value length": (lambda g: g.head + stream(PARAMS, g.pairs + b"\1") + g.end, DROPPED),
    "lengths and no name": (lambda g: g.head + stream(PARAMS, g.pairs + b"\1\1") + g.end, DROPPED),
    # names and values
    "a name without a byte": (lambda g: g.raw(b"\0\1x"), VERIFIED),
    "neither name nor value": (lambda g: g.raw(b"\0\0"), VERIFIED),
    "a thousand times neither name nor value": (lambda g: g.raw(b"\0\0" * 1000), VERIFIED),
    "a name that is the token's and more": (lambda g: g.raw(pairs({"HTTP_AUTHORIZATION2": "x", "HTTP_AUTHORIZATIO": "y"})), VERIFIED),
    "a sign in a name": (lambda g: g.raw(pairs({"HTTP_AUTHORIZATION=": "x"})), DROPPED),
    "a name cut by NUL": (lambda g: g.raw(pairs({"HTTP_AUTHORIZATION\0": "x"})), DROPPED),
    "a value cut by NUL": (lambda g: whole({**g.env, "HTTP_AUTHORIZATION": f"Bearer {g.token}\0"}), DROPPED),
    "a line end in the token's value": (lambda g: whole({**g.env, "HTTP_AUTHORIZATION": f"Bearer {g.token}\r\n"}), BLOCKED),
    "bytes above 127 in the token's value": (lambda g: whole({**g.env, "HTTP_AUTHORIZATION": b"Bearer \xff\xfe"}), BLOCKED),
    "no token in its parameter": (lambda g: whole({**g.env, "HTTP_AUTHORIZATION": ""}), BLOCKED),
    "the token twice": (lambda g: g.raw(pairs({"HTTP_AUTHORIZATION": f"Bearer {g.token}"})), BLOCKED),
    "nothing, and the token": (lambda g: g.raw(pairs({"HTTP_AUTHORIZATION": ""})), BLOCKED),
    "another scheme, and the token": (lambda g: g.raw(pairs({"HTTP_AUTHORIZATION": "Basic eDp5"})), BLOCKED),
    "the token, and another scheme": (lambda g: whole([*g.env.items(), ("HTTP_AUTHORIZATION", "Basic eDp5")]), BLOCKED),
    "two schemes that are not ours": (lambda g: whole([*environ(path=IDENTITY).items(), ("HTTP_AUTHORIZATION", "Basic eDp5"),
                                                       ("HTTP_AUTHORIZATION", "Basic eDp5")]), BLOCKED),
    # what a server always says
    "no method": (lambda g: whole({k: v for k, v in g.env.items() if k != "REQUEST_METHOD"}), DROPPED),
    "no protocol": (lambda g: whole({k: v for k, v in g.env.items() if k != "SERVER_PROTOCOL"}), DROPPED),
    # bodies
    "an authorizer with a body": (lambda g: begin(AUTHORIZER) + g.params + stream(STDIN, b"x"), ["dropped or answered first"]),
    **{f"CONTENT_LENGTH {length!r} of 2": (lambda g, length=length: posted(g.token, length), ["request_malformed"])
       for length in ("1", "3", "0", "-2", "+2", " 2", "2 ", "\t2", "2\n", "0x2", "2.0", "2e0", "2,2", "two", "\u0662", "-0", "--2")},
    **{f"CONTENT_LENGTH {length} of 2": (lambda g, length=length: posted(g.token, length), ["body_too_large"])
       for length in ("65537", "4294967298", "18446744073709551618", "9" * 5000)},
    "more body than promised": (lambda g: posted(g.token, "2", b"{}" * 400), ["request_malformed"]),
    "less body than promised": (lambda g: posted(g.token, "800", b"{}"), ["request_malformed"]),
    "a body where none was promised to an identity": (lambda g: whole(g.env, b"x" * 100), VERIFIED),
}
BEHIND = {          # at once: nobody waits for the first any more; slowly: it has been answered before the rest comes
    "an abort": lambda g: abort(),
    "an abort of another request": lambda g: abort(2),
    "a whole second request": lambda g: whole(g.env, request_id=2),
    "the same request again": lambda g: g.all,
    "a byte": lambda g: b"\1",
    "half a header": lambda g: g.head[:6],
    "another end of the body": lambda g: stream(STDIN, b""),
    "more body": lambda g: stream(STDIN, b"{}"),
    "the values": lambda g: get_values("FCGI_MPXS_CONNS"),
    "HTTP": lambda g: b"GET / HTTP/1.1\r\n\r\n",
    "zeros": lambda g: bytes(64),
}


@pytest.mark.parametrize("size", [1 << 20, 1], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("name", [*WRONG, *STRAY])
def test_wrong_records_are_dropped_or_answered_as_what_they_are(worker, token, name, size):
    make, expected = {**WRONG, **STRAY}[name]
    got = outcomes(worker, make(Good(token)), size)
    if name == "an authorizer with a body":         # its request is whole before the body, and names no site
        assert got in (DROPPED, ["site_not_set"])
    else:
        assert got == expected
    still_serves(worker, token)


@pytest.mark.parametrize("name", BEHIND)
@pytest.mark.parametrize("keep", [False, True], ids=["once", "kept"])
def test_what_comes_behind_a_whole_request(worker, token, name, keep):
    """Each answer is that of its own request, whatever else there is."""
    g = Good(token)
    data = begin(keep=keep) + g.params + g.end + BEHIND[name](g)
    assert outcomes(worker, data, 1 << 20) == DROPPED
    again = keep and name in ("the same request again", "a whole second request")
    got = outcomes(worker, data, 1)
    assert got in (DROPPED, VERIFIED, VERIFIED * 2 if again else VERIFIED), got
    still_serves(worker, token)


@pytest.mark.parametrize("length", [-1000, -2, -1, 1, 2, 3, 15, 1000])
@pytest.mark.parametrize("size", [1 << 20, 1], ids=["at once", "byte by byte"])
def test_a_lie_about_the_tokens_length_makes_nobody_anonymous_or_verified(worker, token, length, size):
    g = Good(token)
    length = max(length, -len(f"Bearer {token}"))
    assert outcomes(worker, g.authorization(length), size) in (DROPPED, BLOCKED)
    still_serves(worker, token)


# ---- cut at every byte ----

def test_bytes_cut_anywhere_are_dropped(worker, token):
    g = Good(token)
    for size in range(len(g.all)):
        assert outcomes(worker, g.all[:size], 1 << 20) == DROPPED, f"{size} of {len(g.all)} bytes were answered"
    still_serves(worker, token)


@pytest.mark.parametrize("first", [True, False], ids=["the token first", "the token last"])
def test_parameters_cut_anywhere_and_ended_properly_make_nobody_anonymous(worker, token, first):
    """As libfcgi would have it: the stream is ended, the environment partial. At the end of a pair it is a request of fewer
    parameters; only where the token is the very next thing is it one without a token."""
    rest = {k: v for k, v in environ(path=IDENTITY).items() if k not in ("PATH_INFO", "REQUEST_METHOD", "SERVER_PROTOCOL")}
    needed = {"PATH_INFO": IDENTITY, "REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1"}
    with_token = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
    order = [with_token, rest, needed] if first else [needed, rest, with_token]
    data = b"".join(map(pairs, order))
    without = None if first else len(data) - len(pairs(with_token))
    borders = {sum(len(pairs([item])) for item in list_[:i]) for list_ in [[item for part in order for item in part.items()]]
               for i in range(len(list_) + 1)}
    complete = 0
    for size in range(len(data) + 1):
        got = outcomes(worker, begin() + stream(PARAMS, data[:size]) + stream(STDIN, b""), 1 << 20)
        if size == len(data):
            assert got == VERIFIED
        elif size not in borders:
            assert got == DROPPED, f"{size} of {len(data)} bytes: {got}"
        elif first or size < without - len(pairs(rest)):
            assert got in (DROPPED, VERIFIED, ["not_found"]), f"{size} of {len(data)} bytes: {got}"
        else:
            complete += 1
            assert got == ["anonymous"], "as it never had a token"
    assert complete == (0 if first else len(rest) + 1)
    still_serves(worker, token)


# ---- kept connections ----

def test_keep_is_asked_for_anew_with_each_request(worker, token):
    env = environ(path=IDENTITY, token=token)
    with worker.connect() as c:
        for i, keep in enumerate([True, True, True, False]):
            assert said(c.ask(env, keep=keep, request_id=i + 1).stdout) == "verified"
        assert c.at_end()


def test_what_one_request_said_is_not_heard_by_the_next(worker, token):
    """Token, body, site pin and role of a request are its own, also where the next comes over the same connection."""
    with worker.connect() as c:
        for _ in range(20):
            assert said(c.ask(environ(path=IDENTITY, token=token), keep=True).stdout) == "verified"
            assert said(c.ask(environ(path=IDENTITY), keep=True).stdout) == "anonymous"
            assert said(c.ask(environ(path=IDENTITY, token=token, POSTERN_SITE="other"), keep=True).stdout) == "site_unknown"
            assert said(c.ask(environ(path=IDENTITY, token="x"), keep=True).stdout) == "token_invalid"
            body = b"{" * 5000
            assert said(c.ask(environ("POST", HELLO, body=body), body, keep=True).stdout) == "request_malformed"


def test_whoever_closes_after_asking_harms_nobody(worker, token):
    for size in range(0, 1000, 50):
        with worker.connect() as c:
            c.send(whole(environ(path=IDENTITY, token=token))[:size])
    with worker.connect() as c:
        c.send(whole(environ(path=IDENTITY, token=token)))
        c.socket.shutdown(0)                     # SHUT_RD: it will not read
    still_serves(worker, token)


def test_an_end_right_behind_a_kept_request_is_seen(worker, token):
    """The last bytes and the end may come as one event: the connection must not stay until it has been idle for a minute."""
    for _ in range(150):
        with worker.connect() as c:
            c.send_pieces(whole(environ(path=IDENTITY, token=token), keep=True), 7)
            c.half_close()
            assert said(c.read_reply().stdout) == "verified"
            assert c.at_end()
