"""Commands of an admin's with a fault in each: run on the same data again for every N."""
import re
import shutil
import subprocess
from collections import Counter

from lib.datadir import Ran
from lib.nth import Nth
from lib.programs import environment, program

KINDS = ["memory", "write", "read", "sync", "map", "open", "thread", "change", "look"]
TALK = re.compile(r"postern: \S.*|  .*")


class Copies:
    """Data as it was before the command, again for each N."""

    def __init__(self, data):
        self.data, self.nth, self.before, self.seen = data, Nth(data).only_ours(), data.home / "before", Counter()
        shutil.copytree(data.path, self.before)

    def fresh(self):
        shutil.rmtree(self.data.path)
        shutil.copytree(self.before, self.data.path)

    def keep(self):
        """What is there now is where each N begins."""
        shutil.rmtree(self.before)
        shutil.copytree(self.data.path, self.before)

    def try_all(self, command, after, kinds=tuple(KINDS), codes=(0, 1, 3)):
        """after(ran, fault): what must hold then."""
        for kind in kinds:
            for fault in self.nth.every(kind, few=3 if kind != "memory" else 1):
                self.fresh()
                with fault:
                    ran = run(self.data, command, self.nth.env)
                check_said(ran, fault, codes, self.data.secrets)
                self.seen[f"{kind} exit {ran.code}"] += 1
                assert fault.hit or ran.code == 0 or command[0] == "doctor", f"{fault}: {ran}"
                after(ran, fault)
            assert fault.number > 1 or kind not in ("memory", "open", "look"), f"{command}: no {kind} at all"
        print(dict(self.seen))


def run(data, command, env):
    done = subprocess.run([program("postern"), *map(str, command), "--data", str(data.path)], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=60, check=False, env=environment(**env))
    return Ran(list(map(str, command)), done.returncode, done.stdout.decode(), done.stderr.decode())


def check_said(ran, fault, codes, secrets):
    assert ran.code in codes, f"{fault}: {ran}"
    lines = [line for line in ran.err.split("\n") if line]
    assert ran.code == 0 or lines or ran.args[0] == "doctor", f"{fault}: not a word about it: {ran}"
    assert len(lines) <= 3 and all(TALK.fullmatch(line) for line in lines), f"{fault}: {ran}"
    assert not any(s in ran.err for s in secrets), f"{fault}: a secret on stderr: {ran}"


def verified(data):
    verdict = data.run("audit", "verify", "--json").json
    assert verdict["verdict"] == "verified", verdict
