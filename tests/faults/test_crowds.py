"""Far more connections than the worker has places for, on its own socket: silent ones, half requests, kept ones, readers that do
not read. The socket is a border, but what stands on it may be taken over, or slowed by those behind it: memory stays bounded, who
sends a whole request is answered, and when the crowd has gone nothing of it is left."""
import os
import resource
import signal
import subprocess
import time

import pytest

from lib.fastcgi import PARAMS, STDIN, Connection, begin, environ, pairs, params, record, whole
from lib.programs import SANITIZED, environment, program, wait_until
from lib.worker import Worker, listening

IDENTITY = "/v1/sites/acme/identity"
LIST = "/v1/sites/acme/actions/list_notes"
MIB = 1 << 20
PEERS_MAX, SPARED = 4096, 1.0           # fcgi-app/accept.h, server.h
INPUTS_MAX, SPOOLS_MAX = 64 * MIB, 256 * MIB
ACTIONS = {"actions": [{"name": "list_notes", "title": "List notes", "description": "The visitor's notes.", "access": "personal",
                        "effect": "read", "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
                        "connector": {"type": "documents", "collection": "notes", "operation": "list"}}]}


@pytest.fixture
def descriptors(request):
    """Room for so many connections of the test's own, or the test is skipped."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = request.param
    if hard < need:
        pytest.skip(f"needs {need} descriptors, may have {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, need), hard))
    yield need
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def room_for(n):
    return pytest.mark.parametrize("descriptors", [n], indirect=True)


def rss_anon(worker):
    with open(f"/proc/{worker.pid}/status", encoding="ascii") as f:
        return 1024 * int(next(line.split()[1] for line in f if line.startswith("RssAnon:")))


def opened(worker):
    return len(os.listdir(f"/proc/{worker.pid}/fd"))


def spooled(worker):
    """Bytes of the memory files in which answers wait for their readers."""
    total = 0
    for fd in os.listdir(f"/proc/{worker.pid}/fd"):
        path = f"/proc/{worker.pid}/fd/{fd}"
        try:
            if "memfd:answer" in os.readlink(path):
                total += os.stat(path).st_size
        except FileNotFoundError:
            pass
    return total


def tell(c, data):
    """Sends what the other side may already have no ear for."""
    try:
        c.send(data)
    except (BrokenPipeError, ConnectionResetError):
        pass


def close_all(connections):
    for c in connections:
        c.close()


def good(worker, **env):
    """A whole request as a web server sends it: (was it answered, seconds)."""
    start = time.monotonic()
    with worker.connect() as c:
        tell(c, whole(environ(path=IDENTITY, **env)))
        reply = c.read_reply()
    if reply.closed:
        return False, time.monotonic() - start
    assert reply.answer.check().status == 200
    return True, time.monotonic() - start


def quickly(worker, times=50, **env):
    """So many good requests one after the other, none of them refused; the slowest."""
    took = []
    for _ in range(times):
        answered, seconds = good(worker, **env)
        assert answered, worker.log()
        took.append(seconds)
    return max(took)


@room_for(2000)
def test_a_crowd_at_the_door_does_not_keep_those_inside_waiting(data, descriptors):
    """All of them have come before the worker looks, and the kept connection's request behind them: its answer says how many
    were answered before it."""
    data.add_site("acme")
    crowd = 800
    with Worker(data, "--audit-budget", "0", threads=1) as w, w.connect() as inside:
        metrics = environ(path="/v1/metrics", POSTERN_METRICS="1")
        assert inside.ask(metrics, keep=True).answer.status == 200
        w.process.send_signal(signal.SIGSTOP)
        outside = [w.connect() for _ in range(crowd)]
        for c in outside:
            c.send(whole(environ(path=IDENTITY)))
        inside.send(whole(metrics, keep=True))
        w.process.send_signal(signal.SIGCONT)
        text = inside.read_reply().answer.body.decode()
        before = next(int(line.split()[1]) for line in text.splitlines()
                      if line.startswith('postern_requests_total{endpoint="identity"}'))
        assert all(c.read_reply().answer.status == 200 for c in outside)
        close_all(outside)
        assert before < crowd / 2, f"{before} of {crowd} were before the one inside"


@pytest.mark.slow
@pytest.mark.tree("plain")
@room_for(12000)
def test_ten_thousand_connections(data, descriptors):
    site = data.add_site("acme")
    token = site.token()
    part = whole(environ(path=IDENTITY, token=token))[:700]
    with Worker(data, "--audit-budget", "0", threads=2) as w:
        quickly(w)
        descriptors_before, memory = opened(w), []
        for _ in range(2):
            connections, answered = [], 0
            for i in range(10000):
                c = w.connect()
                connections.append(c)
                if i % 3 == 0:
                    tell(c, part)
                elif i % 3 == 1:
                    tell(c, whole(environ(path=IDENTITY), keep=True))
                    answered += c.read_reply().ended
            full = time.monotonic()
            wait_until(lambda: good(w)[0], "a place", SPARED + 1)
            assert opened(w) >= PEERS_MAX, "all its places were taken"
            assert time.monotonic() - full < SPARED + 1
            slowest = quickly(w, token=token)
            assert slowest < 0.5, f"a good request took {slowest:.3f} s"
            memory.append(rss_anon(w))
            print(f"{opened(w)} descriptors, RssAnon {memory[-1] / MIB:.1f} MiB, {answered} kept ones answered, slowest good {slowest:.4f} s")
            close_all(connections)
            wait_until(lambda: opened(w) <= descriptors_before, "its descriptors to be closed", 5)
        assert SANITIZED or max(memory) < 40 * MIB, f"RssAnon {memory}"
        assert memory[1] < memory[0] + MIB, f"the second crowd needed more: {memory}"
        assert "connections are in use" in w.log()


@pytest.mark.slow
@pytest.mark.tree("plain")
@room_for(6000)
def test_half_requests_have_a_bounded_share_of_the_memory(data, descriptors):
    """Each as long as one may be before it is whole: without a bound they would be a gigabyte."""
    data.add_site("acme")
    long = begin() + record(PARAMS, pairs({"HTTP_X": "x" * 60000})) + params(environ("POST", IDENTITY)) + record(STDIN, bytes(60000))
    with Worker(data, "--audit-budget", "0", threads=2) as w:
        quickly(w)
        before, connections, peak = rss_anon(w), [], 0
        slow = w.connect()
        for i in range(3000):
            c = w.connect()
            connections.append(c)
            tell(c, long)
            if i % 100 == 0:
                peak = max(peak, rss_anon(w))
        time_at = time.monotonic()
        # One in pieces has its place too, once the others have had their moment.
        wait_until(lambda: time.monotonic() > time_at + SPARED, "it", 2 * SPARED)
        request = whole(environ(path=IDENTITY))
        for i in range(0, len(request), 50):
            slow.send(request[i:i + 50])
        assert slow.read_reply().answer.status == 200
        peak = max(peak, rss_anon(w))
        print(f"RssAnon {before / MIB:.1f} MiB, at most {peak / MIB:.1f} MiB")
        assert peak > before + INPUTS_MAX / 2, "they did fill their share"
        assert peak < before + 1.2 * INPUTS_MAX
        assert quickly(w) < 0.5
        close_all([slow, *connections])


@pytest.mark.slow
@pytest.mark.limit(120)
@pytest.mark.tree("plain")
def test_answers_that_nobody_reads_have_a_bounded_share_of_the_memory(data):
    """A page of 50 large documents each. The slowest readers give way; who reads has it whole."""
    rows = [{"collection": "notes", "id": f"n{i:02}", "owner": "alex@example.com", "data": {"text": "x" * 64000}} for i in range(50)]
    site = data.add_site("acme", "--plan", "pro", actions=ACTIONS, documents=rows)
    env = environ("POST", LIST, body=b"{}", token=site.token())
    with Worker(data, "--audit-budget", "0", threads=2) as w:
        with w.connect() as c:
            size = len(c.ask(env, b"{}").answer.check().body)
        assert size > 3_000_000
        connections, peak = [], 0
        for _ in range(SPOOLS_MAX // size + 40):
            c = w.connect()
            connections.append(c)
            c.send(whole(env, b"{}"))
            wait_until(lambda: c.socket.recv(1, 0x02), "its answer to begin")       # MSG_PEEK
            peak = max(peak, spooled(w))
        print(f"an answer {size / MIB:.1f} MiB, {len(connections)} of them, at most {peak / MIB:.1f} MiB kept")
        assert SPOOLS_MAX / 2 < peak < SPOOLS_MAX + 4 * size
        with w.connect() as c:
            assert len(c.ask(env, b"{}").answer.check().body) == size
        whole_ones = [not (reply := c.read_reply()).closed and len(reply.answer.body) == size for c in connections]
        assert not whole_ones[0] and whole_ones[-1] and sum(whole_ones) > len(whole_ones) / 2
        close_all(connections)
        wait_until(lambda: spooled(w) == 0, "the memory files to be gone")
        assert quickly(w) < 0.5


def test_with_few_descriptors_answers_and_calls_have_theirs(data):
    """What it may have open is shared out at the start: 128 for itself, one for each of 256 calls that leave, and two for each
    connection, for an answer that is not read has a file of its own."""
    path, log = data.home / "few.sock", data.home / "few.log"
    limited = ["/bin/sh", "-c", 'ulimit -n 1024 && exec "$@"', "sh", program("postern-fcgi"), "--data", data.path, "--listen", path]
    with open(log, "wb") as out:
        process = subprocess.Popen(list(map(str, limited)), stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment())
    try:
        wait_until(lambda: listening(path), "the worker to listen", 20)
        silent = [Connection(path) for _ in range(400)]
        places = (1024 - 128 - 256) // 2
        wait_until(lambda: f"all {places} connections are in use" in log.read_text(encoding="utf-8"), "the worker to say so")
        close_all(silent)
        wait_until(lambda: healthy(path), "a place")
    finally:
        process.terminate()
        assert process.wait(20) == 0


def healthy(path):
    with Connection(path) as c:
        tell(c, whole(environ()))
        reply = c.read_reply()
        return not reply.closed and reply.answer.status == 200
