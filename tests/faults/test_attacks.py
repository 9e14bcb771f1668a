"""Attacks on the sockets of the worker and of the connection provider by whoever may connect there: descriptors for a gift, bytes out
of band, connections without end while they are to stop."""
import array
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from lib.connectd import Connectd, refusal
from lib.fastcgi import environ, whole
from lib.programs import SANITIZED, environment, wait_until
from lib.worker import STOP_SECONDS, Worker

pytestmark = pytest.mark.tree("sanitized")
IDENTITY = "/v1/sites/acme/identity"
GIFTS = 50


@pytest.fixture
def worker(data):
    data.add_site("acme")
    with Worker(data, "--audit-budget", "0", threads=2) as w:
        yield w


@pytest.fixture(scope="module")
def connectd():
    with Connectd() as c:
        c.add("shop", "http://127.0.0.1:1", ["GET /orders"])
        yield c


def opened(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def give(s, data, path):
    """Sends the bytes with as many descriptors as one message may have."""
    fds = [os.open(path, os.O_RDONLY) for _ in range(GIFTS)]
    try:
        s.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
    finally:
        for fd in fds:
            os.close(fd)


def test_descriptors_sent_to_the_worker_are_not_kept(worker):
    """As many as it may have, in many messages, would leave it without one for the next visitor."""
    token = worker.data.sites["acme"].token()
    with worker.connect() as c:
        c.ask(environ(), keep=True)
        before = opened(worker)
        for _ in range(40):
            give(c.socket, whole(environ(path=IDENTITY, token=token), keep=True), "/dev/null")
            assert c.read_reply().answer.json["identity"]["status"] == "verified"
        assert opened(worker) <= before


def test_descriptors_sent_to_the_connection_provider_are_not_kept(connectd):
    before = opened(connectd)
    for _ in range(40):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(str(connectd.socket))
            give(s, b"GET /proxy/none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "/dev/null")
            assert s.recv(65536).startswith(b"HTTP/1.1 400 ")
    wait_until(lambda: opened(connectd) <= before, "its descriptors to be closed")


@pytest.mark.parametrize("at", [1, 8, 15, 16, 24, 100, -30, -9, -8, -1])
def test_a_byte_out_of_band_is_no_part_of_a_request(worker, at):
    """It is skipped or read in its place; it must not make two readers of one stream see two requests."""
    token = worker.data.sites["acme"].token()
    request = whole(environ(path=IDENTITY, token=token))
    at = at % len(request)
    with worker.connect() as c:
        c.send(request[:at])
        try:
            c.socket.send(b"\1", socket.MSG_OOB)
        except OSError:
            pytest.skip("this kernel knows no such bytes on Unix sockets")
        try:
            c.send(request[at:])
            c.half_close()
        except OSError:
            pass
        reply = c.read_reply()
    assert reply.closed or reply.answer.json["identity"]["status"] == "verified"
    with worker.connect() as c:
        assert c.ask(environ(path=IDENTITY, token=token)).answer.json["identity"]["status"] == "verified"


FLOOD = """import socket, sys
while True:
    s = socket.socket(socket.AF_UNIX)
    s.setblocking(False)
    try:
        s.connect(sys.argv[1])
        s.send(bytes.fromhex(sys.argv[2]))
    except OSError as e:
        if isinstance(e, (FileNotFoundError, ConnectionRefusedError)):
            break
    s.close()
"""


def flood(path, data):
    return [subprocess.Popen([sys.executable, "-c", FLOOD, str(path), data.hex()], env=environment(), stdin=subprocess.DEVNULL)
            for _ in range(3)]


def end(processes):
    for p in processes:
        p.kill()
        p.wait()


def test_the_worker_stops_in_time_while_connections_never_cease(worker):
    crowd = flood(worker.socket, whole(environ(path=IDENTITY, token="x.y.z"))[:-8])
    try:
        wait_until(lambda: opened(worker) > 20, "the flood")
        with worker.connect() as c:
            assert c.ask(environ()).answer.status == 200
        seconds = worker.stop()
    finally:
        end(crowd)
    assert SANITIZED or seconds < STOP_SECONDS


def test_the_connection_provider_serves_and_stops_while_connections_never_cease(connectd):
    crowd = flood(connectd.socket, b"GET /proxy/orders HTTP/1.1\r\nHost: x\r\n")
    try:
        wait_until(lambda: opened(connectd) > 20, "the flood")
        assert connectd.admin("GET", "/connections").status == 200
        start = time.monotonic()
        connectd.process.send_signal(signal.SIGTERM)
        assert connectd.process.wait(10) == 0
        assert SANITIZED or time.monotonic() - start < 2.5
    finally:
        end(crowd)
        connectd.start()
    assert refusal(connectd.call("GET", "elsewhere")) == "connection_denied"
