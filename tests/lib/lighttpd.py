"""A real lighttpd in front of a worker, on a free port of 127.0.0.1."""
import json
import socket
import subprocess

from lib.client import Client
from lib.programs import environment, tool, wait_until

PREFIX = "/postern"
CONFIG = """
server.modules = ( "mod_setenv", "mod_fastcgi" )
server.document-root = {root}
server.upload-dirs = ( {root} )
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = {log}
server.max-request-size = 1024
{environment}
fastcgi.server = ( "{prefix}" => (( "socket" => {socket}, "check-local" => "disable" )) )
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Lighttpd:
    """with Lighttpd(worker, POSTERN_SITE="acme") as server: the named parameters are set by the server for each request."""
    count = 0

    def __init__(self, worker, **parameters):
        Lighttpd.count += 1
        home = worker.data.home
        self.binary = tool("lighttpd")
        self.root = home / f"www-{Lighttpd.count}"
        self.root.mkdir()
        self.log_path = home / f"lighttpd-{Lighttpd.count}.log"
        self.config_path = home / f"lighttpd-{Lighttpd.count}.conf"
        for attempt in range(3):                # another process may take the free port first
            self.port = free_port()
            self.write_config(worker, parameters)
            with open(self.log_path, "ab") as log:
                self.process = subprocess.Popen([self.binary, "-D", "-f", str(self.config_path)], stdin=subprocess.DEVNULL,
                                                stdout=log, stderr=log, env=environment())
            try:
                wait_until(self.answers, "lighttpd to answer")
                return
            except AssertionError:
                self.stop()
                if attempt == 2:
                    raise

    def write_config(self, worker, parameters):
        pairs = ", ".join(f"{json.dumps(name)} => {json.dumps(str(value))}" for name, value in parameters.items())
        text = CONFIG.format(root=json.dumps(str(self.root)), port=self.port, log=json.dumps(str(self.log_path)), prefix=PREFIX,
                             socket=json.dumps(str(worker.socket)),
                             environment=f"setenv.set-environment = ( {pairs} )" if pairs else "")
        self.config_path.write_text(text, encoding="utf-8")

    def answers(self):
        assert self.process.poll() is None, f"lighttpd ended with {self.process.returncode}:\n{self.log()}"
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except ConnectionRefusedError:
            return False
        return True

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""

    def client(self, prefix=PREFIX):
        return Client("127.0.0.1", self.port, prefix)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if kind is not None:
            print(f"---- log of lighttpd\n{self.log()}")
