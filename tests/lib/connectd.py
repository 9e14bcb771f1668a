"""A real postern-connectd with data and sockets of a test's own, asked over both sockets by a client that sends exactly what a test says."""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from lib.client import Answer
from lib.programs import SANITIZER_EXIT, USER, environment, program, wait_until
from lib.webserver import as_user, give, reachable
from lib.worker import listening

STOP_SECONDS = 10
ERROR = "Postern-Connect-Error"


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket, with any path: what a client may not send is the server's business."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def _validate_path(self, url):
        pass


def refusal(answer):
    """The code by which connectd itself refused, None for an answer of the upstream."""
    code = answer.header(ERROR)
    if code is not None:
        assert answer.json == {"error": code}, str(answer)
    return code


class Connectd:
    """with Connectd() as c: c.add("shop", url, ["GET /orders/{}"]); c.call("GET", "orders/1"). At the end it must stop, cleanly."""

    def __init__(self, *options, account=None, env=None):
        self.home = Path(tempfile.mkdtemp(prefix="postern-connect-"))
        self.data = self.home / "data"
        self.data.mkdir(mode=0o700)
        self.socket, self.admin_socket = self.home / "proxy.sock", self.home / "admin.sock"
        self.log_path = self.home / "connectd.log"
        self.options, self.account, self.env = options, account, env or {}
        self.secrets = set()                # in no log and no file in clear
        self.process = None
        os.chmod(self.home, 0o755)
        give(self.data, account)
        if account:
            self.binary = reachable(Path(program("postern-connectd")), self.home, account)
            os.chmod(self.home, 0o777)      # it makes its sockets there
        else:
            self.binary = Path(program("postern-connectd"))
        self.start()

    def start(self):
        args = [str(self.binary), "--data", str(self.data), "--listen", str(self.socket), "--admin-listen", str(self.admin_socket),
                "--peer", USER, "--admin-peer", USER, *map(str, self.options)]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(**self.env),
                                            **as_user(self.account))
        try:
            wait_until(self.ready, "connectd to listen", 20)
        except BaseException:
            self.kill()
            raise

    def ready(self):
        assert self.process.poll() is None, f"connectd ended with {self.process.returncode}:\n{self.log()}"
        return listening(self.socket) and listening(self.admin_socket)

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    # ---- the admin socket ----

    def admin(self, method, path, document=None, timeout=30):
        body = None if document is None else json.dumps(document).encode()
        return self.send(self.admin_socket, method, path, [("Content-Type", "application/json")] if body else [], body, timeout)

    def add(self, name, base_url, allow, expect=None, **more):
        """A connection that may reach this machine and has no credential, unless told otherwise. secret: {...} as the admin sends it."""
        self.secrets |= {text for text in more.get("secret", {}).values() if len(text) > 7}
        settings = {"provider": name, "base_url": base_url, "sites": ["acme"], "allow": allow, "auth": {"type": "none"},
                    "private": ["127.0.0.0/8"], "http": base_url.startswith("http:"), **more}
        answer = self.admin("PUT", f"/connections/{name}", {k: v for k, v in settings.items() if v is not None})
        assert answer.status == expect if expect else answer.status in (200, 201, 204), str(answer)
        return answer

    def show(self, name):
        answer = self.admin("GET", f"/connections/{name}")
        assert answer.status == 200, str(answer)
        return answer.json

    # ---- the proxy socket ----

    def call(self, method, path, connection="shop", body=None, timeout=60, **headers):
        """One call. Headers in Python's spelling: Nango_Proxy_X=..., Postern_Site=None leaves the usual one out."""
        names = {"Connection-Id": connection, "Provider-Config-Key": connection, "Postern-Site": "acme",
                 **{name.replace("_", "-"): value for name, value in headers.items()}}
        pairs = [(name, str(value)) for name, value in names.items() if value is not None]
        return self.send(self.socket, method, f"/proxy/{path}", pairs, body, timeout)

    @staticmethod
    def send(path, method, target, headers=(), body=None, timeout=60):
        """Sends these headers in order, with a Host and, where there is a body, a Content-Length."""
        connection = UnixConnection(path, timeout)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            body = body.encode() if isinstance(body, str) else body
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def raw(self, data, timeout=20):
        """Sends these bytes over the proxy socket and returns what comes back until it closes."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(timeout)
            s.connect(str(self.socket))
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            pieces = []
            try:
                while piece := s.recv(65536):
                    pieces.append(piece)
            except ConnectionError:
                pass
            return b"".join(pieces)

    # ---- what it holds ----

    def peak(self):
        """The most memory it ever had, in bytes."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as f:
            return 1024 * int(next(line.split()[1] for line in f if line.startswith("VmHWM:")))

    def helpers(self):
        """The pids of programs that it started on its data and that still run (a refresh outlives it on purpose)."""
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if pid != self.pid and self.is_helper(pid)]

    def is_helper(self, pid):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return b"--refresh" in words and os.fsencode(self.data) in words

    # ---- its end ----

    def kill(self):
        """SIGKILL: what a crash leaves behind."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"connectd did not stop within {STOP_SECONDS} s:\n{self.log()}") from None
        assert code == 0, f"connectd ended with {code} ({SANITIZER_EXIT}: a sanitizer's finding):\n{self.log()}"

    def restart(self, kill=False):
        if kill:
            self.kill()
        else:
            self.stop()
        self.start()

    def check_nothing_leaked(self):
        """No secret in its log, nor in clear in any of its files."""
        for path in [self.log_path, *self.data.rglob("*")]:
            if path.is_file():
                content = path.read_bytes()
                found = [text for text in self.secrets if text.encode() in content]
                assert not found, f"{path} has {found}"

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.stop()
                wait_until(lambda: not self.helpers(), "the refreshes to end", 40)
                self.check_nothing_leaked()
            else:
                print(f"---- log of connectd\n{self.log()}")
        finally:
            self.kill()
            for pid in self.helpers():
                os.kill(pid, signal.SIGKILL)
            shutil.rmtree(self.home, ignore_errors=True)
