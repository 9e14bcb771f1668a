"""What admins do while a site is in use, each over and over in a thread of its own: keys, settings, exports, checkpoints, pruning,
looking, and ending workers. What goes wrong in one ends the run."""
import json
import random
import signal
import subprocess
import threading
import time

from lib.programs import environment, program, wait_until
from lib.terminal import Console
from soak import shop
from soak.ring import GOING, GONE, VERIFIES

VERIFYING = ("active", "retiring")
KEYS_MAX = 3
GRACE_SECONDS = 4


class Task(threading.Thread):
    """work() every so many seconds until the run is over; then close()."""

    def __init__(self, run, every):
        super().__init__(daemon=True, name=type(self).__name__)
        self.soak, self.every, self.failed, self.turns = run, every, None, 0
        self.luck = random.Random(f"{run.seed}-{self.name}")
        self.over = run.over

    def work(self):
        raise NotImplementedError

    def close(self):
        """At the end of the run, in this thread."""

    def run(self):
        try:
            while not self.over.is_set():
                self.work()
                self.turns += 1
                self.over.wait(self.luck.uniform(0.5, 1.5) * self.every)
            self.close()
        except BaseException as e:       # pylint: disable=broad-except
            self.failed = e
            self.over.set()

    def ask(self, *args, allowed=(0,), **how):
        ran = self.soak.data.ask(*args, **how)
        assert ran.code in allowed, f"{self.name}: {ran}"
        return ran


# ---- keys ----

class Keys(Task):
    """Makes, rotates, retires and keeps keys, alone at it: whatever it asks for must be done. It counts them after each change."""
    site = shop.SITE

    def listed(self):
        rows = self.ask("key", "list", self.site, "--json").json
        verifying = {row["kid"]: row["state"] for row in rows if row["state"] in VERIFYING}
        assert len(verifying) <= KEYS_MAX, f"{len(verifying)} keys verify: {rows}"
        return verifying

    def knows(self, kid, secret):
        self.soak.data.secrets.add(secret)
        self.soak.ring.put(kid, secret=secret)

    def create(self):
        made = self.ask("key", "create", self.site, "--json").json
        self.knows(made["kid"], made["secret"])

    def bring(self):
        secret = "imported " + "%032x" % self.luck.getrandbits(128)
        made = self.ask("key", "import", self.site, "--json", stdin=secret).json
        self.knows(made["kid"], secret)

    def rotate(self, kid):
        self.soak.ring.put(kid, until=time.time() + GRACE_SECONDS)  # at the earliest
        made = self.ask("key", "rotate", self.site, kid, "--grace", f"{GRACE_SECONDS}s", "--json").json
        rows = self.ask("key", "list", self.site, "--json").json
        self.soak.ring.put(kid, until=next(row["retire_at"] for row in rows if row["kid"] == kid))
        self.knows(made["kid"], made["secret"])

    def retire_now(self, kid):
        self.soak.ring.put(kid, state=GOING)
        self.ask("key", "retire", self.site, kid, "--now", "--yes")
        self.soak.ring.put(kid, state=GONE)

    def retire_and_keep(self, kid):
        self.soak.ring.put(kid, until=time.time() + 60)
        self.ask("key", "retire", self.site, kid, "--in", "60s", "--yes")
        self.ask("key", "keep", self.site, kid)
        self.soak.ring.put(kid, until=None)

    def work(self):
        verifying = self.listed()
        active = [kid for kid, state in verifying.items() if state == "active" and kid in self.soak.ring.now(VERIFIES)]
        assert active, f"no key is active: {verifying}"
        kid = self.luck.choice(active)
        choices = []
        if len(verifying) < KEYS_MAX:
            choices += [self.create, self.bring, lambda: self.rotate(kid), lambda: self.rotate(kid)]
        else:
            full = self.ask("key", "create", self.site, "--json", allowed=(0, 1))
            if full.code == 0:                                      # one had come to its end meanwhile
                self.knows(full.json["kid"], full.json["secret"])
            else:
                assert "ring_full" in full.err, str(full)
        if len(active) > 1:
            choices += [lambda: self.retire_now(kid), lambda: self.retire_and_keep(kid), lambda: self.retire_now(kid)]
        if choices:
            self.luck.choice(choices)()
        self.listed()


