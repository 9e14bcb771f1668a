"""What the check scripts share: the tree's root, its files, and the end of a check that may not find nothing."""
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CODE = ("shared", "fcgi-app", "console")     # what is delivered; tests/ is not


def files(*folders, suffixes=(".c", ".h")):
    """The files below these folders, as paths relative to the root, sorted."""
    found = []
    for folder in folders:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in suffixes and path.is_file():
                found.append(path.relative_to(ROOT))
    return sorted(found)


def read(path):
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


def without_comments(text):
    """C text with comments blanked out, line numbers kept; strings stay (an include's name is one)."""
    pattern = r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*'

    def blank(match):
        token = match.group(0)
        return re.sub(r"[^\n]", " ", token) if token.startswith("/") else token
    return re.sub(pattern, blank, text, flags=re.S)


def without_strings(text):
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)


def build_folder():
    return ROOT / os.environ.get("POSTERN_BUILD", "build")


CODES = "shared/base/codes.h"


def c_string(text):
    """The value of adjacent C string literals."""
    return "".join(re.findall(r'"((?:\\.|[^"\\])*)"', text)).replace('\\"', '"').replace("\\\\", "\\")


def reasons():
    """[(name, status, sentence)] of REASON_LIST, without NONE, which is the absence of a reason."""
    body = re.search(r"#define REASON_LIST\(X\)(.*?)\n\n", read(CODES), re.S)
    entry = r'\bX\((\w+),\s*("[^"]*"),\s*(\d+),\s*((?:"(?:\\.|[^"\\])*"[\s\\]*)+)\)'
    found = re.findall(entry, body.group(1)) if body else []
    written = len(re.findall(r"\bX\(\w", body.group(1))) if body else 0
    if len(found) != written:
        sys.exit(f"{CODES} lists {written} reasons, of which {len(found)} can be read")
    return [(c_string(name), int(status), c_string(text)) for enum, name, status, text in found if enum != "NONE"]


def printed(name, *arguments):
    """What one of the programs prints; None where it is not built."""
    program = build_folder() / name
    if not program.exists():
        return None
    run = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=20, check=False)
    if run.returncode != 0 or not run.stdout.strip():
        sys.exit(f"{program} {' '.join(arguments)} failed ({run.returncode}): {run.stderr}")
    return run.stdout


def first_difference(have, want):
    for a, b in zip(have.split("\n") + [""], want.split("\n") + [""]):
        if a != b:
            return f"has: {a!r}, should be: {b!r}"
    return "is shorter or longer"


class Report:
    """Collects what is wrong; finish() ends the process, with 1 also where nothing was looked at."""

    def __init__(self, name):
        self.name, self.problems, self.looked = name, [], 0

    def add(self, where, text):
        self.problems.append(f"{where}: {text}")

    def finish(self, what):
        for problem in self.problems:
            print(problem)
        if self.looked == 0:
            print(f"{self.name}: found no {what} to check")
            sys.exit(1)
        if self.problems:
            print(f"{self.name}: {len(self.problems)} wrong in {self.looked} {what}")
            sys.exit(1)
        print(f"{self.name}: {self.looked} {what}, all right")
