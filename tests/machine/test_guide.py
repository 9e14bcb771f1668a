"""The deployment guide, followed on a clean Debian 12: each of its commands, in its order, and what it says they print."""
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from lib.blocks import blocks, missing, pattern_of
from lib.machine import Machine, need, stock
from lib.programs import ROOT, wait_until
from lib.terminal import Console

GUIDE = "data/deploy/GUIDE.md"
SERVERS = {"nginx": "nginx", "apache": "apache2", "lighttpd": "lighttpd", "apache-fcgid": "apache2", "lighttpd-spawned": "lighttpd"}
ONCE = "nginx"                 # the server behind which the rest of the guide is followed
BLOCK_SECONDS = 240

pytestmark = [pytest.mark.slow, pytest.mark.limit(900)]


@pytest.fixture(scope="module")
def page():
    return blocks(GUIDE)


def names(page, name):
    return [block for block in page if name in (block.names or ())]


@pytest.fixture(scope="module")
def deb(page, tmp_path_factory):
    """The package, as the guide has it built; or $POSTERN_DEB, one that is there."""
    need()
    if os.environ.get("POSTERN_DEB"):
        return Path(os.environ["POSTERN_DEB"])
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "POSTERN_"))}
    for block in names(page, "build"):
        done = subprocess.run(["bash", "-eu", "-c", block.text], cwd=ROOT, env={**env, "DEB_BUILD_OPTIONS": "nocheck"}, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
        assert done.returncode == 0, f"{block.where}\n{done.stdout.decode()[-4000:]}"
    made = sorted((ROOT / "build").glob("postern_*.deb"), key=lambda path: path.stat().st_mtime)
    assert made, "no package was built"
    return made[-1]


@pytest.fixture(scope="module")
def root(page, deb):
    """A Debian that has fetched what the guide installs, and installed none of it."""
    lines = re.findall(r"^\s*apt-get install (?:-\S+ )*(.*)$", "".join(b.text for b in page if b.names is not None), re.M)
    packages = {word for line in lines for word in line.split() if not word.startswith(("-", "./"))}
    return stock(packages, debs=[deb])


def console(machine, block):
    """In a terminal: Live, and what it is to show."""
    command = block.text.split()
    with Console(None, args=machine.args(*command)) as c:
        c.wait_for("1 Sites", 30)
        c.press("3")
        for line in block.shows:
            c.wait_for(re.compile(".*" + pattern_of(line).pattern))
        c.press("q")
        assert c.wait_end() == 0


CHILDREN = "cat /proc/$(systemctl show -p MainPID --value {0})/task/*/children"


def follow(machine, block):
    if "console" in block.names:
        console(machine, block)
        return
    again = re.search(r"^systemctl (reload|restart) (nginx|apache2|lighttpd)$", block.text, re.M)
    old = machine.run(CHILDREN.format(again.group(2)), check=False).out.split() if again else []
    ran = machine.run(block.text, check=False, seconds=BLOCK_SECONDS)
    assert ran.code in block.codes, f"{block.where}\n{ran}"
    line = missing(block.shows or (), ran.out + ran.err)
    assert line is None, f"{block.where}: not printed: {line}\n{ran}"
    if again:
        wait_until(lambda: settled(machine, old), f"{again.group(2)} to have done what {block.where} says", 20)


def settled(machine, old):
    """systemctl does not wait until the new ones listen and the old ones are gone; a person is slower than that."""
    listens = machine.run("grep -q ':0050 0\\+:0000 0A' /proc/net/tcp /proc/net/tcp6", check=False).code == 0
    return listens and machine.run(f"for pid in {' '.join(old)}; do test ! -e /proc/$pid; done", check=False).code == 0


def meant(block, server):
    if block.names is None or "build" in block.names:
        return False
    return not block.names or server in block.names or "console" in block.names or (server == ONCE and "once" in block.names)


def first_of_a_server(page):
    return next(i for i, block in enumerate(page) if (block.names or set()) & set(SERVERS))


@pytest.fixture(scope="module")
def installed(page, root, deb):
    """The machine as it is before there is a web server: stopped, for each server to begin from."""
    machine = Machine(root)
    try:
        machine.boot()
        machine.put(deb, f"/root/{deb.name}")
        for block in page[:first_of_a_server(page)]:
            if meant(block, None):
                follow(machine, block)
        assert machine.run("dpkg-query -W -f '${Status}' postern").out == "install ok installed"
        assert machine.run("systemctl --failed --no-legend").out == ""
        machine.stop()
        yield machine
    except BaseException:
        print(machine.log())
        raise
    finally:
        machine.remove()


@pytest.mark.parametrize("server", SERVERS)
def test_from_a_clean_debian_to_a_verified_request_and_on(page, installed, server):
    with Machine(None, after=installed) as machine:
        for block in page[first_of_a_server(page):]:
            if meant(block, server):
                follow(machine, block)
            if block.heading == "The first requests" and "console" in (block.names or ()):
                check_first_requests(machine, server)


def check_first_requests(machine, server):
    """What the guide promises, asked without its words."""
    assert machine.run(f"systemctl is-active {SERVERS[server]}").out == "active\n"
    ask = 'curl -sS -w "\\n%{http_code}" -H "Authorization: Bearer $(cat /root/alex.token)" http://localhost/postern/v1/sites/acme/identity'
    body, status = machine.run(ask).out.rsplit("\n", 1)
    assert status == "200" and json.loads(body)["identity"]["email"] == "alex@example.com"
    records = [json.loads(line) for line in machine.run("postern audit export").out.splitlines()]
    assert [r["reason"] for r in records if r["outcome"] == "blocked"] == ["signature_mismatch"]
    assert [r["action"] for r in records if r["outcome"] == "done" and r["event"] == "action"] == ["track_order"]
    assert [r["reason"] for r in records if r["outcome"] == "refused"] == ["not_found"]
    assert machine.run("systemctl --failed --no-legend").out == ""
