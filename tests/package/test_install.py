"""make install into an empty folder: every file, its mode and its text; the units as systemd reads them; the worker started by
its socket."""
import os
import re
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from lib.datadir import DataDir
from lib.fastcgi import Connection, environ, whole
from lib.programs import BUILD, ROOT, SANITIZED, USER, environment, tool, wait_until
from lib.worker import listening

SCORE_AT_MOST = 1.5                    # of systemd-analyze security: 0 is shut, 10 is open
WITHOUT_NETWORK = ("postern.service", "postern-checkpoint.service", "postern-prune.service")
SERVICES = (*WITHOUT_NETWORK, "postern-connectd.service")
UNITS = (*SERVICES, "postern.socket", "postern-prune.timer", "postern-connectd.socket", "postern-connectd-admin.socket")
NOT_INSTALLED = {"deploy/debian", "deploy/sysusers.d", "deploy/tmpfiles.d"}

pytestmark = pytest.mark.skipif(SANITIZED, reason="the installed programs are build/'s")


def make(*words):
    """No program is built again: other tests may be running it."""
    done = subprocess.run(["make", "-s", "-o", "all", *words], cwd=ROOT, capture_output=True, text=True, check=False,
                          timeout=50, env=environment(POSTERN_BUILD=BUILD))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    """DESTDIR after make install."""
    folder = tmp_path_factory.mktemp("staged")
    make("install", f"DESTDIR={folder}")
    return folder


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """PREFIX after make install PREFIX=: its units name programs that are there."""
    folder = tmp_path_factory.mktemp("here")
    make("install", f"PREFIX={folder}")
    return folder


def files_below(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir()}


def shipped():
    """What of data/ is installed as it is, by its place below share/postern."""
    names = {"audit-line.schema.json", *(["openapi.yaml"] if (ROOT / "data/openapi.yaml").exists() else [])}
    for top in ("demo", "deploy", "examples", "signers"):
        for path in (ROOT / "data" / top).rglob("*"):
            name = str(path.relative_to(ROOT / "data"))
            left_out = any(name.startswith(f"{folder}/") for folder in NOT_INSTALLED) or re.search(
                r"^deploy/systemd/postern|(^|/)(__pycache__|node_modules)/", name)
            if path.is_file() and not left_out:
                names.add(name)
    return names


def test_every_file_is_there_and_no_other(staged):
    manuals = {f"share/man/man{p.suffix[1:]}/{p.name}" for p in (ROOT / "data").glob("man/*.[1-8]")}
    wanted = {"bin/postern", "bin/postern-console", "sbin/postern-fcgi", "sbin/postern-connectd", "share/bash-completion/completions/postern",
              "lib/sysusers.d/postern.conf", "lib/tmpfiles.d/postern.conf", *manuals,
              *(f"lib/systemd/system/{unit}" for unit in UNITS), *(f"share/postern/{name}" for name in shipped())}
    assert "share/postern/demo/site.json" in wanted and "share/postern/deploy/lighttpd/postern.conf" in wanted
    assert files_below(staged) == {f"usr/local/{name}" for name in wanted}


def test_modes_are_those_of_programs_and_of_texts(staged):
    for name in files_below(staged):
        path = staged / name
        short = name.removeprefix("usr/local/")
        source = ROOT / "data" / short.removeprefix("share/postern/")
        runs = "bin/" in short or (source.is_file() and os.access(source, os.X_OK))
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if runs else 0o644), name
        assert not path.is_symlink()


def test_what_ships_is_not_changed_on_the_way(staged):
    for name in shipped():
        assert (staged / "usr/local/share/postern" / name).read_bytes() == (ROOT / "data" / name).read_bytes(), name


def test_installed_programs_run(staged):
    for name in ("bin/postern", "bin/postern-console", "sbin/postern-fcgi", "sbin/postern-connectd"):
        out = subprocess.run([staged / "usr/local" / name, "--version"], capture_output=True, text=True, check=True, env=environment())
        assert re.fullmatch(rf"{Path(name).name} \d+\.\d+\.\d+\n", out.stdout)


