"""Where the programs under test are, what environment they get, and waiting for things without sleeping for luck."""
import os
import pwd
import shutil
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / os.environ.get("POSTERN_BUILD", "build")
THREAD_SANITIZED = BUILD.name.startswith("build-") and "thread" in BUILD.name
SANITIZED = THREAD_SANITIZED or (BUILD.name.startswith("build-") and "address" in BUILD.name)
# What make check gives to one tree alone is run whichever tree this is: where one run of everything counts, or is asked for.
ANY_TREE = THREAD_SANITIZED or BUILD.name == "build-coverage" or os.environ.get("POSTERN_ANY_TREE") == "1"
SANITIZER_EXIT = 99                    # no program of ours ends with it by itself
SANITIZER_OPTIONS = {name: f"exitcode={SANITIZER_EXIT}{more}" for name, more in {
    "ASAN_OPTIONS": "", "LSAN_OPTIONS": "", "UBSAN_OPTIONS": ":print_stacktrace=1",
    "TSAN_OPTIONS": f":second_deadlock_stack=1:atexit_sleep_ms=0:suppressions={ROOT / 'tests/tsan.supp'}"}.items()}
USER = pwd.getpwuid(os.geteuid()).pw_name


def program(name):
    path = BUILD / name
    assert path.exists(), f"{path} is missing: run make"
    return str(path)


def tool(name):
    """A program of the system; without it the test is skipped, visibly."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        pytest.skip(f"{name} is not installed (scripts/install-deps)")
    return path


def environment(**extra):
    """A clean environment: nothing of the caller's POSTERN_*, a fixed language and time zone."""
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": os.environ.get("HOME", "/"),
           "TMPDIR": os.environ.get("TMPDIR", "/tmp"), **SANITIZER_OPTIONS}
    return {**env, **{k: str(v) for k, v in extra.items()}}


def wait_until(condition, what, seconds=10.0):
    """Asks condition() until it gives something true, and returns that; fails after the deadline."""
    end = time.monotonic() + seconds
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(pause)              # between two looks, never instead of one
        pause = min(pause * 2, 0.05)
