"""As root: the data's owner is taken before data is opened; files named on the command line are the caller's."""
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from lib.datadir import postern
from lib.programs import environment, program

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