def test_completion_completes(staged):
    script = staged / "usr/local/share/bash-completion/completions/postern"
    ask = "source \"$0\"; COMP_WORDS=(postern key cre); COMP_CWORD=2; $(complete -p postern | sed 's/.*-F //; s/ .*//'); echo ${COMPREPLY[*]}"
    out = subprocess.run(["bash", "-c", ask, script], capture_output=True, text=True, check=True, env=environment())
    assert out.stdout.strip() == "create", out


def test_demo_files_are_looked_for_under_the_prefix(tmp_path):
    def compiled(prefix):
        made = tmp_path / prefix.strip("/").replace("/", "-")
        make(f"B={made}", f"PREFIX={prefix}", f"{made}/console/cli/demo.o")
        return (made / "console/cli/demo.o").read_bytes()
    assert b"/srv/own/share/postern/demo\0" in compiled("/srv/own")
    assert b"/usr/share/postern/demo\0" in compiled("/usr") and b"/srv" not in compiled("/usr")
    assert b"/usr/local/share/postern/demo\0" in Path(BUILD / "postern").read_bytes()


def test_units_name_programs_of_the_prefix(here):
    started = [line for unit in SERVICES for line in (here / "lib/systemd/system" / unit).read_text().splitlines()
               if line.startswith("ExecStart=")]
    assert len(started) == len(SERVICES)
    for line in started:
        assert os.access(line.removeprefix("ExecStart=").split()[0], os.X_OK) and str(here) in line


def test_uninstall_leaves_nothing(tmp_path):
    make("install", f"DESTDIR={tmp_path}", "PREFIX=/usr")
    assert "usr/bin/postern" in files_below(tmp_path)
    other = tmp_path / "usr/bin/other"
    other.touch()
    make("uninstall", f"DESTDIR={tmp_path}", "PREFIX=/usr")
    assert files_below(tmp_path) == {"usr/bin/other"}


# ---- systemd ----

def analyze(*words):
    return subprocess.run([tool("systemd-analyze"), "--no-pager", *map(str, words)], capture_output=True, text=True, check=False,
                          timeout=50, env=environment(SYSTEMD_COLORS="0"))


def test_systemd_finds_nothing_wrong_in_the_units(here):
    ran = analyze("--man=no", "verify", *(here / "lib/systemd/system" / unit for unit in UNITS))
    # What is wrong in units of this machine is not ours.
    assert not [line for line in (ran.stdout + ran.stderr).splitlines() if "postern" in line], ran


@pytest.mark.parametrize("service", SERVICES)
def test_services_are_shut_in(here, service):
    ran = analyze("security", "--offline=true", here / "lib/systemd/system" / service)
    score = re.search(r"Overall exposure level for \S+: ([0-9.]+)", ran.stdout)
    assert score and float(score[1]) <= SCORE_AT_MOST, ran.stdout + ran.stderr


def test_a_second_proc_is_not_asked_for(here):
    """Each of these brings one, and in a container the worker then counts as one of before the boot."""
    for service in WITHOUT_NETWORK:
        text = re.sub(r"^#.*$", "", (here / "lib/systemd/system" / service).read_text(), flags=re.M)
        assert not re.search(r"ProtectProc|ProcSubset|ProtectKernelTunables|ProtectControlGroups|PrivateUsers", text)


def setting(here, unit, name):
    return re.findall(rf"^{name}=(.*)$", (here / "lib/systemd/system" / unit).read_text(), re.M)


def test_no_worker_gets_to_the_provider_but_by_its_proxy_socket(here):
    """The worker's group is the proxy socket's and no other's; nothing of the provider's is in that group."""
    assert setting(here, "postern-connectd.service", "User") == setting(here, "postern-connectd.service", "Group") == ["postern-connect"]
    assert not setting(here, "postern-connectd.service", "SupplementaryGroups")
    assert setting(here, "postern-connectd.service", "StateDirectoryMode") == ["0700"]
    assert [setting(here, unit, "SocketGroup") for unit in ("postern-connectd.socket", "postern-connectd-admin.socket")] == [
        ["postern"], ["postern-admin"]]
    assert [setting(here, unit, "FileDescriptorName") for unit in ("postern-connectd.socket", "postern-connectd-admin.socket")] == [
        ["proxy"], ["admin"]]
    for service in WITHOUT_NETWORK:
        assert setting(here, service, "PrivateNetwork") == ["yes"] and setting(here, service, "RestrictAddressFamilies") == ["AF_UNIX"]


