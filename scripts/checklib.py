"""What the check scripts share: the tree's root, its files, and the end of a check that may not find nothing."""
import os
import re
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
