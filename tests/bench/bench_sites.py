"""Target 4 of the measurements: a million sites with three keys each, against one site."""
import subprocess
import time

from bench_worker import rss
from lib import tokens
from lib.datadir import DataDir
from lib.programs import environment
from lib.worker import Worker
from run import interleaved, median, ratio
from servers import DONE, Front, Target, settled

METHOD = """Two workers, each on its own data directory behind its own nginx (one worker process, the shipped configuration):
one directory has 1,000,000 sites with 3 keys each (tests/bench/make-sites.c), the other has one site with 3. wrk asks for
identities over 32 connections; each request has another of 20,000 tokens, of as many sites spread over all of them by random
order, and of the one site there; the Lua that picks them is the same. The two take turns, 2 s a round, after a round of each
that does not count; the ratio is the median of the rounds'. RssAnon is the worker's own memory after it all; the pages of the
vault that it read are the system's (RssFile)."""

SITES = 1_000_000
KEYS = 3
TOKENS = 20_000
CONNECTIONS = 32
ROUNDS = 5
SECONDS = 2

PICK = """
local at, count = 0, 0
local request_of = {}
for line in io.lines("%s") do
	local site, token = line:match("^(%%S+) (%%S+)$")
	count = count + 1
	request_of[count] = "GET /postern/v1/sites/" .. site .. "/identity HTTP/1.1\\r\\nHost: localhost\\r\\nAuthorization: Bearer " ..
		token .. "\\r\\n\\r\\n"
end
math.randomseed(1)
for i = count, 2, -1 do
	local j = math.random(i)
	request_of[i], request_of[j] = request_of[j], request_of[i]
end
request = function()
	at = at %% count + 1
	return request_of[at]
end
"""


def make_sites(env, data, sites, shown):
    """[(site, kid, secret)]: one key each of so many of the sites."""
    done = subprocess.run([env.program("make-sites"), str(data.path), str(sites), str(KEYS), str(shown)], capture_output=True,
                          text=True, check=False, env=environment(), timeout=900)
    assert done.returncode == 0, f"make-sites ended with {done.returncode}: {done.stderr}"
    return [line.split() for line in done.stdout.splitlines()]


class Load:
    """A worker on its data with nginx before it, and the script that asks for TOKENS tokens of these keys in turn."""

    def __init__(self, data, worker, front, keys):
        assert keys, "no keys"
        self.worker, self.data = worker, data
        self.target = Target(worker, front, data.home)
        path = data.home / "tokens"
        with open(path, "w", encoding="ascii") as f:
            for i in range(TOKENS):
                site, kid, secret = keys[i % len(keys)]
                f.write(f"{site} {tokens.mint(secret, kid=kid, email=f'visitor{i}@example.com')}\n")
        self.script = PICK % path + DONE

    def run(self):
        return self.target.load(self.script, CONNECTIONS, SECONDS, "/v1/sites/s0/identity")

    def check(self):
        """Every answer was a verified identity."""
        verified = settled(self.worker)['postern_decisions_total{decision="verified",reason="none"}']
        left = verified - self.target.answered
        assert 0 <= left <= CONNECTIONS * 100, f"{verified} identities were verified, wrk had {self.target.answered} answers"


def figures(env):
    with DataDir() as many, DataDir() as one:
        start = time.monotonic()
        many_keys = make_sites(env, many, SITES, TOKENS)
        took = time.monotonic() - start
        one_keys = make_sites(env, one, 1, 1)
        with Worker(many, threads=None) as many_worker, Worker(one, threads=None) as one_worker, \
                Front(many.home, many_worker.socket) as many_front, Front(one.home, one_worker.socket) as one_front:
            loads = {"many": Load(many, many_worker, many_front, many_keys), "one": Load(one, one_worker, one_front, one_keys)}
            for load in loads.values():
                load.run()
            samples = interleaved(env.rounds(ROUNDS), {name: load.run for name, load in loads.items()})
            for load in loads.values():
                load.check()
            rates, cpus = ({name: [getattr(s, what) for s in samples[name]] for name in samples} for what in ("rate", "cpu_us"))
            against = f"{SITES:,} sites x {KEYS} keys against 1 site"
            yield {"name": f"{against}: rate", "value": ratio(rates, "many", "one"), "unit": "x one", "goal": (">=", 0.9),
                   "note": f"{median(rates['many']):,.0f}/s to {median(rates['one']):,.0f}/s; made in {took:.0f} s"}
            yield {"name": f"{against}: CPU", "value": ratio(cpus, "many", "one"), "unit": "x one",
                   "note": "worker {:.1f} us an answer to {:.1f}".format(
                       *(median([s.parts["backend"] for s in samples[name]]) for name in ("many", "one")))}
            anonymous, alone = (rss(worker.pid, "RssAnon") for worker in (many_worker, one_worker))
            yield {"name": f"RssAnon with {SITES:,} sites", "value": anonymous, "unit": "MiB", "goal": ("<=", 40),
                   "note": f"with one site {alone:.1f} MiB; RssFile {rss(many_worker.pid, 'RssFile'):.0f} MiB"}
