"""postern-connectd as a program: its start, its two sockets and who may use them, what an admin does, what stays on disk, its end."""
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from lib.connectd import Connectd, refusal
from lib.programs import environment, program, wait_until
from lib.webserver import ACCOUNT, as_user

URL = "https://shop.example"
KEY = {"auth": {"type": "api_key", "in": "header", "name": "X-Key"}, "secret": {"api_key": "canary-of-the-key-1"}}


@pytest.fixture(scope="module")
def connectd():
    with Connectd() as c:
        yield c


@pytest.fixture(autouse=True)
def empty(request):
    if "connectd" in request.fixturenames:
        c = request.getfixturevalue("connectd")
        for one in c.admin("GET", "/connections").json["connections"]:
            assert c.admin("DELETE", f"/connections/{one['name']}").status == 200


def run(*options, **how):
    """connectd to its end: code and what it said."""
    done = subprocess.run([program("postern-connectd"), *map(str, options)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env=environment(), timeout=20, check=False, **how)
    return done.returncode, done.stderr


def names(connectd):
    return [one["name"] for one in connectd.admin("GET", "/connections").json["connections"]]


# ---- an admin ----

def test_add_list_rotate_remove(connectd):
    assert names(connectd) == []
    answer = connectd.add("shop", URL, ["GET /orders/{}"], expect=201, **KEY)
    assert answer.json["allow"] == ["GET /orders/{}"] and answer.json["state"] == "ok" and answer.json["ca"] is False
    connectd.add("crm", URL, [], expect=201)
    assert names(connectd) == ["crm", "shop"]
    assert connectd.show("shop") == answer.json
    connectd.secrets.add("canary-of-the-key-2")
    rotated = connectd.admin("POST", "/connections/shop/rotate", {"secret": {"api_key": "canary-of-the-key-2"}})
    assert rotated.status == 200 and rotated.json["rotated_at"] >= answer.json["created_at"]
    assert connectd.admin("DELETE", "/connections/shop").status == 200
    assert names(connectd) == ["crm"]
    assert not [p.name for p in (connectd.data / "connections").iterdir() if p.name.startswith("shop")]


def test_secrets_never_come_back_and_stand_nowhere_in_clear(connectd):
    connectd.add("shop", URL, ["GET /orders"], **KEY)
    connectd.secrets.add("canary-of-the-key-3")
    said = [connectd.admin("GET", "/connections"), connectd.admin("GET", "/connections/shop"),
            connectd.admin("PUT", "/connections/shop", {"base_url": URL, **KEY}),
            connectd.admin("POST", "/connections/shop/rotate", {"secret": {"api_key": "canary-of-the-key-3", "password": "x"}}),
            connectd.admin("POST", "/connections/shop/rotate", {"secret": {"api_key": "canary-of-the-key-3"}}),
            connectd.admin("POST", "/connections/shop/test")]
    assert [a.status for a in said] == [200, 200, 409, 400, 200, 200]
    assert not [a for a in said if "canary" in str(a)]
    connectd.check_nothing_leaked()


@pytest.mark.parametrize("method, path, document, status, error", [
    ("GET", "/connections/none", None, 404, "connection_unknown"),
    ("DELETE", "/connections/none", None, 404, "connection_unknown"),
    ("POST", "/connections/none/rotate", {"secret": {"api_key": "x"}}, 404, "connection_unknown"),
    ("POST", "/connections/none/test", None, 404, "connection_unknown"),
    ("PUT", "/connections/None", {"base_url": URL, **KEY}, 400, "connection_invalid"),
    ("PUT", "/connections/..%2fkey", {"base_url": URL, **KEY}, 400, "connection_invalid"),
    ("PUT", "/connections/new", {"base_url": "http://shop.example", **KEY}, 400, "connection_invalid"),
    ("PUT", "/connections/new", {"base_url": URL, "unknown": 1, **KEY}, 400, "connection_invalid"),
    ("PUT", "/connections/new", [], 400, "connection_invalid"),
    ("PUT", "/connections/new", None, 400, "connection_invalid"),
    ("PATCH", "/connections/new", None, 405, "method_not_allowed"),
    ("GET", "/elsewhere", None, 404, "not_found"),
    ("GET", "/proxy/orders", None, 404, "not_found"),
])
def test_what_an_admin_cannot_do(connectd, method, path, document, status, error):
    answer = connectd.admin(method, path, document)
    assert (answer.status, answer.json["error"]) == (status, error)
    assert status != 400 or answer.json["detail"]
    assert names(connectd) == []


def test_a_name_is_taken_once(connectd):
    connectd.add("shop", URL, ["GET /a"], **KEY)
    answer = connectd.admin("PUT", "/connections/shop", {"base_url": "https://other.example", **KEY})
    assert (answer.status, answer.json["error"]) == (409, "connection_exists")
    assert connectd.show("shop")["base_url"] == URL


def test_restart_keeps_what_was_added(connectd):
    connectd.add("shop", URL, ["GET /orders"], **KEY)
    before = connectd.show("shop")
    connectd.restart()
    assert connectd.show("shop") == before
    connectd.restart(kill=True)            # stale sockets are in the way of nobody
    assert connectd.show("shop") == before


# ---- the list ----

def test_no_list_no_calls(connectd):
    connectd.add("shop", URL, [], **KEY)
    connectd.add("nobody", URL, ["GET /orders"], sites=[], **KEY)
    assert refusal(connectd.call("GET", "orders")) == "connection_denied"
    assert refusal(connectd.call("GET", "orders", connection="nobody")) == "connection_denied"


def test_a_refusal_is_logged_with_its_path_and_without_its_query(connectd):
    connectd.add("shop", URL, ["GET /orders"], **KEY)
    assert refusal(connectd.call("GET", "customers/7?token=canary-query", Postern_Site="acme")) == "connection_denied"
    lines = [line for line in connectd.log().splitlines() if "/customers/7" in line]
    assert lines and "site acme" in lines[-1] and "connection shop" in lines[-1] and "GET" in lines[-1]
    assert "canary-query" not in connectd.log()


@pytest.mark.parametrize("headers", [
    {"Connection_Id": None}, {"Provider_Config_Key": None}, {"Postern_Site": None}, {"Postern_Site": "A B"}, {"Retries": "-1"},
    {"Postern_Timeout_Ms": "1e3"}, {"Postern_Answer_Max": ""}, {"Nango_Proxy_X-Key": "mine"}, {"Nango_Proxy_Authorization": "x"},
])
def test_a_request_that_is_none(connectd, headers):
    connectd.add("shop", URL, ["GET /orders"], **KEY)
    answer = connectd.call("GET", "orders", **headers)
    assert (answer.status, refusal(answer)) == (400, "request_malformed")


def test_attack_a_connection_named_twice(connectd):
    connectd.add("shop", URL, ["GET /orders"], **KEY)
    pairs = [("Connection-Id", "shop"), ("Connection-Id", "other"), ("Provider-Config-Key", "shop"), ("Postern-Site", "acme")]
    assert refusal(connectd.send(connectd.socket, "GET", "/proxy/orders", pairs)) == "request_malformed"


# ---- crowds ----

def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(str(path))
    return s


@pytest.mark.parametrize("door, places", [("admin_socket", 32), ("socket", 512)])
def test_attack_more_connections_at_once_than_there_are_places(connectd, door, places):
    """libmicrohttpd's own limit, reached by a burst, locks it up for ever: a call would wait for its timeout, and so would the end."""
    before = len(os.listdir(f"/proc/{connectd.pid}/fd"))
    os.kill(connectd.pid, signal.SIGSTOP)
    crowd = [connect(getattr(connectd, door)) for _ in range(places + 200)]
    os.kill(connectd.pid, signal.SIGCONT)
    wait_until(lambda: f"all {places} connections" in connectd.log(), "connectd to say that it is full")
    assert crowd[-1].recv(1) == b"", "one too many is closed"
    for s in crowd:
        s.close()
    wait_until(lambda: len(os.listdir(f"/proc/{connectd.pid}/fd")) <= before, "its descriptors to be closed")
    assert names(connectd) == []
    connectd.restart()


# ---- who may connect ----

TALK = ("import socket, sys; s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(sys.argv[1])\n"
        "try:\n s.sendall(b'GET /connections HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n'); sys.stdout.write(repr(s.recv(99)))\n"
        "except ConnectionError: sys.stdout.write(repr(b''))\n")


@pytest.mark.skipif(ACCOUNT is None, reason="only root can be somebody else")
@pytest.mark.parametrize("options, passes", [((), False), (("--admin-peer", "nobody", "--peer", "nobody"), True)])
def test_attack_another_user_is_closed_unanswered(options, passes):
    with Connectd(*options) as c:
        for path in (c.socket, c.admin_socket):
            os.chmod(path, 0o666)
            said = subprocess.run(["/usr/bin/python3", "-c", TALK, str(path)], capture_output=True, text=True, timeout=20, check=True,
                                  **{**as_user("www-data"), **({"user": "nobody", "group": "nogroup"} if passes else {})})
            assert (said.stdout != "b''") == passes, said.stdout
        assert passes or "was refused" in c.log()


# ---- its start and its end ----

def test_usage_is_one_line(tmp_path):
    for options in (["--colour"], ["--listen", "here"], ["--peer", "no-such-user"], ["--data"], ["--help=x"]):
        code, said = run(*options)
        assert code == 2 and said.count("\n") == 1 and options[0].split("=")[0] in said, (options, said)
    assert run("--version")[0] == 0 and run("--help")[0] == 0


def test_it_does_not_start_where_it_cannot(tmp_path):
    where = ["--data", tmp_path / "data", "--listen", tmp_path / "p", "--admin-listen", tmp_path / "a"]
    (tmp_path / "data").mkdir(mode=0o755)
    code, said = run(*where)
    assert code == 3 and "chmod 700" in said
    os.chmod(tmp_path / "data", 0o700)
    key = tmp_path / "data" / "connect.key"
    for size in (31, 33):
        key.write_bytes(bytes(size))
        os.chmod(key, 0o600)
        code, said = run(*where)
        assert code == 3 and "connect.key" in said
    key.unlink()
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(str(tmp_path / "p"))
        taken.listen()
        code, said = run(*where)
    assert code == 3 and "another process listens" in said


def test_its_files_are_its_own(connectd):
    connectd.add("shop", URL, [], **KEY)
    files = {str(p.relative_to(connectd.data)): p.stat().st_mode & 0o777 for p in connectd.data.rglob("*")}
    assert files == {"connect.key": 0o600, "connections": 0o700, "connections/shop": 0o600, "connections/shop.lock": 0o600}
    assert Path(connectd.socket).stat().st_mode & 0o777 == 0o660


def test_it_stops_within_2_s_though_clients_stay():
    with Connectd() as c, socket.socket(socket.AF_UNIX) as idle, socket.socket(socket.AF_UNIX) as half:
        idle.connect(str(c.socket))
        half.connect(str(c.admin_socket))
        half.sendall(b"PUT /connections/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert names(c) == []
        began = time.monotonic()
        c.process.send_signal(signal.SIGTERM)
        assert c.process.wait(5) == 0
        assert time.monotonic() - began < 2
        assert not c.socket.exists() and not c.admin_socket.exists()


def test_sockets_handed_over_are_told_apart_by_their_names(tmp_path):
    """As systemd hands them over, here in the order that is not ours."""
    start = ("import os, sys; os.environ['LISTEN_PID'] = str(os.getpid()); os.execv(sys.argv[1], sys.argv[1:])")
    listeners = []
    for name in ("admin", "proxy"):
        s = socket.socket(socket.AF_UNIX)
        s.bind(str(tmp_path / name))
        s.listen()
        listeners.append(s)

    def place():
        for at, s in enumerate([os.dup(s.fileno()) for s in listeners]):
            os.dup2(s, 3 + at)

    def begin(fd_names):
        env = environment(LISTEN_FDS="2", LISTEN_FDNAMES=fd_names)
        return subprocess.Popen(["/usr/bin/python3", "-c", start, program("postern-connectd"), "--data", str(tmp_path / "data")], env=env,
                                preexec_fn=place, pass_fds=(3, 4), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    process = begin("admin:proxy")
    try:
        answer = Connectd.send(tmp_path / "admin", "GET", "/connections")
        assert answer.json == {"connections": []}
        assert refusal(Connectd.send(tmp_path / "proxy", "GET", "/connections")) == "request_malformed"
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.communicate()
    process = begin("admin:other")
    assert process.wait(10) == 3 and "FileDescriptorName=proxy" in process.communicate()[1]
