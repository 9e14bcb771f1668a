"""As root: the data's owner is taken before data is opened; files named on the command line are the caller's."""
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from lib.datadir import postern
from lib.programs import environment, program, wait_until
from lib.terminal import Console
from lib.webserver import reachable
from lib.worker import listening

OWNER = "www-data"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def home():
    """A folder of root's with a data directory in it that belongs to somebody else."""
    path = Path(tempfile.mkdtemp(prefix="postern-"))
    try:
        owner = pwd.getpwnam(OWNER)
    except KeyError:
        pytest.skip(f"no user {OWNER}")
    os.chmod(path, 0o755)
    postern("init", "--data", path / "data")
    for folder, folders, files in os.walk(path / "data"):
        for name in [".", *folders, *files]:
            os.chown(Path(folder) / name, owner.pw_uid, owner.pw_gid)
    (path / "private").mkdir(mode=0o700)
    yield path
    shutil.rmtree(path)


def test_what_root_does_belongs_to_the_owner(home):
    assert postern("site", "add", "acme", "--data", home / "data").code == 0
    assert postern("key", "create", "acme", "--data", home / "data").code == 0
    uid = pwd.getpwnam(OWNER).pw_uid
    for folder, folders, files in os.walk(home / "data"):
        assert all(os.stat(Path(folder) / name).st_uid == uid for name in folders + files)


def give(home, uid, gid):
    for folder, _, files in os.walk(home / "data"):
        for name in [".", *files]:
            os.chown(Path(folder) / name, uid, gid)


def owners(home):
    return {(st.st_uid, st.st_gid) for folder, folders, files in os.walk(home / "data")
            for st in (os.lstat(Path(folder) / name) for name in [".", *folders, *files])}


def test_an_owner_without_an_account_is_taken_all_the_same(home):
    """As where a container's data is looked at from outside."""
    nobody_knows = 54321
    give(home, nobody_knows, nobody_knows)
    for words in (("site", "add", "acme"), ("key", "create", "acme"), ("key", "rotate", "acme"), ("audit", "checkpoint"),
                  ("audit", "verify"), ("backup", home / "private" / "copy")):
        assert postern(*words, "--data", home / "data").code == 0, words
    assert owners(home) == {(nobody_knows, nobody_knows)}
    assert os.stat(home / "private" / "copy").st_uid == nobody_knows


@pytest.mark.parametrize("mode", [0o750, 0o2770], ids=["as made", "as it was once"])
def test_attack_a_worker_cannot_put_a_link_where_an_admin_opens_the_ledger(home, mode):
    """LMDB follows links: one from ledger/lock.mdb to the vault, between two looks, made a lock file of the vault."""
    (home / "data/ledger").chmod(mode)
    postern("init", "--data", home / "data")
    rights = {"user": "nobody", "group": pwd.getpwnam(OWNER).pw_gid, "extra_groups": []}
    script = """import os, sys
os.chdir(sys.argv[1])
open("lock.mdb", "r+b").close()
for what in (lambda: os.rename("lock.mdb", "aside"), lambda: os.unlink("data.mdb"), lambda: os.symlink("../vault/data.mdb", "x")):
    try:
        what()
        sys.exit("done")
    except PermissionError:
        pass
"""
    done = subprocess.run(["/usr/bin/python3", "-B", "-c", script, home / "data/ledger"], capture_output=True, check=False, **rights)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (home / "data/ledger").iterdir()) == ["data.mdb", "lock.mdb"]
    # and it needs no more than that
    os.chown(home, rights["group"], rights["group"])
    home.chmod(0o775)
    with subprocess.Popen([reachable(Path(program("postern-fcgi")), home, OWNER), "--data", home / "data", "--listen", home / "s"],
                          stderr=subprocess.DEVNULL, env=environment(), **rights) as worker:
        try:
            wait_until(lambda: listening(home / "s") or worker.poll() is not None, "the worker to listen")
            wait_until(lambda: "1 worker runs" in postern("doctor", "--data", home / "data").out, "its row in the ledger")
        finally:
            worker.terminate()


def test_the_console_takes_the_owner(home):
    owner = pwd.getpwnam(OWNER)
    postern("site", "add", "acme", "--data", home / "data")
    with Console(home / "data", "--site", "acme") as console:
        console.wait_for("NO KEY VERIFIES")
        status = Path(f"/proc/{console.pid}/status").read_text(encoding="ascii")
        console.press("c")
        console.wait_for("Label")
        console.press("Enter", "Right", "Enter")
        secret = re.search(r"postern_sk_\w+", "\n".join(console.wait_for(re.compile(r"postern_sk_\w{49}"))))
        console.close_secret(secret[0])
        console.wait_for("1 of 3 keys in use")
    for name, wanted in (("Uid", owner.pw_uid), ("Gid", owner.pw_gid)):
        assert f"{name}:" + f"\t{wanted}" * 4 + "\n" in status, status
    assert owners(home) == {(owner.pw_uid, owner.pw_gid)}


def test_files_of_the_command_line_are_roots_to_open(home):
    postern("site", "add", "acme", "--data", home / "data")
    secret = home / "private" / "secret"
    ran = postern("key", "create", "acme", "--secret-file", secret, "--data", home / "data")
    assert ran.code == 0 and os.stat(secret).st_uid == 0, ran
    minted = postern("token", "mint", "acme", "--email", "alex@example.com", "--secret-file", secret, "--data", home / "data")
    assert minted.code == 0, minted
    (home / "private" / "token").write_text(minted.out)
    assert postern("token", "explain", "acme", home / "private" / "token", "--data", home / "data").code == 0


def test_no_file_is_left_in_roots_folder_where_no_key_was_made(home):
    ran = postern("key", "create", "nope", "--secret-file", home / "private" / "secret", "--data", home / "data")
    assert ran.code == 1 and list((home / "private").iterdir()) == [], ran


def test_data_that_only_root_could_read_is_not_read(home):
    os.chown(home / "data" / "master.key", 0, 0)
    os.chmod(home / "data" / "master.key", 0o600)
    assert postern("site", "list", "--data", home / "data").code == 3


def test_the_actor_is_the_real_user_whatever_sudo_variables_say(home):
    subprocess.run([program("postern"), "site", "add", "acme", "--data", str(home / "data")], check=True, capture_output=True,
                   env=environment(SUDO_USER="mallory", USER="mallory", LOGNAME="mallory", SUDO_UID="4711"))
    out = postern("audit", "export", "--data", home / "data").out
    assert '"actor":"' in out and ":root" in out and "mallory" not in out and "4711" not in out


def test_init_stays_root_and_the_demo_is_the_owners(home):
    ran = postern("init", "--demo", "--data", home / "data2")
    assert ran.code == 0, ran
    assert postern("document", "list", "demo", "orders", "--data", home / "data2").code == 0
