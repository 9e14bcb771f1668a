"""data/examples: the scripts people copy do what they say."""
import fcntl
import json
import os
import signal
import subprocess

import pytest

from lib.programs import ROOT, environment, program, tool, wait_until

EXAMPLES = ROOT / "data/examples"


def sh(data, script, *args, **extra):
    return subprocess.run([tool("sh"), str(EXAMPLES / script), *map(str, args)], capture_output=True, timeout=60, check=False,
                          text=True, env=environment(POSTERN=program("postern"), POSTERN_DATA=data.path, **extra))


def exported(folder):
    """{file name: its record lines}, in order of the first record."""
    names = sorted((p.name for p in folder.glob("audit-*")), key=lambda n: int(n.split("-from-")[1].split(".")[0]))
    return {name: [line for line in (folder / name).read_text(encoding="utf-8").splitlines() if '"seq":' in line] for name in names}


@pytest.fixture
def nightly(data):
    data.run("site", "add", "acme")
    folder = data.home / "nightly"
    folder.mkdir()
    return folder


def test_every_night_has_its_records_once(data, nightly):
    for _ in range(3):
        ran = sh(data, "nightly-export.sh", nightly)
        assert ran.returncode == 0 and ran.stdout == ran.stderr == "", ran
        data.run("site", "set", "acme", "--name", "A")
    ran = sh(data, "nightly-export.sh", nightly)
    assert ran.returncode == 0, ran
    files = exported(nightly)
    assert len(files) == 4 and sum(files.values(), []) == data.audit_lines()
    assert sorted(p.name for p in nightly.iterdir() if not p.name.startswith(("audit-", "."))) == ["state"]
    assert not list(nightly.glob(".next")) and all(p.stat().st_mode & 0o777 == 0o600 for p in nightly.glob("audit-*"))


def test_every_nightly_file_verifies_by_itself(data, nightly):
    for _ in range(2):
        sh(data, "nightly-export.sh", nightly)
        data.run("site", "set", "acme", "--name", "A")
    for name in exported(nightly):
        data.run("audit", "verify", nightly / name)


def fake_postern(data, *commands):
    """A postern that does this before, or after, the real one."""
    script = data.file("postern", "#!/bin/sh\n" + "\n".join(commands) + "\n")
    os.chmod(script, 0o700)
    return script


def test_a_night_that_fails_leaves_nothing_and_the_next_makes_up_for_it(data, nightly):
    assert sh(data, "nightly-export.sh", nightly).returncode == 0
    before = {p.name: p.read_bytes() for p in nightly.glob("[!.]*")}
    data.run("site", "set", "acme", "--name", "A")
    failing = fake_postern(data, f'"{program("postern")}" "$@" | head -c 100', "exit 3")
    killed = fake_postern(data, "kill -9 $PPID")
    exported_but_killed = f'"{program("postern")}" "$@" && kill -9 $PPID'
    for script in (failing, killed, None):
        script = script or fake_postern(data, exported_but_killed)
        ran = subprocess.run([tool("sh"), str(EXAMPLES / "nightly-export.sh"), str(nightly)], capture_output=True, timeout=60,
                             check=False, env=environment(POSTERN=script, POSTERN_DATA=data.path))
        assert ran.returncode != 0
        assert {p.name: p.read_bytes() for p in nightly.glob("[!.]*")} == before
    assert sh(data, "nightly-export.sh", nightly).returncode == 0
    assert sum(exported(nightly).values(), []) == data.audit_lines()


def test_killed_between_the_two_renames_it_makes_the_same_file_again(data, nightly):
    assert sh(data, "nightly-export.sh", nightly).returncode == 0
    state = (nightly / "state").read_bytes()
    data.run("site", "set", "acme", "--name", "A")
    assert sh(data, "nightly-export.sh", nightly).returncode == 0
    (nightly / "state").write_bytes(state)                         # as if the second rename had not been
    data.run("site", "set", "acme", "--name", "B")
    assert sh(data, "nightly-export.sh", nightly).returncode == 0
    files = exported(nightly)
    assert len(files) == 2 and sum(files.values(), []) == data.audit_lines()


def test_only_one_is_at_work_and_old_files_go(data, nightly):
    with open(nightly / ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ran = sh(data, "nightly-export.sh", nightly)
        assert ran.returncode == 3 and "at work" in ran.stderr and not (nightly / "state").exists()
    old = nightly / "audit-2020-01-01-from-0.jsonl"
    old.write_text("", encoding="utf-8")
    os.utime(old, (0, 0))
    sh(data, "nightly-export.sh", nightly)
    (nightly / "audit-2020-01-01-from-999.jsonl").write_text("", encoding="utf-8")
    os.utime(nightly / "audit-2020-01-01-from-999.jsonl", (0, 0))
    assert sh(data, "nightly-export.sh", nightly, KEEP_DAYS=30).returncode == 0
    assert [name for name in exported(nightly) if "2020" in name] == []


def test_a_folder_must_be_named(data):
    for script in ("nightly-export.sh", "follow-syslog.sh"):
        ran = sh(data, script)
        assert ran.returncode == 2 and "usage" in ran.stderr, ran


def test_records_go_to_syslog_as_they_come_and_a_restart_goes_on(data):
    data.run("site", "add", "acme")
    data.run("audit", "export", "--checkpoint")
    log = data.home / "syslog"
    log.write_text("", encoding="utf-8")
    logger = data.file("logger", f'#!/bin/sh\necho "$@" >"{log}.options"\nexec cat >>"{log}"\n')
    os.chmod(logger, 0o700)

    def rows():
        return [line for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("CEF:0|Postern|postern|")]

    def kept():
        state = data.home / "state"                     # the first is written after the first rows
        return json.loads(state.read_text(encoding="utf-8"))["after"] if state.exists() else None
    for name in "AB":
        run = subprocess.Popen([tool("sh"), str(EXAMPLES / "follow-syslog.sh"), str(data.home / "state")], start_new_session=True,
                               env=environment(POSTERN=program("postern"), POSTERN_DATA=data.path, LOGGER=logger))
        try:
            data.run("site", "set", "acme", "--name", name)
            count = len(data.audit_lines())
            wait_until(lambda n=count: len(rows()) == n, "the records", 20)
            wait_until(lambda n=count: kept() == n - 1, "the state")
        finally:
            os.killpg(run.pid, signal.SIGTERM)
            run.wait(20)
    assert [line.split("externalId=")[1].split()[0] for line in rows()] == [str(n) for n in range(len(data.audit_lines()))]
    assert (data.home / "syslog.options").read_text(encoding="utf-8").split() == [
        "--tag", "postern", "--priority", "authpriv.notice", "--size", "64KiB"]
