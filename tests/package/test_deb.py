"""The Debian package in a Debian 12 of its own: what lintian says, and installing, running, upgrading, removing and purging it."""
import os
import re
import shutil
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest

from lib.fastcgi import Connection, environ
from lib.machine import Machine, call, need, stock
from lib.programs import ROOT, SANITIZED, environment, tool, wait_until
from lib.terminal import Console

NEWER = ("1000.1", "1000.2", "1000.3", "1000.4")
MODES = {".": ("postern-admin", "postern", 0o750), "vault": ("postern-admin", "postern", 0o750),
         "vault/data.mdb": ("postern-admin", "postern", 0o640), "vault/lock.mdb": ("postern-admin", "postern", 0o660),
         "ledger": ("postern-admin", "postern", 0o750), "ledger/data.mdb": ("postern-admin", "postern", 0o660),
         "ledger/lock.mdb": ("postern-admin", "postern", 0o660), "master.key": ("postern-admin", "postern", 0o640),
         "admin.key": ("postern-admin", "postern", 0o600), "admin.state": ("postern-admin", "postern", 0o600)}

pytestmark = [pytest.mark.slow, pytest.mark.limit(900), pytest.mark.skipif(SANITIZED, reason="the package is built by itself")]


# ---- the packages ----

@pytest.fixture(scope="module")
def deb():
    if not shutil.which("dh"):
        pytest.skip("debhelper is not installed (scripts/install-deps --all)")
    out = call("make", "-s", "deb", cwd=ROOT, seconds=600)
    (built,) = re.findall(r"^build/postern_[\d.]+_\w+\.deb$", out, re.M)
    return ROOT / built


@pytest.fixture(scope="module")
def newer(deb, tmp_path_factory):
    """The same programs as later versions."""
    folder = tmp_path_factory.mktemp("newer")
    call("dpkg-deb", "-R", deb, folder / "tree")
    control = folder / "tree/DEBIAN/control"
    for version in NEWER:
        control.write_text(re.sub(r"^Version: .*", f"Version: {version}", control.read_text(), flags=re.M))
        call("dpkg-deb", "--root-owner-group", "-b", folder / "tree", folder / f"{version}.deb")
    return folder


@pytest.fixture(scope="module")
def root(deb):
    need()
    return stock(["sudo"], debs=[deb])


def test_lintian_finds_no_error(deb):
    out = subprocess.run([tool("lintian"), "--fail-on", "error", deb], capture_output=True, text=True, check=False, timeout=120,
                         env=environment())
    warnings = [line for line in out.stdout.splitlines() if re.match(r"[EW]:", line) and "no-manual-page" not in line]
    assert out.returncode == 0 and not warnings, out.stdout + out.stderr


def test_programs_are_hardened(deb, tmp_path):
    call("dpkg-deb", "-x", deb, tmp_path)
    for name in ("usr/bin/postern", "usr/bin/postern-console", "usr/sbin/postern-fcgi", "usr/sbin/postern-connectd"):
        out = call("readelf", "-W", "-d", "-l", "-s", tmp_path / name)
        assert "BIND_NOW" in out and "GNU_RELRO" in out and "PIE" in out and "__stack_chk_fail" in out and "_chk@" in out, name


# ---- a root without a running systemd ----

class Chroot:
    """A copy of a root with /proc and /dev, as an image is built in. What is started in it ends with the command."""

    def __init__(self, root, folder):
        self.path = folder / "root"
        call("cp", "-a", "--reflink=auto", root, self.path)
        self.enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c",
                      'mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" && exec chroot "$0" "$@"', str(self.path)]

    def ask(self, script):
        return subprocess.run([*self.enter, "bash", "-eu", "-c", script], capture_output=True, text=True, check=False, timeout=200,
                              stdin=subprocess.DEVNULL, env=environment(DEBIAN_FRONTEND="noninteractive", HOME="/root"))

    def run(self, script):
        ran = self.ask(script)
        assert ran.returncode == 0, f"{script}\n{ran.stdout}{ran.stderr}"
        return ran.stdout

    def owners(self, folder):
        names = " ".join(MODES)
        rows = self.run(f"cd {folder}; stat -c '%n %U %G %a' {names}").splitlines()
        return {name: (user, group, int(mode, 8)) for name, user, group, mode in map(str.split, rows)}


@pytest.fixture
def chroot(root, deb, tmp_path):
    c = Chroot(root, tmp_path)
    shutil.copy(deb, c.path / "srv/postern.deb")
    c.run("apt-get install -q -y --no-install-recommends /srv/postern.deb sudo")
    return c


