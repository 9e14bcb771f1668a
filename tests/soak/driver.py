"""A run: four workers, clients, admins, a console and exports on one data directory at once, for as long as one likes, and then the books.

Two workers have a socket each, two share one; one of each kind lives as long as the run and must not grow, the others are ended again
and again. At the end everything is asked: see books.py for what must be true, admins.py for what each admin expects of what it does."""
import multiprocessing
import os
import signal
import socket
import threading
import time

from lib.datadir import DataDir
from lib.programs import wait_until
from lib.worker import Worker
from soak import admins, books, clients, shop
from soak.ring import Ring
from soak.samples import Sampler, descriptors

PROCESSES = 4
REFUSED_MAX = 0.01                 # of all answers may be 503: a commit that waited for 2 s
STEADY_SHARED, STEADY = "shared", "alone"
processes = multiprocessing.get_context("fork")

# What may grow, from the end of the warm-up to the end of the run.
MAY_GROW = {"KiB": 1024, "fds": 1.0, "slots": 1.0}
LEDGER_MAY_GROW = 0.1              # of the pages in use for each record that is kept: how many are kept is the clients' and the pruning's pace


class Run:
    def __init__(self, data, seconds, rate, seed):
        self.data, self.seconds, self.rate, self.seed = data, seconds, rate, seed
        self.over, self.settled, self.size = threading.Event(), threading.Event(), 0
        self.keep_seconds = max(5, min(60, int(seconds / 5)))
        self.ends, self.workers, self.mortal = [], {}, ["mortal", "shared mortal"]
        self.actions_file = data.file("actions.json", shop.ACTIONS)
        data.add_site(shop.SITE, key=False, actions=shop.ACTIONS, documents=shop.DOCUMENTS)
        data.add_site(shop.OTHER, key=False, actions=shop.ACTIONS)
        data.emails |= {shop.email(v) for v in range(shop.VISITORS)}
        self.ring = Ring(data.home / "ring.json")
        made = data.run("key", "create", shop.SITE, "--json").json
        self.ring.put(made["kid"], secret=made["secret"])
        data.secrets.add(made["secret"])
        data.run("audit", "checkpoint")
        self.shared = socket.socket(socket.AF_UNIX)
        self.shared.bind(str(data.home / "shared.sock"))
        self.shared.listen(128)

    @property
    def steady_socket(self):
        return self.workers[STEADY].socket

    # ---- workers ----

    def start_worker(self, place):
        how = {"handed": self.shared, "socket": self.data.home / "shared.sock"} if "shared" in place else \
            {"socket": self.data.home / f"{place}.sock"}
        self.workers[place] = Worker(self.data, "--audit-budget", "0", threads=4, **how)

    def end_worker(self, place, how):
        worker, name = self.workers[place], "shared" if "shared" in place else place
        try:
            if how == signal.SIGKILL:
                worker.kill()
            else:
                worker.stop(how)
        finally:
            self.ends.append((name, time.time()))
        self.start_worker(place)

    # ---- the run ----

    def run(self):
        for place in (STEADY, STEADY_SHARED, *self.mortal):
            self.start_worker(place)
        self.at_rest = {place: descriptors(self.workers[place].pid) for place in (STEADY, STEADY_SHARED)}
        until = time.time() + self.seconds
        sockets = [(STEADY, self.data.home / f"{STEADY}.sock"), ("mortal", self.data.home / "mortal.sock"),
                   ("shared", self.data.home / "shared.sock")]
        paths = [self.data.home / f"client-{i}.jsonl" for i in range(PROCESSES)]
        crowd = [processes.Process(target=clients.main, args=(
            i, sockets, self.ring.path, range(i, shop.VISITORS, PROCESSES), paths[i], self.rate / PROCESSES, self.seed, until))
            for i in range(PROCESSES)]
        for process in crowd:
            process.start()
        quick = self.seconds < 60
        tasks = [admins.Keys(self, 0.7), admins.Crowd(self, 3.0), admins.Settings(self, 0.8), admins.Looking(self, 2.0),
                 admins.Verify(self, 2.5), admins.Screen(self, 0.7), admins.Follow(self, 4.0), admins.FollowKilled(self, 4.0),
                 admins.Joined(self, 1.0), admins.Checkpoints(self, 9.0), admins.Prune(self, 1.5 if quick else 8.0),
                 admins.Ends(self, 2.0 if quick else 5.0)]
        screen = next(task for task in tasks if isinstance(task, admins.Screen))
        steady = {STEADY: self.workers[STEADY].pid, STEADY_SHARED: self.workers[STEADY_SHARED].pid, "console": screen.console.pid}
        self.sampler = Sampler(self.data, steady, self.over, max(0.5, min(5.0, self.seconds / 40)))
        for thread in (self.sampler, *tasks):
            thread.start()
        try:
            self.over.wait(max(0.0, until - time.time()))
        finally:
            self.over.set()
            self.finish(crowd, tasks)
        return self.check(paths, tasks)

    def finish(self, crowd, tasks):
        """The clients first, then the workers, then whatever copies the log: it has all of it."""
        cut_short = any(thread.failed for thread in (self.sampler, *tasks))
        for process in crowd:
            process.join(0 if cut_short else 60)
            if process.is_alive():
                process.kill()
                process.join()
                assert cut_short, "a client process did not end"
        settling = [task for task in tasks if isinstance(task, (admins.Follow, admins.Joined))]
        for task in tasks:
            if task not in settling:
                task.join(90)
        self.sampler.join(30)
        try:
            self.check_rest()
            for worker in self.workers.values():
                worker.stop()
            self.data.run("audit", "checkpoint")
            self.size = self.data.run("audit", "list", "--json").json[-1]["seq"] + 1
        finally:
            self.settled.set()
            for task in settling:
                task.join(90)
            for worker in self.workers.values():
                if worker.process.poll() is None:
                    worker.kill()
            self.shared.close()
        for thread in (self.sampler, *tasks):
            if thread.failed:
                raise thread.failed
            assert not thread.is_alive(), f"{thread.name} did not end"

    def check_rest(self):
        """Without clients the workers that lived all the time have the sockets they began with."""
        for place, (_, sockets) in self.at_rest.items():
            worker = self.workers[place]
            wait_until(lambda pid=worker.pid, most=sockets: descriptors(pid)[1] <= most, f"{place} to have {sockets} sockets again", 20)

    # ---- the books ----

    def check(self, paths, tasks):
        """Returns the figures."""
        rows, visitors, problems = books.read_clients(paths)
        assert not problems, "\n".join(problems)
        task = {type(t).__name__: t for t in tasks}
        lines = task["Joined"].path.read_text(encoding="ascii").splitlines()
        records = books.check_joined(lines)
        again = {name: books.check_followed(task[name].path.read_text("ascii").splitlines(), lines, name == "FollowKilled")
                 for name in ("Follow", "FollowKilled")}
        signed = books.notes_of(task["Checkpoints"].path.read_text(encoding="utf-8"))
        books.check_notes(lines, signed)
        assert "verified" in self.data.run("audit", "verify").out
        excused = books.check_answers(rows, records, self.ends)
        lost = [row for row in rows if row.status is None]
        strange = books.check_strangers(rows, records, len(lost))
        listed = self.data.run("document", "list", shop.SITE, "notes", "--json").json
        books.check_deeds(rows, records, visitors, {row["id"]: (row["owner"], row["data"]) for row in listed})
        books.check_slots(rows, records)
        races = books.check_conversations(rows)
        busy = [row for row in rows if row.status == 503]
        assert len(busy) <= REFUSED_MAX * len(rows), f"{len(busy)} of {len(rows)} were answered 503: {set(row.code for row in busy)}"
        forged = [row for row in rows if row.kind in ("forged", "expired", "retired", "other_site")]
        assert forged and not [row for row in forged if row.status == 200]
        kills = len(self.ends)
        self.data.check_lines = False        # pruned: the joined export was looked at instead
        return {"seconds": self.seconds, "requests": len(rows), "answered": len(rows) - len(lost), "without_answer": len(lost),
                "done_without_answer": strange, "503": len(busy), "bad_tokens": len(forged), "records": len(lines),
                "records_without": excused, "workers_ended": kills, "checkpoints": len(signed), "again_after_kill": again["FollowKilled"],
                "conversations_raced": races, "turns": {t.name: t.turns for t in tasks}}

    def check_growth(self):
        """What was sampled is flat after the warm-up."""
        rows = self.sampler.warm()
        for column in rows[0]:
            unit = column.rsplit(" ", 1)[-1]
            if unit in MAY_GROW and column != "all slots":
                grown = self.sampler.growth(column)
                assert grown <= MAY_GROW[unit], f"{column} grew by {grown:.1f}\n{self.sampler.table()}"
        used = self.sampler.growth("used/1000") / max(1.0, rows[0]["used/1000"])
        assert used <= LEDGER_MAY_GROW, f"the ledger's pages for each record grew by {used:.1%}\n{self.sampler.table()}"


def soak(seconds, rate=300, seed=None, flat=True):
    """A whole run, in a data directory of its own. Returns its figures and the table of samples."""
    seed = int(os.environ.get("POSTERN_SEED") or time.time()) if seed is None else seed
    print(f"POSTERN_SEED={seed}", flush=True)
    with DataDir() as data:
        run = Run(data, seconds, rate, seed)
        figures = run.run()
        if flat:
            run.check_growth()
        return figures, run.sampler.table()
