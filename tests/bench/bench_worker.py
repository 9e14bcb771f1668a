"""Target 6 of the measurements: how soon a worker answers, and what memory it has."""
import subprocess
import time
from pathlib import Path

from bench_servers import ACTIONS, ORDER, identity, read_action
from lib.datadir import DataDir
from lib.fastcgi import Connection, environ, whole
from lib.programs import environment, program
from lib.worker import Worker, listening
from run import median

METHOD = """Start: from the moment before the worker's process is made until the last byte of its first answer, an identity with
a valid token, asked over its socket without a web server; the socket is tried until it listens. The data directory has one
site, its files are in the page cache. Memory: RssAnon of /proc, which is what it has of its own, and RssFile, which is the
mapped data and programs and can be taken back at any time, after identity and personal read requests over 64 connections
at once."""

STARTS = 15
CONNECTIONS = 64
REQUESTS = 20000


def rss(pid, name):
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"/proc/{pid}/status has no {name}")


def first_answer_ms(data, ask):
    socket = data.home / "start.sock"
    request = whole(environ(ask.method, ask.path, ask.token))
    command = [program("postern-fcgi"), "--data", str(data.path), "--listen", str(socket), "--audit-budget", "0"]
    start = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment()) as process:
        try:
            while not listening(socket):
                assert process.poll() is None and time.perf_counter() - start < 10, "the worker did not start"
                time.sleep(0.0002)
            with Connection(socket) as c:
                c.send(request)
                reply = c.read_reply()
            took = time.perf_counter() - start
            assert reply.answer.status == 200, str(reply)
        finally:
            process.terminate()
    assert process.returncode == 0, f"the worker ended with {process.returncode}"
    return 1000 * took


def memory(data, asks, requests):
    with Worker(data, "--audit-budget", "0", threads=None) as worker:
        connections = [Connection(worker.socket) for _ in range(CONNECTIONS)]
        for i in range(requests // CONNECTIONS):
            ask = asks[i % len(asks)]
            body = ask.body.encode()
            request = whole(environ(ask.method, ask.path, ask.token, body), body, keep=True)
            for c in connections:
                c.send(request)
            for c in connections:
                answer = c.read_reply().answer
                assert answer.status == ask.status, str(answer)
        found = {name: rss(worker.pid, name) for name in ("RssAnon", "RssFile")}
        for c in connections:
            c.close()
        return found


def figures(env):
    with DataDir() as data:
        data.check_lines = False
        site = data.add_site("acme", actions=ACTIONS, documents=[ORDER])
        asks = [identity(site), read_action(site)]
        first_answer_ms(data, asks[0])
        starts = [first_answer_ms(data, asks[0]) for _ in range(env.rounds(STARTS))]
        yield {"name": "start to first answer, median", "value": median(starts), "unit": "ms", "goal": ("<=", 50),
               "note": f"{min(starts):.1f} to {max(starts):.1f} ms in {len(starts)} starts"}
        found = memory(data, asks, REQUESTS)
        yield {"name": "RssAnon after requests", "value": found["RssAnon"], "unit": "MiB", "goal": ("<=", 40),
               "note": f"{REQUESTS} requests over {CONNECTIONS} connections; RssFile {found['RssFile']:.1f} MiB"}