def test_a_root_without_systemd_has_all_but_the_running_worker(chroot):
    assert chroot.owners("/var/lib/postern") == MODES
    assert chroot.run("systemctl is-enabled postern.socket postern.service postern-checkpoint.service").split() == ["enabled"] * 3
    for unit in ("postern-prune.timer", "postern-connectd.service", "postern-connectd.socket", "postern-connectd-admin.socket"):
        assert chroot.ask(f"systemctl is-enabled {unit}").stdout == "disabled\n", unit
    assert chroot.run("stat -c '%U %G %a' /run/postern-connect") == "root root 755\n"
    assert chroot.run("stat -c '%U %G %a' /run/postern") == "postern www-data 750\n"
    chroot.run("postern init --demo; postern key create demo --secret-file /srv/secret")
    assert chroot.owners("/var/lib/postern") == MODES
    assert chroot.run("stat -c '%U %a' /srv/secret") == "root 600\n"


def test_sudo_and_the_console_take_the_owner_too(chroot):
    chroot.run("useradd alex; echo 'alex ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/alex; postern site add acme")
    chroot.run("runuser -u alex -- sudo postern key create acme --json")
    assert chroot.owners("/var/lib/postern") == MODES
    assert "permission" in chroot.ask("runuser -u alex -- postern site list").stderr.lower()
    with Console(None, args=[*chroot.enter, "env", "TERM=xterm-256color", "postern-console", "--site", "acme"]) as console:
        console.wait_for("acme")
        console.press("c")
        console.wait_for("Create")
        console.press("Escape")
        console.press("q")
        assert console.wait_end() == 0
    assert chroot.owners("/var/lib/postern") == MODES


def test_an_image_can_be_built_where_nothing_is_mounted(root, deb, tmp_path):
    c = Chroot(root, tmp_path)
    shutil.copy(deb, c.path / "srv/postern.deb")
    done = subprocess.run(["chroot", c.path, "apt-get", "install", "-q", "-y", "--no-install-recommends", "/srv/postern.deb"],
                          capture_output=True, text=True, check=False, timeout=200, env=environment(DEBIAN_FRONTEND="noninteractive"))
    assert done.returncode == 0 and "run: postern init" in done.stdout, done.stdout + done.stderr
    c.run("postern init")
    assert c.owners("/var/lib/postern") == MODES


# ---- a machine with its own systemd ----

class Load:
    """with Load(machine, token) as load: requests all the while, four at a time. At the end each must have been answered."""

    def __init__(self, machine, token):
        self.socket = f"/proc/{machine.leader}/root/run/postern/fcgi.sock"
        self.token, self.answered, self.lost, self.ends = token, 0, [], False
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.ask) for _ in range(4)]

    def ask(self):
        while not self.ends:
            try:
                with Connection(self.socket, timeout=60) as c:
                    answer = c.ask(environ("GET", "/v1/sites/demo/identity", token=self.token)).answer
                good = answer.status == 200 and answer.json["identity"]["status"] == "verified"
                problem = None if good else answer
            except Exception as e:
                problem = e
            with self.lock:
                self.answered += problem is None
                self.lost += [problem] if problem is not None else []

    def some(self):
        """Until the worker answers again."""
        before = self.answered
        wait_until(lambda: self.answered > before + 20 or self.lost, "answers", 30)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self.ends = True
        for thread in self.threads:
            thread.join()
        if kind is None:
            assert not self.lost, f"{self.answered} answered, {len(self.lost)} lost: {self.lost[:3]}"


@pytest.fixture(scope="module")
def machine(root, deb, newer):
    """One machine, and one story in the order of the tests below."""
    with Machine(root) as m:
        m.put(deb, "/srv/postern.deb")
        for version in NEWER:
            m.put(newer / f"{version}.deb", f"/srv/{version}.deb")
        m.run("apt-get install -q -y --no-install-recommends /srv/postern.deb")
        m.run("postern init --demo; postern key create demo --secret-file /srv/secret")
        m.token = m.run("postern token mint demo --email alex@example.com --secret-file /srv/secret").out.strip()
        yield m


def active(m, *units):
    return m.run(f"systemctl is-active {' '.join(units)}", check=False).out.split()


def state_of(m):
    return m.run("dpkg-query -W -f '${db:Status-Abbrev} ${Version}' postern").out.split()


def kids(m, how=""):
    return m.run(f"{how} postern key list demo --json").out


