"""What the worker makes of FastCGI itself: whole requests are answered, anything else is dropped and never taken for an
anonymous visitor, and no peer, slow, broken or silent, keeps the others waiting."""
import json
import os
import random
import resource
import select
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from lib import fastcgi
from lib.fastcgi import (ABORT_REQUEST, AUTHORIZER, BEGIN_REQUEST, DATA, FILTER, GET_VALUES, PARAMS, STDIN, Connection, ask, begin,
                         environ, get_values, length_of, params, record, stream, whole)
from lib.ledger import HeldLedger
from lib.programs import SANITIZED, THREAD_SANITIZED, environment, program, wait_until
from lib.worker import Worker

BODY_MAX = 65536
NO_PARAMETERS = {"type": "object", "properties": {}, "additionalProperties": False}
ACTIONS = {"actions": [{"name": "hello", "title": "Say hello", "description": "Always the same.", "access": "public", "effect": "read",
                        "parameters": NO_PARAMETERS, "connector": {"type": "static", "result": {"hello": "world"}}},
                       {"name": "list_orders", "title": "List orders", "description": "The visitor's orders.", "access": "personal",
                        "effect": "read", "parameters": NO_PARAMETERS,
                        "connector": {"type": "documents", "collection": "orders", "operation": "list"}}]}
IDENTITY, HELLO, ORDERS = "/v1/sites/acme/identity", "/v1/sites/acme/actions/hello", "/v1/sites/acme/actions/list_orders"


@pytest.fixture(scope="module")
def acme(module_data):
    return module_data.add_site("acme", actions=ACTIONS)


@pytest.fixture(scope="module")
def shared(module_data, acme):
    """One worker with few threads for the tests that leave it as it was."""
    with Worker(module_data, "--audit-budget", "0", threads=2) as w:
        yield w


def metric(worker, name):
    text = ask(worker, path="/v1/metrics", POSTERN_METRICS="1").body.decode()
    return int(next(line for line in text.splitlines() if line.startswith(name + " ")).split()[1])


def identities(worker):
    """How many identity requests the worker has answered."""
    return metric(worker, 'postern_requests_total{endpoint="identity"}')


def queued(worker):
    """How many requests wait for their commit."""
    return metric(worker, "postern_jobs_queued")


