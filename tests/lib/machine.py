"""A clean Debian 12 with its own systemd as process 1, its own network and its own users: what an admin begins with.

    with Machine(stock(["apache2"], debs=[...])) as m:
        m.run("apt-get install -y apache2")
        m.put(path, "/srv/x"); m.get("/srv/x"); m.args("postern-console")

The root is made by debootstrap, once, and kept in $POSTERN_MACHINE_CACHE (else under the temporary directory). A machine is a
layer over it (overlayfs), booted by systemd-nspawn, with no network but its own loopback: no port of this host is taken, and
what it installs was fetched before. Everything is bounded in time, and what was started is ended by its process id."""
import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from lib.programs import wait_until

SUITE = "bookworm"
NEEDED = ("debootstrap", "systemd-nspawn", "nsenter", "mount", "umount", "chroot")
INCLUDED = "systemd,systemd-sysv,dbus,ca-certificates"
MAKE_SECONDS, BOOT_SECONDS, STOP_SECONDS, RUN_SECONDS = 600, 90, 40, 120
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "USER": "root", "LC_ALL": "C.UTF-8",
               "DEBIAN_FRONTEND": "noninteractive", "TERM": "xterm-256color"}


def why_not():
    """Why no machine can be booted here, or None."""
    if os.geteuid() != 0:
        return "only root can boot a machine"
    missing = [name for name in NEEDED if not shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")]
    return f"not installed: {' '.join(missing)} (scripts/install-deps --all)" if missing else None


def need():
    """Skips the test, visibly, where no machine can be booted."""
    reason = why_not()
    if reason:
        pytest.skip(reason)


def call(*command, seconds=RUN_SECONDS, env=None, **how):
    """Runs a program of this host; its output, or an AssertionError that has it."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=seconds, check=False, env={**ENVIRONMENT, **(env or {})}, **how)
    out = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.returncode}\n{out[-4000:]}"
    return out


# ---- the root ----

def cache():
    path = Path(os.environ.get("POSTERN_MACHINE_CACHE") or Path(tempfile.gettempdir()) / "postern-machine")
    path.mkdir(parents=True, exist_ok=True)
    return path


def sources():
    """The lines of this host's own apt sources that are Debian 12's; else the public mirror."""
    lines = []
    for path in (Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))):
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        for uri, suites in re.findall(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s", text, re.M):
            lines += [(uri, suites)]
        for part in re.split(r"\n\s*\n", text):
            uri, suites = re.search(r"^URIs:\s*(\S+)", part, re.M), re.search(r"^Suites:\s*(.+)$", part, re.M)
            lines += [(uri.group(1), suite) for suite in suites.group(1).split()] if uri and suites else []
    found = [(uri.rstrip("/"), suite) for uri, suite in lines if re.fullmatch(rf"{SUITE}(-updates|-security)?", suite)]
    return found or [("http://deb.debian.org/debian", SUITE)]


def sweep(root):
    """Removes what is half made, or over."""
    shutil.rmtree(root, ignore_errors=True)


def make(name, fill):
    """The cached root of this name; fill(path) makes it where there is none. Two who make it at once: the first one's counts."""
    root = cache() / name
    if root.is_dir():
        return root
    fresh = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=cache()))
    try:
        fill(fresh)
        fresh.chmod(0o755)
        fresh.rename(root)
    except OSError:
        if not root.is_dir():
            raise
        sweep(fresh)
    except BaseException:
        sweep(fresh)
        raise
    return root


def base():
    """Debian 12, minimal, with systemd: no web server, no curl, nothing of Postern."""
    def fill(root):
        mirror = next(uri for uri, suite in sources() if suite == SUITE)
        call("debootstrap", "--variant=minbase", f"--include={INCLUDED}", SUITE, root, mirror, seconds=MAKE_SECONDS)
        listed = "".join(f"deb {uri} {suite} main\n" for uri, suite in sources())
        (root / "etc/apt/sources.list").write_text(listed, encoding="utf-8")
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        call("chroot", root, "apt-get", "-q", "update", seconds=MAKE_SECONDS)
        (root / "etc/hostname").write_text("debian\n", encoding="ascii")
        (root / "etc/hosts").write_text("127.0.0.1 localhost\n127.0.1.1 debian\n", encoding="ascii")
    return make(f"{SUITE}-base", fill)


def stock(packages, debs=()):
    """The base with these packages, and what the local packages debs need, fetched but not installed: apt-get then needs no
    network. Kept under the names, so that it is made once."""
    below = base()
    needs = sorted({*packages, *(name for deb in debs for name in depends(deb))})
    name = f"{SUITE}-stock-{hash_of(needs)}"

    def fill(root):
        call("cp", "-a", "--reflink=auto", f"{below}/.", root)
        call("chroot", root, "apt-get", "-q", "-y", "--download-only", "install", *needs, seconds=MAKE_SECONDS)
    return make(name, fill)


def hash_of(words):
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:12]


def depends(deb):
    """The names of the packages a .deb needs or recommends; of alternatives the first."""
    out = call("dpkg-deb", "-f", deb, "Pre-Depends", "Depends", "Recommends")
    words = re.sub(r"^\S+:", "", out, flags=re.M).replace("\n", ",").split(",")
    return [re.split(r"[\s(|:]", word.strip())[0] for word in words if word.strip() and "${" not in word]


