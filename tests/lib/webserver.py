"""What all web servers of the tests have in common: one is started on a free port of 127.0.0.1, waited for, and stopped."""
import os
import shutil
import signal
import socket
import subprocess

from lib.client import Client
from lib.programs import ROOT, environment, tool, wait_until

PREFIX = "/postern"
DEPLOY = ROOT / "data/deploy"
# Apache does not run as root, so whatever a shipped configuration is tested with runs as this user where root runs the tests.
ACCOUNT = "www-data" if os.geteuid() == 0 else None


def as_user(name=ACCOUNT):
    """How subprocess is told to run something as this user; nothing for the caller's own."""
    return {"user": name, "group": name, "extra_groups": []} if name else {}


def give(path, name=ACCOUNT):
    """Makes a folder and all in it this user's."""
    if not name:
        return
    for folder, folders, files in os.walk(path):
        for entry in (".", *folders, *files):
            shutil.chown(os.path.join(folder, entry), name, name)


def reachable(path, home, name=ACCOUNT):
    """The file, or where the tree is closed to that user a copy of it in home."""
    if not name or all(os.stat(folder).st_mode & 0o001 for folder in path.parents):
        return path
    copy = home / path.name
    if not copy.exists():
        shutil.copy(path, copy)
        shutil.chown(copy, name, name)
    return copy


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class WebServer:
    """with Nginx(home, ...) as server: server.client(). A subclass says which program, with what configuration."""
    program = None
    count = 0
    stop_signal = signal.SIGTERM
    reload_signal = signal.SIGHUP

    def __init__(self, home, name=None, env=None, pages=None):
        """name: the user it runs as. pages: {path below its document root: the file to copy there}."""
        WebServer.count += 1
        self.binary = tool(self.program)
        self.account, self.env = name, env or {}
        self.home = home / f"{self.program}-{WebServer.count}"
        self.home.mkdir()
        self.root = self.home / "www"           # where documents and CGI scripts would be
        self.root.mkdir()
        for path, source in (pages or {}).items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, self.root / path)
        self.log_path = self.home / "error.log"
        self.log_path.touch()
        self.config_path = self.home / "server.conf"
        self.port = None
        for attempt in range(3):                # another process may take the free port first
            self.port = free_port()
            self.config_path.write_text(self.config(), encoding="utf-8")
            give(self.home, self.account)
            try:
                self.start()
                return
            except AssertionError:
                self.stop()
                if attempt == 2:
                    raise
            except BaseException:
                self.stop()
                raise

    def config(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.home,
                                            env=environment(**self.env), **as_user(self.account))
        wait_until(self.answers, f"{self.program} to answer")

    def answers(self):
        assert self.process.poll() is None, f"{self.program} ended with {self.process.returncode}:\n{self.log()}"
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except ConnectionRefusedError:
            return False
        return True

    def reload(self):
        """As an admin's reload: it reads its configuration anew and goes on serving."""
        self.process.send_signal(self.reload_signal)

    def restart(self):
        self.stop()
        self.start()

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""

    def client(self, prefix=PREFIX, **how):
        return Client("127.0.0.1", self.port, prefix, **how)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(20)           # Apache ends what it spawned, one step of patience after the other
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if kind is not None:
            print(f"---- log of {self.program}\n{self.log()}")