def test_stopping_the_provider_waits_for_a_refresh(here):
    """KillMode=mixed would kill the process that has the new token and has not yet saved it."""
    assert setting(here, "postern-connectd.service", "KillMode") == ["control-group"]
    assert int(setting(here, "postern-connectd.service", "TimeoutStopSec")[0]) >= 45


def test_users_are_made(staged, tmp_path):
    root = tmp_path
    (root / "etc").mkdir()
    (root / "etc/group").write_text("www-data:x:33:\n")
    subprocess.run([tool("systemd-sysusers"), f"--root={root}", staged / "usr/local/lib/sysusers.d/postern.conf"], check=True,
                   capture_output=True, env=environment())
    users = {line.split(":")[0]: line.split(":") for line in (root / "etc/passwd").read_text().splitlines()}
    groups = {line.split(":")[0]: line.split(":") for line in (root / "etc/group").read_text().splitlines()}
    assert set(users) == {"postern", "postern-admin", "postern-connect"}
    assert all(user[6].endswith("/nologin") for user in users.values())
    assert users["postern"][3] == groups["postern"][2] and groups["postern"][3] == "postern-admin"
    if os.geteuid() == 0:
        subprocess.run([tool("systemd-tmpfiles"), f"--root={root}", "--create", staged / "usr/local/lib/tmpfiles.d/postern.conf"],
                       check=True, capture_output=True, env=environment())
        made = (root / "run/postern-connect").stat()
        assert (stat.S_IMODE(made.st_mode), made.st_uid, made.st_gid) == (0o755, 0, 0)  # root's: nobody else lays a socket there
        made = (root / "run/postern").stat()
        assert (stat.S_IMODE(made.st_mode), made.st_uid, made.st_gid) == (0o750, int(users["postern"][2]), 33)


IDENTITY = "/v1/sites/acme/identity"


def check_verified(reply):
    assert reply.answer.status == 200 and reply.answer.json["identity"]["status"] == "verified", reply


def start(command, log, **how):
    return subprocess.Popen([*map(str, command)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(), **how)


def test_the_socket_starts_the_worker(here):
    with DataDir() as data, open(data.home / "log", "wb") as log:
        site = data.add_site("acme")
        path = data.home / "s"
        process = start([tool("systemd-socket-activate"), f"--listen={path}", here / "sbin/postern-fcgi", "--data", data.path,
                         "--peer", USER], log)
        try:
            wait_until(lambda: listening(path), "the socket")
            assert "on the socket handed over" not in (data.home / "log").read_text()
            with Connection(path) as c:
                check_verified(c.ask(environ("GET", IDENTITY, token=site.token())))
            # its threads serve before it says so
            wait_until(lambda: "on the socket handed over" in (data.home / "log").read_text(), "the worker's line")
            process.terminate()
            assert process.wait(10) == 0 and path.exists()          # the socket is not the worker's to remove
        finally:
            process.kill()
            process.wait()


def test_no_request_is_lost_between_two_workers(here):
    """What connects while no worker runs waits in the socket, and the next one answers it: a restart costs nobody an answer."""
    with DataDir() as data, open(data.home / "log", "wb") as log, socket.socket(socket.AF_UNIX) as door:
        site = data.add_site("acme")
        door.bind(str(data.home / "s"))
        door.listen(16)
        for _ in range(3):
            waiting = [Connection(data.home / "s") for _ in range(8)]
            for c in waiting:
                c.send(whole(environ("GET", IDENTITY, token=site.token())))
            handed = ["bash", "-c", 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@" 3<&"$0"', str(door.fileno())]
            process = start([*handed, here / "sbin/postern-fcgi", "--data", data.path, "--peer", USER], log, pass_fds=[door.fileno()])
            try:
                for c in waiting:
                    with c:
                        check_verified(c.read_reply())
                process.terminate()
                assert process.wait(10) == 0
            finally:
                process.kill()
                process.wait()
