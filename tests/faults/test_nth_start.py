"""The Nth call fails while a worker starts: it serves, or it ends with 3 and one line that says why."""
import signal
import subprocess

import pytest

from lib import notes
from lib.nth import SLOW, Nth
from lib.programs import environment, program, wait_until
from lib.worker import LOG_LINE, listening

pytestmark = pytest.mark.tree("plain")

KINDS = ["memory", "write", "read", "map", "open", "thread", "epoll", "change", "look"] if SLOW else ["memory", "open", "thread"]


@pytest.fixture
def site(data):
    return data.add_site(notes.SITE, actions=notes.ACTIONS)


class Started:
    """A worker that may not come to listen."""
    def __init__(self, data, nth):
        self.socket, self.log_path = data.home / "start.sock", data.home / "start.log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([program("postern-fcgi"), "--data", str(data.path), "--listen", str(self.socket), "--threads", "2"],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(**nth.env))
        wait_until(lambda: self.process.poll() is not None or listening(self.socket), "the worker to listen or to end", 20)

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace")


def serves(started, site, fault):
    """Listening is not yet serving: the threads may still be made."""
    def asked():
        if started.process.poll() is not None:
            return "ended"
        try:
            answer = notes.act(started, "create_note", {"text": "x"}, site.token())
        except (ConnectionError, FileNotFoundError, AssertionError):
            return None
        except TimeoutError:
            raise AssertionError(f"{fault}: a request was forgotten\n{started.log()}") from None
        return "served" if answer.status == 200 else None
    started.connect = lambda: notes.fastcgi.Connection(started.socket, 5)
    return wait_until(asked, "the worker to serve or to end") == "served"


def check_end(started, fault):
    code, log = started.process.wait(10), started.log()
    lines = log.splitlines()
    assert code == 3 and lines, f"{fault}: ended with {code}\n{log}"
    assert all(LOG_LINE.fullmatch(line) for line in lines), f"{fault}: {log}"
    said = [line for line in lines if line.startswith("<3>")]
    assert len(said) == 1 and len(said[0].split(": ", 1)[-1]) > 5, f"{fault}: no reason: {log}"


@pytest.mark.limit(1800 if SLOW else 60)
def test_a_start(data, site):
    nth, served, ended = Nth(data).only_ours(), 0, 0
    for kind in KINDS:
        for fault in nth.every(kind, few=1):
            with fault:
                started = Started(data, nth)
                try:
                    up = listening(started.socket) and serves(started, site, fault)
                finally:
                    nth.disarm()
                    if started.process.poll() is None:
                        started.process.send_signal(signal.SIGTERM)
            if up:
                served += 1
                assert started.process.wait(10) == 0, f"{fault}: {started.log()}"
            else:
                ended += 1
                check_end(started, fault)
            assert up or fault.hit, f"{fault}: {started.log()}"
    print(f"{served} served, {ended} did not start")
    assert served > len(KINDS) and ended > len(KINDS)