def test_all_runs_once_it_is_installed(machine):
    assert active(machine, "postern.socket", "postern.service", "postern-checkpoint.service", "postern-prune.timer") == [
        "active", "active", "active", "inactive"]
    machine.run("postern doctor")
    wait_until(lambda: re.search(r": checkpoint postern/", machine.run("journalctl -u postern-checkpoint.service --no-pager").out),
               "a checkpoint in the journal", 20)
    machine.run("systemctl start postern-prune.service")
    with Load(machine, machine.token) as load:
        load.some()


def test_the_worker_is_shut_in(machine):
    pid = machine.run("systemctl show -p MainPID --value postern.service").out.strip()
    status = machine.run(f"cat /proc/{pid}/status").out
    assert re.search(r"^CapBnd:\s+0+$", status, re.M) and re.search(r"^NoNewPrivs:\s+1$", status, re.M)
    assert re.search(r"^Seccomp:\s+2$", status, re.M)
    inside = f"nsenter -t {pid} -m setpriv --reuid postern --regid postern --clear-groups"
    machine.run(f"{inside} sh -c ': >> /var/lib/postern/ledger/data.mdb'")
    for place in ("/var/lib/postern/ledger", "/var/lib/postern/vault", "/etc", "/usr", "/var/log"):
        assert machine.run(f"{inside} touch {place}/x", check=False).code != 0, place
    assert machine.run("nsenter -t {0} -m sh -c 'touch /etc/x || touch /var/log/x'".format(pid), check=False).code != 0
    assert machine.run(f"readlink /proc/{pid}/ns/net").out != machine.run("readlink /proc/1/ns/net").out


def test_restarts_cost_no_request(machine):
    with Load(machine, machine.token) as load:
        for _ in range(3):
            load.some()
            machine.run("systemctl restart postern.service")
        load.some()


def test_a_killed_worker_is_started_again(machine):
    before = machine.run("systemctl show -p MainPID --value postern.service").out
    machine.run("systemctl kill --kill-whom=main -s KILL postern.service")
    with Load(machine, machine.token) as load:
        load.some()
    assert machine.run("systemctl show -p MainPID --value postern.service").out != before
    assert active(machine, "postern.socket") == ["active"]


def test_an_upgrade_keeps_the_data_and_costs_no_request(machine):
    before = kids(machine)
    with Load(machine, machine.token) as load:
        load.some()
        out = machine.run(f"dpkg -i /srv/{NEWER[0]}.deb").out
        load.some()
    kept = re.search(r"the data as it was is in (/var/backups/postern/\S+-\d{8}T\d{6}Z)$", out, re.M)
    assert kept and state_of(machine) == ["ii", NEWER[0]]
    assert kids(machine).count('"kid"') == before.count('"kid"') >= 1
    assert machine.run(f"postern audit verify {kept[1]}").out.startswith("verified")
    assert machine.run("stat -c %a /var/backups/postern").out == "700\n"
    assert machine.run("ls /run/postern.upgrade", check=False).code != 0
    # Not one of before: what connected during the upgrade has waited.
    pid = machine.run("systemctl show -p MainPID --value postern.service").out.strip()
    assert machine.run(f"readlink /proc/{pid}/exe").out == "/usr/sbin/postern-fcgi\n"
    assert active(machine, "postern.service", "postern-checkpoint.service") == ["active"] * 2
    machine.run("postern audit verify")


def test_where_no_backup_can_be_made_the_installed_version_goes_on(machine):
    machine.run("mv /var/backups/postern /var/backups/kept; touch /var/backups/postern")
    ran = machine.run(f"dpkg -i /srv/{NEWER[1]}.deb", check=False)
    assert ran.code != 0 and "the installed version\ngoes on" in ran.err and "POSTERN_UPGRADE_BACKUP=no" in ran.err
    assert state_of(machine) == ["ii", NEWER[0]] and active(machine, "postern.service", "postern-checkpoint.service") == ["active"] * 2
    machine.run("rm /var/backups/postern; mv /var/backups/kept /var/backups/postern")
    with Load(machine, machine.token) as load:
        load.some()


def test_data_that_cannot_be_made_ready_is_named_and_mended(machine):
    machine.run("mv /var/lib/postern/master.key /srv/master.key")
    ran = machine.run(f"POSTERN_UPGRADE_BACKUP=no dpkg -i /srv/{NEWER[1]}.deb", check=False)
    assert ran.code != 0 and "dpkg --configure postern" in ran.err and state_of(machine) == ["iF", NEWER[1]]
    machine.run("mv /srv/master.key /var/lib/postern/master.key; dpkg --configure postern")
    assert state_of(machine) == ["ii", NEWER[1]] and active(machine, "postern.service") == ["active"]
    with Load(machine, machine.token) as load:
        load.some()