class Crowd(Keys):
    """Four admins who do not know of each other fill the ring of the other site at once, a process each; then some keys go."""
    site = shop.OTHER

    def work(self):
        doing = [subprocess.Popen([program("postern"), "key", "create", self.site, "--json", "--data", str(self.soak.data.path)],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True)
                 for _ in range(4)]
        for process in doing:
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0 or (process.returncode == 1 and "ring_full" in err), (process.returncode, out, err)
            if process.returncode == 0:
                self.soak.data.secrets.add(json.loads(out)["secret"])
        verifying = self.listed()
        assert len(verifying) == KEYS_MAX, verifying
        for kid in self.luck.sample(sorted(verifying), self.luck.randint(1, KEYS_MAX)):
            self.ask("key", "retire", self.site, kid, "--now", "--yes")


# ---- settings, and looking ----

class Settings(Task):
    """Settings that change nothing for a visitor with a good token, and the same actions again and again."""

    def work(self):
        self.luck.choice([
            lambda: self.ask("site", "set", shop.SITE, "--name", f"Shop {self.turns}"),
            lambda: self.ask("site", "set", shop.SITE, self.luck.choice(["--require-exp", "--no-require-exp"])),
            lambda: self.ask("site", "set", shop.SITE, "--max-lifetime", self.luck.choice(["1h", "24h"])),
            lambda: self.ask("site", "set", shop.OTHER, "--plan", self.luck.choice(["free", "pro"])),
            lambda: self.ask("action", "import", shop.SITE, self.soak.actions_file),
            lambda: self.ask("site", "add", f"passing-{self.turns}"),
            lambda: [self.ask("site", "remove", row["site"], "--yes") for row in self.ask("site", "list", "--json").json
                     if row["site"].startswith("passing-")],
        ])()


class Looking(Task):
    """Programs that only look, or copy; each must find all in order."""

    def work(self):
        backup = self.soak.data.home / f"backup-{self.turns}"
        self.luck.choice([
            lambda: self.ask("doctor", "--socket", self.soak.steady_socket, allowed=(0, 1)),
            lambda: self.ask("audit", "stats", "--json"),
            lambda: self.ask("audit", "list", "--json"),
            lambda: self.ask("site", "list", "--json"),
            lambda: self.ask("audit", "export", "--outcome", "blocked", "--since", "-5s"),
            lambda: self.ask("document", "list", shop.SITE, "notes", "--json"),
            lambda: self.ask("backup", backup),
        ])()
        if backup.exists():
            ran = self.ask("audit", "verify", backup)
            assert "verified" in ran.out, str(ran)
            subprocess.run(["rm", "-r", str(backup)], check=True)


class Verify(Task):
    """The live log, while everything changes it."""

    def work(self):
        ran = self.ask("audit", "verify")
        assert "verified" in ran.out, str(ran)


class Screen(Task):
    """A person at the console, who goes from panel to panel and leaves all as it is."""
    TOUR = [("1", "[1 Sites]", ["Down", "Up"]), ("2", "[2 Keys]", ["Down", "Up"]), ("3", "[3 Live]", ["Up", "Up", "Enter", "Escape", "G"]),
            ("4", "[4 Audit]", ["PageUp", "Down", "Enter", "Escape", "G"]), ("5", "[5 Health]", ["Down", "PageDown"]), ("?", "─ Help", ["Escape"])]

    def __init__(self, run, every):
        super().__init__(run, every)
        self.console = Console(run.data, "--site", shop.SITE)

    def work(self):
        key, shown, more = self.TOUR[self.turns % len(self.TOUR)]
        self.console.press(key)
        self.console.wait_for(shown, 20)
        for key in more:
            self.console.press(key)
            self.console.read(0.05)

    def close(self):
        self.console.close()