def sweep_machines():
    """What is left of machines whose tests were killed: the machine itself died with them, its mount and its disk did not."""
    for home in cache().glob("machine-*-*"):
        if not Path(f"/proc/{home.name.split('-')[1]}").exists():
            subprocess.run(["umount", str(home / "top")], check=False, capture_output=True, timeout=RUN_SECONDS)
            if not os.path.ismount(home / "top"):
                sweep(home)


# ---- the machine ----

class Ran:
    """How a command in the machine ended and all it printed."""

    def __init__(self, command, code, out, err):
        self.command, self.code, self.out, self.err = command, code, out, err

    def __str__(self):
        return f"$ {self.command}\nexit {self.code}\n{self.out[-6000:]}{self.err[-4000:]}"


class Machine:
    """with Machine(root) as m: it is booted, and at the end gone. after=M: with all that the stopped machine M had on its disk."""
    count = 0

    def __init__(self, root, after=None):
        need()
        Machine.count += 1
        self.root = after.root if after else Path(root)
        self.name = f"postern-{os.getpid()}-{Machine.count}"
        sweep_machines()
        self.home = Path(tempfile.mkdtemp(prefix=f"machine-{os.getpid()}-", dir=cache()))
        self.upper, self.work, self.top = (self.home / name for name in ("upper", "work", "top"))
        self.log_path = self.home / "console"
        self.process = self.leader = None
        self.mounted = False
        for path in (self.upper, self.work, self.top):
            path.mkdir()
        self.home.chmod(0o755)
        if after:
            # A copy, no further layer: a file that is copied up while one has it open to read is two files from then on, and
            # LMDB's readers would never see what is written.
            call("cp", "-a", "--reflink=auto", f"{after.upper}/.", self.upper)

    # ---- its life ----

    def boot(self):
        call("mount", "-t", "overlay", self.name, "-o", f"lowerdir={self.root},upperdir={self.upper},workdir={self.work}", self.top)
        self.mounted = True
        command = ["systemd-nspawn", "--quiet", "--boot", f"--directory={self.top}", f"--machine={self.name}", "--register=no",
                   "--keep-unit", "--private-network", "--resolv-conf=off", "--timezone=off", "--link-journal=no",
                   "--console=read-only", "systemd.show_status=no"]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=ENVIRONMENT)
        self.leader = wait_until(self._find_leader, "process 1 of the machine", BOOT_SECONDS)
        wait_until(self.up, "the machine to be up", BOOT_SECONDS)
        return self

    def _alive(self):
        assert self.process.poll() is None, f"the machine ended with {self.process.returncode}\n{self.log()}"

    def _find_leader(self):
        """The child of systemd-nspawn that is process 1 of a namespace of its own and already systemd."""
        self._alive()
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii").split()
        for pid in children:
            try:
                status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
            except OSError:
                continue
            if re.search(r"^NSpid:\s+\d+\s+1$", status, re.M) and re.search(r"^Name:\s+systemd$", status, re.M):
                return int(pid)
        return None

    def up(self):
        self._alive()
        state = self.run("systemctl is-system-running", check=False, seconds=20).out.strip()
        return state in ("running", "degraded")

    def stop(self):
        """As pressing the button: systemd ends all in order. Its disk stays, for a machine after this one."""
        if self.process is not None and self.process.poll() is None:
            if self.leader:
                os.kill(self.leader, signal.SIGRTMIN + 4)          # systemd's own signal for poweroff
            else:
                self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.mounted:
            call("umount", self.top)
            self.mounted = False

    def remove(self):
        """Stops it and forgets its disk."""
        try:
            self.stop()
        finally:
            shutil.rmtree(self.home, ignore_errors=True)
            for folder in ("propagate", "inaccessible", "unix-export"):      # nspawn leaves an empty folder where /run is no tmpfs
                try:
                    os.rmdir(f"/run/systemd/nspawn/{folder}/{self.name}")
                except OSError:
                    pass

    def __enter__(self):
        try:
            return self.boot()
        except BaseException:
            self.remove()
            raise

    def __exit__(self, kind, *_):
        if kind is not None and self.process.poll() is None:
            print(f"---- the journal of the machine\n{self.run('journalctl -b --no-pager -n 60', check=False).out}")
        self.remove()

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""

    # ---- what one does in it ----

    def args(self, *command):
        """The command line that runs a program in it: for Popen, or for lib.terminal's Console."""
        inside = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
        return ["nsenter", f"--target={self.leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd",
                "env", "-i", "-C", "/root", *inside, *map(str, command)]

    def run(self, script, check=True, seconds=RUN_SECONDS, shell=("bash", "-eu")):
        """Runs these lines of shell as root. With check it must end with 0."""
        process = subprocess.Popen(self.args(*shell, "-c", script), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   start_new_session=True)
        try:
            out, err = process.communicate(timeout=seconds)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        ran = Ran(script, process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))
        assert not check or ran.code == 0, str(ran)
        return ran

    def put(self, source, target):
        """Copies a file or folder of this host into it."""
        call("cp", "-a", "--no-preserve=ownership", source, f"{self.top}/{str(target).lstrip('/')}")

    def get(self, path):
        """The bytes of one of its files."""
        return Path(f"{self.top}/{str(path).lstrip('/')}").read_bytes()