def drop_in_commands():
    """The commands of the drop-in's own comment: the clear key, and the sealed one."""
    text = (ROOT / "data/deploy/systemd/master-key.conf").read_text()
    lines = re.sub(r" \\\n#\s+", " ", text).splitlines()
    return [line[1:].strip() for line in lines if line.startswith("#   ")]


def test_the_master_key_as_a_credential(machine):
    *clear, seal, ask = drop_in_commands()
    assert len(clear) == 5 and seal.startswith("systemd-creds ") and ask.startswith("systemd-run ")
    machine.run("\n".join(clear))
    machine.run("POSTERN_MASTER_KEY_FILE=/etc/postern/master.key postern doctor")
    with Load(machine, machine.token) as load:
        machine.run(f"dpkg -i /srv/{NEWER[2]}.deb")
        load.some()
    machine.run(f"{seal}; rm /etc/postern/master.key; sed -i 's|^LoadCredential=.*|"
                "LoadCredentialEncrypted=postern.master-key:/etc/postern/master.key.sealed|' /etc/systemd/system/postern*.d/master-key.conf;"
                " systemctl daemon-reload; systemctl restart postern.service postern-checkpoint.service")
    machine.run(ask)
    with Load(machine, machine.token) as load:
        out = machine.run(f"dpkg -i /srv/{NEWER[3]}.deb").out
        load.some()
    assert "the data as it was is in" in out and active(machine, "postern.service", "postern-checkpoint.service") == ["active"] * 2


def test_the_provider_runs_once_it_is_enabled_and_through_an_upgrade(machine):
    assert active(machine, "postern-connectd.service", "postern-connectd.socket") == ["inactive"] * 2
    machine.run("systemctl enable --now postern-connectd.service; postern connection list")
    assert machine.run("stat -c '%U %G %a' /run/postern-connect/proxy.sock /run/postern-connect/admin.sock").out.splitlines() == [
        "postern-connect postern 660", "postern-connect postern-admin 660"]
    assert machine.run("stat -c '%U %a' /var/lib/postern-connect").out == "postern-connect 700\n"
    pid = machine.run("systemctl show -p MainPID --value postern-connectd.service").out.strip()
    assert re.search(r"^CapBnd:\s+0+$", machine.run(f"cat /proc/{pid}/status").out, re.M)
    inside = f"nsenter -t {pid} -m setpriv --reuid postern-connect --regid postern-connect --clear-groups"
    for place in ("/etc", "/usr", "/var/lib/postern/vault", "/var/lib/postern/ledger", "/run/postern-connect"):
        assert machine.run(f"{inside} touch {place}/x", check=False).code != 0, place
    assert machine.run(f"{inside} cat /var/lib/postern/master.key", check=False).code != 0
    as_worker = "setpriv --reuid postern --regid postern --clear-groups"
    assert machine.run(f"{as_worker} ls /var/lib/postern-connect", check=False).code != 0
    assert machine.run(f"{as_worker} postern connection list", check=False).code != 0
    machine.run(f"dpkg -i /srv/{NEWER[3]}.deb")
    assert active(machine, "postern-connectd.service", "postern-connectd.socket", "postern-connectd-admin.socket") == ["active"] * 3
    assert machine.run("systemctl show -p MainPID --value postern-connectd.service").out.strip() != pid


def test_removing_keeps_the_data_and_purging_does_not(machine):
    machine.run("dpkg -r postern")
    assert active(machine, "postern.socket", "postern.service", "postern-connectd.socket", "postern-connectd.service") == ["inactive"] * 4
    machine.run("test -s /var/lib/postern/vault/data.mdb; test ! -e /usr/bin/postern")
    assert "backups are kept" in machine.run("dpkg -P postern").out
    machine.run("rm -r /etc/postern /etc/systemd/system/postern*.d /var/backups/postern")          # the admin's
    left = machine.run("find / -xdev -name '*postern*' ! -path '/srv/*' ! -path '/proc/*' ! -path '/var/cache/apt/*'").out
    assert left == "" and machine.run("ls -d /run/postern", check=False).code != 0
    machine.run("apt-get install -q -y --no-install-recommends /srv/postern.deb; postern doctor; dpkg -P postern")
    assert machine.run("ls -d /var/lib/postern /var/lib/postern-connect /var/backups/postern", check=False).out == ""