def readable(connections, seconds):
    """Has any of them something to read, or does within this time?"""
    poll = select.poll()
    for c in connections:
        poll.register(c.socket, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def assert_well(worker):
    """It still lives and answers."""
    assert worker.process.poll() is None, worker.log()
    assert ask(worker).status == 200


def dropped(worker, data, half_close=True):
    """Sends it and says whether the connection was closed without an answer."""
    with worker.connect() as c:
        try:
            c.send(data)
            if half_close:
                c.half_close()
        except (BrokenPipeError, ConnectionResetError):
            pass
        return c.at_end()


def run_worker(*args, timeout=20, **how):
    """A worker that is expected not to start: its exit code and what it said."""
    how.setdefault("stdin", subprocess.DEVNULL)
    env = environment(**how.pop("env", {}))
    done = subprocess.run([program("postern-fcgi"), *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
                          check=False, env=env, **how)
    return done.returncode, done.stderr.decode()


# ---- whole requests ----

def test_a_whole_request_is_answered_and_the_connection_closed(shared, acme):
    with shared.connect() as c:
        reply = c.ask(environ(path=IDENTITY, token=acme.token()))
        assert reply.answer.check().json["identity"]["status"] == "verified"
        assert (reply.app_status, reply.protocol_status, reply.stderr, reply.others) == (0, fastcgi.REQUEST_COMPLETE, b"", [])
        assert c.at_end()


def test_a_kept_connection_serves_one_request_after_another(shared, acme):
    token = acme.token()
    with shared.connect() as c:
        for i in range(50):
            sent, expected = (token, "verified") if i % 2 else (None, "anonymous")
            reply = c.ask(environ(path=IDENTITY, token=sent), keep=True, request_id=i + 1)
            assert reply.answer.json["identity"]["status"] == expected
        assert c.ask(environ()).answer.status == 200
        assert c.at_end()


def test_a_kept_connection_that_ends_with_its_request_is_closed(module_data, acme):
    """Request and end come together, as one event: the end must not be waited for again."""
    with Worker(module_data, threads=1) as w, w.connect() as c:
        assert c.ask(environ(path=IDENTITY), keep=True).answer.status == 200
        w.process.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: "State:\tT" in Path(f"/proc/{w.pid}/status").read_text(), "the worker to stand still")
            c.send(whole(environ(path=IDENTITY), keep=True))
            c.half_close()
        finally:
            w.process.send_signal(signal.SIGCONT)
        assert c.read_reply().answer.status == 200
        c.socket.settimeout(5)
        assert c.at_end()


def test_a_kept_connection_that_ends_while_an_answer_waits_for_its_commit_is_closed(data):
    """The next request and the end come before the answer to the first has left."""
    site = data.add_site("acme", actions=ACTIONS)
    body = b"{}"
    with Worker(data, threads=1) as w, HeldLedger(data) as held, w.connect() as c:
        c.send(whole(environ("POST", ORDERS, body=body, token=site.token()), body, keep=True))
        wait_until(lambda: queued(w) == 1, "the request to wait for its commit")
        c.send(whole(environ(path=IDENTITY), keep=True))
        c.half_close()
        assert ask(w).status == 200               # the one thread has seen both events
        held.release()
        assert c.read_reply().answer.status == 200 and c.read_reply().answer.status == 200
        c.socket.settimeout(5)
        assert c.at_end()


def test_a_request_in_single_bytes_is_answered_as_any_other(shared, acme):
    body = b'{"parameters": {}}'
    with shared.connect() as c:
        for _ in range(2):
            c.send_pieces(whole(environ("POST", HELLO, body=body, token=acme.token()), body, keep=True))
            assert c.read_reply().answer.json["result"] == {"hello": "world"}


def test_padded_and_finely_cut_records_are_read(shared):
    pairs = fastcgi.pairs(environ(path=IDENTITY))
    cut = b"".join(record(PARAMS, pairs[i:i + 3], padding=i % 256) for i in range(0, len(pairs), 3))
    with shared.connect() as c:
        c.send(begin() + cut + record(PARAMS, b"", padding=255) + record(STDIN, b"", padding=7))
        assert c.read_reply().answer.json["identity"]["reason"] == "no_token"


def test_padding_is_never_read_as_records(shared):
    """libfcgi forgets the padding of these two records, and would take it for the records hidden there."""
    hidden = get_values(*["FCGI_MPXS_CONNS"] * 13)
    padded_begin = begin()[:6] + bytes([len(hidden)]) + begin()[7:] + hidden
    padded_end = record(PARAMS)[:6] + bytes([len(hidden)]) + b"\0" + hidden
    with shared.connect() as c:
        c.send(padded_begin + params(environ(path=IDENTITY), end=False) + padded_end + stream(STDIN, b""))
        reply = c.read_reply()
        assert reply.answer.json["identity"]["reason"] == "no_token" and not reply.others
    assert_well(shared)


def test_a_peer_that_closes_its_sending_side_still_gets_its_answer(shared):
    with shared.connect() as c:
        c.send(whole(environ()))
        c.half_close()
        assert c.read_reply().answer.status == 200


def test_head_has_the_headers_and_length_of_get_without_a_body(shared):
    got, head = ask(shared, "GET", IDENTITY), ask(shared, "HEAD", IDENTITY)
    assert (head.status, head.body) == (200, b"")
    assert head.header("Content-Length") == got.header("Content-Length") == str(len(got.body))


# ---- routes ----

@pytest.mark.parametrize("method, path, status, allow", [
    ("GET", "/v1/sites/acme/identity/", 404, None), ("GET", "/v1/sites//identity", 404, None), ("GET", "/v1/", 404, None),
    ("GET", "/v1/sites/acme", 404, None), ("GET", "//v1/health", 404, None), ("GET", "/v1/health/x", 404, None),
    ("GET", "/v1/metrics", 404, None), ("OPTIONS", "/v1/metrics", 404, None), ("OPTIONS", "/v1/nothing", 404, None),
    ("GET", "/V1/health", 404, None), ("GET", "/v1/sites/ac%6de/identity", 404, None), ("get", "/v1/health", 405, "GET, HEAD, OPTIONS"),
    ("PUT", IDENTITY, 405, "GET, HEAD, OPTIONS"), ("GET", HELLO, 405, "POST, OPTIONS"), ("HEAD", HELLO, 405, "POST, OPTIONS"),
    ("POST", "/v1/sites/acme/actions", 405, "GET, HEAD, OPTIONS"), ("OPTIONS", HELLO, 204, "POST, OPTIONS"),
])
def test_a_path_is_its_segments_exactly(shared, method, path, status, allow):
    answer = ask(shared, method, path)
    assert (answer.status, answer.header("Allow")) == (status, allow)


@pytest.mark.parametrize("info, script, status", [
    ("/v1/health", "/postern", 200), (None, "/postern/v1/health", 200), ("", "/v1/health", 200), ("/other", "/a/v1/health", 200),
    ("/v1/nothing", "/v1/health", 404), (None, "/v1health", 404), (None, None, 404),
])
def test_the_route_is_path_info_or_what_follows_in_script_name(shared, info, script, status):
    assert ask(shared, PATH_INFO=info, SCRIPT_NAME=script).status == status


def test_metrics_are_there_only_where_the_server_says_so(shared):
    assert ask(shared, path="/v1/metrics", POSTERN_METRICS="1").header("Content-Type").startswith("text/plain")
    for said in ("0", "", "11"):
        assert ask(shared, path="/v1/metrics", POSTERN_METRICS=said).status == 404


def test_the_catalogue_says_what_this_caller_may_run(shared, acme):
    def availability(**env):
        return {a["name"]: (a["available"], a["reason"]) for a in ask(shared, path="/v1/sites/acme/actions", **env).json["actions"]}
    assert availability() == {"hello": (True, None), "list_orders": (False, "sign_in_required")}
    assert availability(token=acme.token()) == {"hello": (True, None), "list_orders": (True, None)}


# ---- what is dropped ----

def test_a_request_cut_short_at_any_byte_is_dropped_and_never_anonymous(shared):
    env = {name: value for name, value in environ(path=IDENTITY).items()
           if name in ("REQUEST_METHOD", "SERVER_PROTOCOL", "PATH_INFO", "REMOTE_ADDR")}
    request, before = whole(env), identities(shared)
    for size in range(1, len(request)):
        assert dropped(shared, request[:size]), f"{size} of {len(request)} bytes were answered"
    assert identities(shared) == before
    with shared.connect() as c:
        assert c.ask(env).answer.json["identity"]["status"] == "anonymous"


PAIRS = fastcgi.pairs(environ(path=IDENTITY))
ENV = environ(path=IDENTITY)
MALFORMED = {
    "parameters that end inside a value": begin() + stream(PARAMS, PAIRS[:-3]) + stream(STDIN, b""),
    "parameters that end inside a length": begin() + stream(PARAMS, PAIRS + b"\x80\0") + stream(STDIN, b""),
    "a name of 2 GiB": begin() + stream(PARAMS, PAIRS + length_of(0x7fffffff) + length_of(0x7fffffff)) + stream(STDIN, b""),
    "lengths whose sum overflows": begin() + stream(PARAMS, PAIRS + length_of(0x7ffffffe) + length_of(2) + b"xy") + stream(STDIN, b""),
    "a NUL in a value": whole([*ENV.items(), ("HTTP_AUTHORIZATION", b"Basic x\0, Bearer y")]),
    "a NUL in a name": whole([*ENV.items(), (b"HTTP_X\0Y", "1")]),
    "a sign in a name": whole([*ENV.items(), ("HTTP_AUTHORIZATION=Basic", "x")]),
    "more than 64 KiB of parameters": whole([*ENV.items(), *[(f"HTTP_X_{i}", "x" * 4000) for i in range(17)]]),
    "no parameters": whole({}),
    "no REQUEST_METHOD": whole(environ(REQUEST_METHOD=None)),
    "no SERVER_PROTOCOL": whole(environ(SERVER_PROTOCOL=None)),
    "another version": record(BEGIN_REQUEST, b"\0\1\0\0\0\0\0\0", version=2),
    "id 0": whole(ENV, request_id=0),
    "a short begin": record(BEGIN_REQUEST, b"\0\1\0\0"),
    "a long begin": record(BEGIN_REQUEST, b"\0\1" + bytes(10)),
    "an authorizer with a body": begin(AUTHORIZER) + params(ENV) + stream(STDIN, b"x"),
    "a filter": whole(ENV, role=FILTER),
    "a role that is none": whole(ENV, role=9),
    "parameters first": params(ENV) + stream(STDIN, b""),
    "a body first": begin() + stream(STDIN, b"") + params(ENV),
    "a begin within a request": begin() + begin() + params(ENV) + stream(STDIN, b""),
    "a second request within the first": begin() + params(ENV) + begin(request_id=2) + stream(STDIN, b""),
    "another request's parameters": begin() + params(ENV, request_id=2) + stream(STDIN, b""),
    "parameters after their end": begin() + params(ENV) + params(ENV) + stream(STDIN, b""),
    "a data record": begin() + params(ENV) + record(DATA, b"x") + stream(STDIN, b""),
    "a record of no known type": begin() + record(99) + params(ENV) + stream(STDIN, b""),
    "a second request right behind the first": whole(ENV, keep=True) + whole(ENV, keep=True, request_id=2),
    "an abort at the start": record(ABORT_REQUEST),
    "an abort after begin": begin() + record(ABORT_REQUEST),
    "an abort after the parameters": begin() + params(ENV) + record(ABORT_REQUEST),
    "an abort behind the request": whole(ENV) + record(ABORT_REQUEST),
    "plain HTTP": b"GET /v1/sites/acme/identity HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "zeros": bytes(4096),
    "what was asked for the values": get_values("FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"),
    "values that overflow libfcgi's buffer": get_values(*["FCGI_MPXS_CONNS"] * 20),
    "values after begin": begin() + get_values(*["FCGI_MPXS_CONNS"] * 20) + params(ENV) + stream(STDIN, b""),
    "values within the parameters": begin() + params(ENV, end=False) + get_values(*["FCGI_MPXS_CONNS"] * 20) + record(PARAMS)
    + stream(STDIN, b""),
    "values before the body": begin() + params(ENV) + get_values(*["FCGI_MPXS_CONNS"] * 20) + stream(STDIN, b""),
    "values behind the request": whole(ENV) + get_values(*["FCGI_MPXS_CONNS"] * 20),
    "an unknown management record": record(42, b"x", request_id=0),
    "a management stdin record": begin() + params(ENV) + record(GET_VALUES + 20, b"", request_id=0),
}


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize("size", ["at once", "in pieces"])
def test_what_is_no_request_is_dropped_without_an_answer(shared, name, size):
    before, data = identities(shared), MALFORMED[name]
    if size == "at once":
        assert dropped(shared, data)
    else:
        with shared.connect() as c:
            try:
                c.send_pieces(data, max(7, len(data) // 500))
                c.half_close()
            except (BrokenPipeError, ConnectionResetError):
                pass
            # A peer that pipelines slowly enough gets its first answer; only that one.
            answered = c.read_reply() if "behind" in name else fastcgi.Reply(closed=True)
            assert answered.closed or answered.answer.status == 200
            assert c.at_end() or "second request right behind" in name
    assert identities(shared) <= before + (2 if "behind" in name and size == "in pieces" else 0)
    assert_well(shared)


def test_random_bytes_never_get_an_answer_or_kill_the_worker(shared):
    dice = random.Random(20251121)
    request = whole(ENV)
    for _ in range(300):
        data = bytearray(request)
        for _ in range(dice.randint(1, 6)):
            data[dice.randrange(16, len(data))] = dice.randrange(256)
        with shared.connect() as c:
            c.send(bytes(data))
            c.half_close()
            reply = c.read_reply()
            assert reply.closed or reply.answer.status in (200, 400, 401, 404, 405, 413)
    assert_well(shared)


# ---- Authorization and bodies ----

def test_two_authorization_parameters_are_blocked(shared, acme):
    env = [*environ(path=IDENTITY, token=acme.token()).items(), ("HTTP_AUTHORIZATION", f"Bearer {acme.token()}")]
    for items in (env, [*environ(path=IDENTITY).items(), ("HTTP_AUTHORIZATION", ""), ("HTTP_AUTHORIZATION", "Basic eDp5")]):
        with shared.connect() as c:
            answer = c.ask(items).answer.check()
            assert (answer.status, answer.code) == (401, "token_invalid")
    assert acme.data.audit(reason="token_malformed", outcome="blocked", site="acme")


def test_an_empty_authorization_is_not_the_same_as_none(shared):
    assert ask(shared, path=IDENTITY, HTTP_AUTHORIZATION="").status == 401
    assert ask(shared, path=IDENTITY, REDIRECT_HTTP_AUTHORIZATION="Bearer x").json["identity"]["reason"] == "no_token"


@pytest.mark.parametrize("length, status", [
    (None, 200), ("", 200), ("2", 200), ("002", 200), ("3", 400), ("1", 400), ("0", 400), ("-2", 400), ("+2", 400), (" 2", 400),
    ("2x", 400), ("0x2", 400), ("65537", 413), ("99999999999999999999999999", 413),
])
def test_content_length_must_be_what_came(shared, length, status):
    with shared.connect() as c:
        answer = c.ask(environ("POST", HELLO, body=b"{}", CONTENT_LENGTH=length), b"{}").answer.check()
        assert (answer.status, answer.code) == (status, {200: None, 400: "request_malformed", 413: "body_too_large"}[status])


@pytest.mark.parametrize("size", [0, 1, BODY_MAX - 1, BODY_MAX, BODY_MAX + 1, 200_000, 5_000_000])
@pytest.mark.parametrize("promised", [True, False])
def test_a_body_is_read_to_its_end_and_the_connection_stays_in_step(shared, size, promised):
    body = b"{}".ljust(size) if size > 1 else b"{"[:size]
    with shared.connect() as c:
        env = environ("POST", HELLO, body=body, CONTENT_LENGTH=str(size) if promised else None, CONTENT_TYPE="application/json")
        for request_id in (1, 2):
            answer = c.ask(env, body, keep=True, request_id=request_id).answer.check()
            assert answer.status == (413 if size > BODY_MAX else 400 if size == 1 else 200)
        assert c.ask(environ(path=IDENTITY)).answer.status == 200


def test_an_unknown_route_comes_before_a_body_that_is_too_large(shared):
    with shared.connect() as c:
        body = bytes(BODY_MAX + 1)
        assert c.ask(environ("POST", "/v1/nothing", body=body), body, keep=True).answer.status == 404
        assert c.ask(environ("PUT", HELLO, body=body), body, keep=True).answer.status == 405
        assert c.ask(environ()).answer.status == 200


# ---- nobody keeps the others waiting ----

def test_slow_requests_do_not_delay_others_and_are_answered_once_whole(shared, acme):
    request = whole(environ(path=IDENTITY, token=acme.token()), keep=True)
    slow = [shared.connect() for _ in range(16)]
    try:
        for i, c in enumerate(slow):
            c.send(request[:1 + i * (len(request) - 1) // 16])
        for _ in range(100):
            assert ask(shared, path=IDENTITY).status == 200
        for i, c in enumerate(slow):
            c.send(request[1 + i * (len(request) - 1) // 16:])
            assert c.read_reply().answer.json["identity"]["status"] == "verified"
    finally:
        for c in slow:
            c.close()


def test_idle_kept_and_silent_connections_starve_nobody(shared):
    kept, silent = [shared.connect() for _ in range(64)], [shared.connect() for _ in range(64)]
    try:
        for c in kept:
            assert c.ask(environ(), keep=True).answer.status == 200
        for _ in range(100):
            assert ask(shared).status == 200
        for c in kept + silent:
            assert c.ask(environ(), keep=True).answer.status == 200
    finally:
        for c in kept + silent:
            c.close()


def test_a_reader_of_a_long_answer_that_does_not_read_delays_nobody(data):
    long = [{**ACTIONS["actions"][0], "name": f"hello_{i}", "description": "x" * 3500} for i in range(200)]
    data.add_site("acme", actions={"actions": long})
    with Worker(data, threads=1) as w:
        slow = [w.connect() for _ in range(3)]
        for c in slow:
            c.send(whole(environ(path="/v1/sites/acme/actions"), keep=True))
        for c in slow:                                     # its answer has begun, and is longer than the socket holds
            assert readable([c], 20)
        for _ in range(20):
            assert ask(w).status == 200
        for c in slow:
            answer = c.read_reply().answer.check()
            assert len(answer.body) > 600_000 and len(answer.json["actions"]) == 200
            assert c.ask(environ()).answer.status == 200
            c.close()


def test_many_actions_at_once_are_all_answered(data):
    site = data.add_site("acme", actions=ACTIONS)
    env, body = environ("POST", ORDERS, body=b"{}", token=site.token()), b"{}"
    with Worker(data, threads=4) as w:
        connections = [w.connect() for _ in range(128)]
        for _ in range(4):
            for c in connections:
                c.send(whole(env, body, keep=True))
            for c in connections:
                assert c.read_reply().answer.check().status == 200
        for c in connections:
            c.close()
    assert len(data.audit(action="list_orders", outcome="done")) == 512


@pytest.mark.skipif(resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 2048, reason="needs 2,048 descriptors")
@pytest.mark.skipif(THREAD_SANITIZED, reason="it takes longer over 1,024 requests than they wait")
def test_past_1024_requests_in_flight_the_next_is_told_overloaded(data):
    site = data.add_site("acme")
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limit[0], 2048), limit[1]))
    request = whole(environ(path=IDENTITY, token=site.token() + "x"))
    with Worker(data, "--audit-budget", "0") as w:
        with HeldLedger(data):
            waiting = [w.connect() for _ in range(1100)]
            for c in waiting:
                c.send(request)
            answer = wait_until(lambda: (a := ask(w)).status == 503 and a, "1,024 requests to be in flight", 1.9)
            assert answer.code == "overloaded"
        codes = [c.read_reply().answer.check().code for c in waiting]
        for c in waiting:
            c.close()
        # The question about it may have had a place too, and the last ones may have come when there was room again.
        assert set(codes) <= {"token_invalid", "overloaded"} and codes.count("token_invalid") >= 1020
        assert_well(w)
    resource.setrlimit(resource.RLIMIT_NOFILE, limit)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sees what a worker has open")
def test_out_of_descriptors_it_waits_and_recovers(data):
    with Worker(data) as w:
        used = len(os.listdir(f"/proc/{w.pid}/fd"))
        resource.prlimit(w.pid, resource.RLIMIT_NOFILE, (used + 8, used + 8))
        silent = [w.connect() for _ in range(40)]
        wait_until(lambda: "out of descriptors" in w.log(), "the worker to say so")
        asks = w.connect()
        asks.send(whole(environ()))
        assert not readable([asks], 0.5), "answered without a descriptor"
        start, before = time.monotonic(), cpu_seconds(w.pid)
        assert not readable([asks], 1)
        if not SANITIZED:
            assert cpu_seconds(w.pid) - before < 0.5 * (time.monotonic() - start), "it spins"
        for c in silent:
            c.close()
        assert asks.read_reply().answer.status == 200
        asks.close()
        assert w.log().count("out of descriptors") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sees what a worker has open")
def test_an_idle_connection_makes_room_for_a_new_one(data):
    with Worker(data) as w:
        idle = w.connect()
        assert idle.ask(environ(), keep=True).answer.status == 200
        used = len(os.listdir(f"/proc/{w.pid}/fd"))
        resource.prlimit(w.pid, resource.RLIMIT_NOFILE, (used, used))
        with w.connect() as c:
            assert c.ask(environ(), keep=True).answer.status == 200
        assert idle.at_end()
        idle.close()


@pytest.mark.slow
def test_a_request_that_takes_too_long_is_dropped(shared):
    """10 s from its first byte, whatever trickles in; the same for a connection that says nothing."""
    start = time.monotonic()
    with shared.connect() as silent, shared.connect() as slow:
        request = whole(environ())
        for byte in request:
            slow.send(bytes([byte]))
            if readable([slow], 0.2):
                break
        assert slow.at_end() and silent.at_end()
    assert 9 < time.monotonic() - start < 15


# ---- stopping ----

@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_it_stops_in_time_whatever_its_connections_do(data, how):
    site = data.add_site("acme", actions=ACTIONS)
    with Worker(data, "--audit-budget", "0") as w:
        idle = [w.connect() for _ in range(16)]
        for c in idle:
            assert c.ask(environ(), keep=True).answer.status == 200
        half = [w.connect() for _ in range(4)]
        for c in half:
            c.send(whole(environ())[:40])
        parked = [w.connect() for _ in range(8)]
        request = whole(environ("POST", ORDERS, body=b"{}", token=site.token()), b"{}", keep=True)
        with HeldLedger(data):
            for c in parked:
                c.send(request)
            wait_until(lambda: queued(w) == 8, "the actions to wait for the ledger")
            assert w.stop(how) < 2 or THREAD_SANITIZED
        for c in parked:                                   # told that they were not done, or cut off; never a success
            reply = c.read_reply()
            assert reply.closed or reply.answer.check().code == "audit_unavailable"
            c.close()
        for c in idle + half:
            assert c.at_end()
            c.close()
        assert not w.socket.exists()
    assert not data.audit(outcome="done", action="list_orders")


def test_a_stop_finishes_what_is_in_flight(data):
    site = data.add_site("acme", actions=ACTIONS)
    with Worker(data) as w:
        c = w.connect()
        with HeldLedger(data) as held:
            c.send(whole(environ("POST", ORDERS, body=b"{}", token=site.token()), b"{}", keep=True))
            wait_until(lambda: queued(w), "the action to wait for the ledger")
            w.process.send_signal(signal.SIGTERM)
            wait_until(lambda: not w.socket.exists(), "it to begin to stop")
            held.release()
            assert c.read_reply().answer.check().status == 200
            assert c.at_end()
        c.close()
        assert w.process.wait(10) == 0
    assert len(data.audit(outcome="done", action="list_orders")) == 1


@pytest.mark.skipif(SANITIZED, reason="400 answers within a stop's 0.4 s are promised of the program as it ships")
def test_a_stop_answers_what_has_come_over_kept_connections(data):
    """Each web server's next request was sent before the worker began to stop: closing would lose it without an answer. A busy
    machine may need longer than the stop's 0.4 s; then it is tried again."""
    for _ in range(5):
        lost, seconds = stopped_with_requests(data)
        assert not lost or seconds > 0.4, f"{lost} requests without an answer, though the stop took {seconds:.2f} s"
        if not lost:
            return
    pytest.fail("five times the stop's time was over before what had come was answered")


def stopped_with_requests(data):
    """(how many of 400 were not answered, the seconds of the stop)"""
    lost = 0
    with Worker(data, threads=1) as w:
        kept = [w.connect() for _ in range(400)]
        for c in kept:
            assert c.ask(environ(), keep=True).answer.status == 200
        w.process.send_signal(signal.SIGSTOP)
        for c in kept:
            c.send(whole(environ(), keep=True))
        start = time.monotonic()
        w.process.send_signal(signal.SIGTERM)
        w.process.send_signal(signal.SIGCONT)
        for c in kept:
            reply = c.read_reply()
            if reply.ended:
                assert reply.answer.status == 200 and c.at_end()
            lost += not reply.ended
            c.close()
        assert w.process.wait(10) == 0
    return lost, time.monotonic() - start


def test_sighup_changes_nothing(data):
    with Worker(data) as w:
        with w.connect() as c:
            assert c.ask(environ(), keep=True).answer.status == 200
            w.process.send_signal(signal.SIGHUP)
            assert c.ask(environ(), keep=True).answer.status == 200
        assert_well(w)


# ---- the socket ----

def test_the_socket_is_0660_of_the_group_asked_for(data):
    with Worker(data, "--listen-group", "www-data" if os.geteuid() == 0 else str(os.path.basename("nogroup"))) as w:
        assert w.socket.stat().st_mode & 0o777 == 0o660
        if os.geteuid() == 0:
            assert w.socket.group() == "www-data"


def test_a_stale_socket_is_replaced(data):
    with Worker(data) as first:
        first.kill()
        assert first.socket.exists()
        second = subprocess.Popen([program("postern-fcgi"), "--data", str(data.path), "--listen", str(first.socket)], stderr=subprocess.PIPE,
                                  stdin=subprocess.DEVNULL, env=environment())
        try:
            wait_until(lambda: answers(first.socket), "the second worker to answer")
        finally:
            second.terminate()
            assert (second.wait(10), second.stderr.close()) == (0, None)
        assert not first.socket.exists()


def answers(path):
    try:
        with Connection(path) as c:
            return c.ask(environ()).answer.status == 200
    except (ConnectionRefusedError, FileNotFoundError):
        return False


def test_a_live_socket_is_refused_and_left_alone(data):
    with Worker(data) as w:
        code, said = run_worker("--data", data.path, "--listen", w.socket)
        assert code == 3 and "another process listens" in said
        assert_well(w)


def test_what_is_not_a_socket_is_left_alone(data):
    path = data.file("precious", "text")
    code, said = run_worker("--data", data.path, "--listen", path)
    assert code == 3 and "not a socket" in said
    assert path.read_text() == "text"


def test_a_place_for_the_socket_that_is_not_there_is_named(data):
    code, said = run_worker("--data", data.path, "--listen", data.home / "no" / "s")
    assert code == 3 and "make the directory" in said


def test_a_tcp_socket_is_refused(data):
    with socket.create_server(("127.0.0.1", 0)) as tcp:
        code, said = run_worker("--data", data.path, "--listen", data.home / "s", stdin=tcp.fileno())
        assert code == 3 and "TCP" in said
        code, said = handed_over(data, tcp)
        assert code == 3 and "TCP" in said


HAND_OVER = """import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=sys.argv[2] or str(os.getpid()), LISTEN_FDS=sys.argv[3])
os.execv(sys.argv[4], sys.argv[4:])"""


def hand_over(data, sock, pid="", count=1):
    """Starts it as systemd would, with the socket as descriptor 3."""
    args = ["/usr/bin/python3", "-c", HAND_OVER, str(sock.fileno()), pid, str(count), program("postern-fcgi"), "--data", str(data.path)]
    return subprocess.Popen(args, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment(), pass_fds=(sock.fileno(),))


def handed_over(data, sock, **how):
    """As that, where it is expected not to start: exit code and what it said."""
    process = hand_over(data, sock, **how)
    said = process.communicate(timeout=20)[1].decode()
    return process.returncode, said


def unix_listener(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen()
    return sock


@pytest.mark.parametrize("way", ["LISTEN_FDS", "descriptor 0"])
def test_a_socket_handed_over_is_served_and_left_in_place(data, way):
    path = data.home / "handed.sock"
    with unix_listener(path) as sock:
        if way == "LISTEN_FDS":
            process = hand_over(data, sock)
        else:
            process = subprocess.Popen([program("postern-fcgi"), "--data", str(data.path)], stdin=sock.fileno(), stderr=subprocess.PIPE,
                                       env=environment())
        with Connection(path) as c:
            assert c.ask(environ()).answer.status == 200
        process.terminate()
        assert (process.wait(10), process.stderr.close()) == (0, None)
        assert path.exists()


def test_descriptors_meant_for_another_process_are_ignored(data):
    with unix_listener(data.home / "handed.sock") as sock:
        assert handed_over(data, sock, pid="1")[0] == 2
        assert handed_over(data, sock, count=2)[0] == 3


# ---- who may connect ----

def ask_as(user, path):
    """An identity request made by another user: what came back."""
    script = "import socket,sys\ns=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(20)\ntry:\n" \
             " s.sendall(bytes.fromhex(sys.argv[2]))\n print(len(s.recv(65536)))\nexcept OSError: print(0)"
    done = subprocess.run(["/usr/bin/python3", "-c", script, str(path), whole(environ()).hex()], user=user, capture_output=True, timeout=30,
                          check=True, cwd="/")
    return int(done.stdout)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask as another user")
def test_only_the_named_peers_are_answered(data):
    os.chmod(data.home, 0o711)
    with Worker(data, "--peer", "daemon") as w:
        os.chmod(w.socket, 0o666)
        assert ask_as("daemon", w.socket) > 0
        for _ in range(3):
            assert ask_as("nobody", w.socket) == 0
        assert w.log().count("was refused") == 1
        assert_well(w)


# ---- starting ----

@pytest.mark.parametrize("args, env, code, words", [
    (["--nothing"], {}, 2, "--help"), (["positional"], {}, 2, "--help"), (["--threads", "0"], {}, 2, "1 to 64"),
    (["--threads", "65"], {}, 2, "1 to 64"), (["--threads"], {}, 2, "--threads"), (["--threads="], {}, 2, "1 to 64"),
    (["--help=x"], {}, 2, "--help"), ([], {"POSTERN_THREADS": "many"}, 2, "POSTERN_THREADS"), (["--peer", "no such user"], {}, 2, "--peer"),
    (["--audit-budget", "-1"], {}, 2, "--audit-budget"), (["--audit-budget", "/s"], {}, 2, "--audit-budget"),
    (["--listen", "relative"], {}, 2, "absolute"), (["--listen-group", "no such group"], {}, 2, "group"),
    (["--data", "/nonexistent"], {}, 3, "postern init"),
])
def test_what_it_cannot_start_with_is_said_in_one_line(args, env, code, words):
    got, said = run_worker(*args, env=env)
    lines = [line for line in said.splitlines() if "running as root" not in line]
    assert (got, len(lines)) == (code, 1) and words in lines[0], said


def test_it_has_a_thread_for_each_processor_and_two_at_least(data):
    usual = os.sched_getaffinity(0)
    for processors in (usual, {min(usual)}):
        os.sched_setaffinity(0, processors)
        try:
            with Worker(data, threads=None) as w:
                said = wait_until(lambda w=w: " threads on " in w.log() and w.log(), "it to say that it runs")
                assert f": {max(2, len(processors))} threads on " in said
        finally:
            os.sched_setaffinity(0, usual)


def test_without_a_socket_it_says_what_to_run(data):
    code, said = run_worker("--data", data.path)
    assert code == 2 and "--listen" in said


def test_a_pinned_site_must_be_a_site_id(data):
    code, said = run_worker("--data", data.path, "--listen", data.home / "s", env={"POSTERN_SITE": "No/Site"})
    assert code == 2 and "POSTERN_SITE" in said


def test_help_and_version_are_on_stdout():
    for option, words in (("--help", "--audit-budget"), ("--version", "postern-fcgi ")):
        done = subprocess.run([program("postern-fcgi"), option], capture_output=True, timeout=20, check=True, env=environment())
        assert words in done.stdout.decode() and not done.stderr
        with open("/dev/full", "w", encoding="utf-8") as full:
            assert subprocess.run([program("postern-fcgi"), option], stdout=full, timeout=20, check=False, env=environment()).returncode == 3


def test_its_own_log_is_json_free_and_says_where_it_listens(shared):
    first = next(line for line in shared.log().splitlines() if "threads on" in line)
    assert str(shared.socket) in first
    with pytest.raises(json.JSONDecodeError):
        json.loads(first)
