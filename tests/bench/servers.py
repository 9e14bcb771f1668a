"""What the measurements behind a web server share: an nginx with one worker, the null responder, and wrk as the load."""
import os
import re
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from lib.fastcgi import Connection, ask, environ
from lib.nginx import Nginx
from lib.programs import environment, program, tool, wait_until
from lib.shipped import include
from lib.webserver import PREFIX
from lib.worker import listening

TICKS = os.sysconf("SC_CLK_TCK")


class Front(Nginx):
    """nginx with one worker process and the shipped configuration, before this socket."""

    def __init__(self, home, socket):
        upstream = include("nginx", "postern-upstream.conf", home, socket)
        super().__init__(home, f"include {upstream};", f"include {include('nginx', 'postern.conf', home)};")

    def config(self):
        text = super().config()
        for usual, ours in (("worker_processes 2;", "worker_processes 1;" + ("user root root;" if os.geteuid() == 0 else "")),
                            ("worker_connections 256;", "worker_connections 4096;")):
            assert text.count(usual) == 1, f"tests/lib/nginx.py no longer says {usual}"
            text = text.replace(usual, ours)
        return text

    @property
    def worker_pid(self):
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        children = wait_until(lambda: path.read_text(encoding="ascii").split(), "nginx's worker")
        assert len(children) == 1, f"nginx has {len(children)} processes besides its first"
        return int(children[0])


class NullResponder:
    """tests/bench/null-responder, sending these bytes. A thread for each connection, as libfcgi's own loop wants it."""
    count = 0

    def __init__(self, home, answer, threads):
        NullResponder.count += 1
        self.socket = home / f"null-{NullResponder.count}.sock"
        path = home / f"null-{NullResponder.count}.answer"
        path.write_bytes(answer)
        self.process = subprocess.Popen([program("tests/bench/null-responder"), str(self.socket), str(threads), str(path)],
                                        stdin=subprocess.DEVNULL, env=environment())
        wait_until(self.ready, "the null responder to listen")

    def ready(self):
        assert self.process.poll() is None, f"the null responder ended with {self.process.returncode}"
        return listening(self.socket)

    @property
    def pid(self):
        return self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Commits:
    """tests/bench/commits, making as many commits a second as wanted, of so many pages, for as long as the context lasts."""

    def __init__(self, home, rate, pages):
        self.command = [program("tests/bench/commits"), str(home / "commits"), str(max(1, round(rate))), str(max(1, round(pages)))]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, env=environment())
        return self

    def __exit__(self, *_):
        ended = self.process.poll()
        self.process.terminate()
        self.process.wait()
        assert ended is None, f"{self.command} ended with {ended}"


def written_bytes(folder):
    """What the disk that holds this folder has been given since the machine started; 0 where it is no disk. (A process's own
    write_bytes counts the whole large page of the cache that a small write falls into.)"""
    device = os.stat(folder).st_dev
    stat = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat")
    return 512 * int(stat.read_text(encoding="ascii").split()[6]) if stat.exists() else 0


def cpu_seconds(pid):
    """What all threads of a process have used, in user and kernel mode."""
    rest = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(rest[11]) + int(rest[12])) / TICKS


# ---- requests ----

@dataclass
class Ask:
    """One request of the load, sent again and again, and the status of every answer."""
    method: str
    path: str
    token: str
    status: int = 200
    body: str = ""

    def raw_answer(self, worker):
        """Postern's answer to it as FastCGI's stdout has it, the status checked."""
        body = self.body.encode()
        with Connection(worker.socket) as c:
            reply = c.ask(environ(self.method, self.path, self.token, body), body)
        assert reply.answer.status == self.status, \
            f"{self.method} {self.path}: {reply.answer.status}, not {self.status}: {reply.stdout}"
        return reply.stdout

    def script(self):
        lines = [f'wrk.method = "{self.method}"', f'wrk.headers["Authorization"] = "Bearer {self.token}"']
        if self.body:
            lines += ['wrk.headers["Content-Type"] = "application/json"', f"wrk.body = [==[{self.body}]==]"]
        return "\n".join([*lines, DONE])


DONE = """
done = function(summary, latency, requests)
	local e = summary.errors
	io.write(string.format("RESULT requests=%d duration=%d connect=%d read=%d write=%d status=%d timeout=%d p50=%d p99=%d\\n",
		summary.requests, summary.duration, e.connect, e.read, e.write, e.status, e.timeout,
		latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass
class Sample:
    requests: int
    rate: float             # answers a second
    cpu_us: float           # of nginx's worker and the backend, an answer
    p50_ms: float
    p99_ms: float
    parts: dict = field(default_factory=dict)        # cpu_us by process


class Target:
    """A backend with its own nginx before it."""

    def __init__(self, backend, front, home):
        self.backend, self.front = backend, front
        self.pids = {"nginx": front.worker_pid, "backend": backend.pid}
        self.script = home / f"load-{front.port}.lua"
        self.answered = 0

    def load(self, script, connections, seconds, path, refused=False):
        """wrk for so long. refused: every answer's status is 400 or more; else none is."""
        self.script.write_text(script, encoding="utf-8")
        command = [tool("wrk"), "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "20s", "-s", str(self.script),
                   f"http://127.0.0.1:{self.front.port}{PREFIX}{path}"]
        before = {name: cpu_seconds(pid) for name, pid in self.pids.items()}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment(), timeout=seconds + 60)
        used = {name: cpu_seconds(pid) - before[name] for name, pid in self.pids.items()}
        found = re.search(r"^RESULT (.*)$", done.stdout, re.M)
        assert done.returncode == 0 and found, f"wrk ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        r = {name: int(value) for name, value in (pair.split("=") for pair in found.group(1).split())}
        assert not any(r[kind] for kind in ("connect", "read", "write", "timeout")), f"connections failed: {r}\n{self.front.log()}"
        assert r["requests"] > 0 and r["status"] == (r["requests"] if refused else 0), \
            f"answers of another status: {r}\n{self.front.log()}"
        self.answered += r["requests"]
        n = r["requests"]
        return Sample(n, n / (r["duration"] / 1e6), 1e6 * sum(used.values()) / n, r["p50"] / 1000, r["p99"] / 1000,
                      {name: 1e6 * seconds / n for name, seconds in used.items()})

    def ask(self, request, connections, seconds):
        return self.load(request.script(), connections, seconds, request.path, refused=request.status >= 400)


def metrics(worker):
    """{name with labels: value} of the worker's /v1/metrics."""
    text = ask(worker, path="/v1/metrics", POSTERN_METRICS="1").body.decode()
    rows = [line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in rows}


def settled(worker):
    """The worker's metrics once what wrk left behind when its time was over is answered too."""
    def still():
        first = metrics(worker)
        time.sleep(0.05)
        now = metrics(worker)
        # Each look is an answer itself.
        quiet = sum(v for n, v in now.items() if n.startswith("postern_answers_total")) == \
            sum(v for n, v in first.items() if n.startswith("postern_answers_total")) + 1
        return now if quiet and now["postern_jobs_queued"] == 0 else None
    return wait_until(still, "the worker to have answered all")