# ---- the log's way out ----

class Follow(Task):
    """An export that follows, with a state: ended again and again, by SIGTERM or by SIGKILL, and begun again."""
    how = signal.SIGTERM

    def __init__(self, run, every):
        super().__init__(run, every)
        self.path = run.data.home / f"{self.name}.jsonl"
        self.state = run.data.home / f"{self.name}.state"
        self.process = None

    def start_one(self):
        with open(self.path, "ab") as out:
            self.process = subprocess.Popen(
                [program("postern"), "audit", "export", "--follow", "--state", str(self.state), "--data", str(self.soak.data.path)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, env=environment(), text=True)

    def end_one(self, how):
        if self.process.poll() is None:
            self.process.send_signal(how)
        _, err = self.process.communicate(timeout=30)
        assert self.process.returncode in ((-how,) if how == signal.SIGKILL else (0,)), f"{self.name} ended: {self.process.returncode} {err}"

    def work(self):
        if self.process:
            self.end_one(self.how)
            self.cut()
        self.start_one()

    def cut(self):
        """What was being written at a kill may be half a line: the next one begins on a line of its own, as a collector would see to."""

    def close(self):
        self.soak.settled.wait(60)               # the last record is there
        wait_until(lambda: self.last() == self.soak.size - 1, f"{self.name} to have it all", 30)
        self.end_one(signal.SIGTERM)

    def last(self):
        state = json.loads(self.state.read_text("ascii")) if self.state.exists() else {}
        return state.get("after", -1)


class FollowKilled(Follow):
    how = signal.SIGKILL

    def cut(self):
        text = self.path.read_bytes()
        if text and not text.endswith(b"\n"):
            self.path.write_bytes(text[:text.rfind(b"\n") + 1])


class Joined(Task):
    """Exports with a state that end by themselves, one after the other into one file: the whole log."""

    def __init__(self, run, every):
        super().__init__(run, every)
        self.path = run.data.home / "joined.jsonl"

    def work(self):
        ran = self.ask("audit", "export", "--state", self.soak.data.home / "joined.state")
        with open(self.path, "a", encoding="ascii") as out:
            out.write(ran.out)

    def close(self):
        self.soak.settled.wait(60)
        self.work()


class Checkpoints(Task):
    """One program that signs every second, ended now and then."""

    def __init__(self, run, every):
        super().__init__(run, every)
        self.path = run.data.home / "checkpoints"
        self.process, self.begun = None, 0

    def work(self):
        if self.process:
            self.close()
        self.begun = time.monotonic()
        with open(self.path, "ab") as out:
            self.process = subprocess.Popen([program("postern"), "audit", "checkpoint", "--every", "1s", "--data", str(self.soak.data.path)],
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, env=environment(), text=True)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        _, err = self.process.communicate(timeout=30)
        early = self.process.returncode == -signal.SIGTERM and time.monotonic() - self.begun < 2     # before it could heed it
        assert early or self.process.returncode == 0, f"checkpoint --every: {self.process.returncode} {err}"


class Prune(Task):
    """Keeps the youngest records only."""

    def work(self):
        self.ask("audit", "prune", "--before", f"-{self.soak.keep_seconds}s", "--yes", allowed=(0,) if self.turns else (0, 1))


# ---- the end of workers ----

class Ends(Task):
    """Ends the workers that are there to be ended, by SIGKILL or SIGTERM, and starts another at once."""

    def work(self):
        if not self.turns:
            return                       # let it begin first
        place = self.luck.choice(self.soak.mortal)
        how = self.luck.choice([signal.SIGKILL, signal.SIGTERM])
        self.soak.end_worker(place, how)
