"""What a process has in its memory: a real core of it, all that is mapped but files, also what asked not to be in one."""
import os
import subprocess

import pytest

from lib.programs import SANITIZED, environment, tool


def core_of(pid, path):
    """The core's bytes; path is where it is kept for a moment. Skips the test where none can be taken."""
    if SANITIZED:
        pytest.skip("a core of a sanitized program is all of its shadow memory")
    if os.geteuid() != 0:
        pytest.skip("only root may take a core of a program that forbids it")
    command = [tool("gdb"), "-nx", "-batch", "-p", str(pid), "-ex", "set dump-excluded-mappings on", "-ex", f"gcore {path}"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=50, env=environment())
    if not path.exists():
        pytest.skip(f"gdb may not take a core here: {done.stderr.decode()[-300:]}")
    content = path.read_bytes()
    path.unlink()
    assert content[:4] == b"\x7fELF" and len(content) > 1 << 20
    return content
