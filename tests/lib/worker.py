"""A real postern-fcgi on a data directory."""
import re
import signal
import subprocess
import time
from pathlib import Path

from lib.fastcgi import Connection
from lib.programs import SANITIZED, USER, environment, program, wait_until
from lib.webserver import as_user, reachable

STOP_SECONDS = 2.0
LOG_LINE = re.compile(r"<[0-7]>\S.*")


def listening(path):
    """Is a Unix socket of this path listening? Asked of the kernel, so that the worker sees no stray connection."""
    with open("/proc/net/unix", encoding="utf-8") as f:
        for line in f:
            field = line.split()
            if len(field) == 8 and field[7] == str(path) and int(field[3], 16) & 0x10000:
                return True
    return False


class Worker:
    """with Worker(data, "--audit-budget", "0", threads=4) as w: ... At the end it must stop, cleanly and in time.

    threads: None leaves their number to it. handed: a listening socket that it is given as descriptor 0, and may share with
    others; `socket` then is its path."""
    count = 0

    def __init__(self, data, *options, threads=4, peer=USER, env=None, account=None, socket=None, handed=None):
        Worker.count += 1
        self.data = data
        self.socket = socket or data.home / f"fcgi-{Worker.count}.sock"
        self.log_path = data.home / f"worker-{Worker.count}.log"
        binary = reachable(Path(program("postern-fcgi")), data.home, account)
        args = [str(binary), "--data", str(data.path), *([] if handed else ["--listen", str(self.socket)]),
                *(["--threads", str(threads)] if threads else []), *(["--peer", peer] if peer else []), *map(str, options)]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(args, stdin=handed or subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=environment(**(env or {})), **as_user(account))
        try:
            wait_until(self.ready, "the worker to listen", 20)
        except BaseException:
            self.kill()
            raise

    def ready(self):
        assert self.process.poll() is None, f"the worker ended with {self.process.returncode}:\n{self.log()}"
        return listening(self.socket)

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def connect(self):
        """A raw FastCGI connection to its socket."""
        return Connection(self.socket)

    def stop(self, how=signal.SIGTERM):
        """Asks it to stop; it must end with 0 in time, with a log fit to be read. Returns the seconds it took."""
        if self.process.returncode is not None:
            return 0.0
        start = time.monotonic()
        self.process.send_signal(how)
        try:
            code = self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the worker did not stop within 15 s:\n{self.log()}") from None
        seconds = time.monotonic() - start
        assert code == 0, f"the worker ended with {code}:\n{self.log()}"
        # A sanitizer's own search for leaks at the end is not the worker's time.
        assert SANITIZED or seconds < STOP_SECONDS, f"stopping took {seconds:.2f} s:\n{self.log()}"
        self.check_log()
        return seconds

    def check_log(self):
        """One line per event with a priority; no token, no secret, no clear email."""
        log = self.log()
        for line in log.splitlines():
            assert LOG_LINE.fullmatch(line), f"not a log line: {line}\n{log}"
        for text in self.data.secrets | self.data.emails:
            assert text not in log, f"the log says what it must not: {text}\n{log}"

    def kill(self):
        """SIGKILL: what a crash leaves behind. What a sanitizer found before is not lost with it."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert "WARNING: ThreadSanitizer" not in self.log(), self.log()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.kill()
            print(f"---- log of the worker\n{self.log()}")
