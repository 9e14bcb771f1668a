#!/usr/bin/python3 -B
"""readme.py: writes what build/bench.json says into the README, between <!-- measured --> and <!-- /measured -->: the figures
that have a goal, and those that explain one. Run it after `make bench`, so that no figure there is typed by hand."""
import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from lib.programs import BUILD, ROOT                # noqa: E402
from run import number                              # noqa: E402

SERVERS = re.compile(r"(?P<kind>.+), (?P<connections>\d+) connections: (?P<what>.+)")
COLUMNS = [("32", "rate"), ("32", "null beside the commits"), ("32", "CPU"),
           ("256", "rate"), ("256", "null beside the commits"), ("256", "CPU"), ("256", "p99")]


def cell(figure):
    if figure is None:
        return ""
    if not figure["goal"]:
        return number(figure["value"])
    sign = {">=": "≥", "<=": "≤"}[figure["goal"][0]]
    missed = "" if figure["reached"] else " **missed**"
    return f"{number(figure['value'])} ({sign} {number(figure['goal'][1])}){missed}"


def servers(figures):
    """One row a kind of request."""
    rows = {}
    for figure in figures:
        found = SERVERS.fullmatch(figure["name"])
        rows.setdefault(found["kind"], {})[found["connections"], found["what"]] = figure
    yield "| behind nginx, ratios to the null responder | " + " | ".join(f"{n}: {what}" for n, what in COLUMNS) + " |"
    yield "|---" * (len(COLUMNS) + 1) + "|"
    for kind, row in rows.items():
        yield f"| {kind} | " + " | ".join(cell(row.get(column)) for column in COLUMNS) + " |"


def others(figures):
    yield "| | measured (goal) | |"
    yield "|---|---|---|"
    for figure in figures:
        if figure["goal"]:
            unit = figure["unit"].replace("|", "\\|")
            yield f"| {figure['bench']}: {figure['name']} | {cell(figure)} {unit} | {figure['note']} |"


def table(document):
    figures = document["figures"]
    yield (f"`make bench` on {document['date'][:10]} at commit {document['commit']}, {document['machine']}, kernel "
           f"{document['kernel']}; one fdatasync of an idle disk {document['fdatasync_ms']:.2f} ms; {document['rounds']} rounds.")
    yield ""
    yield from servers([f for f in figures if f["bench"] == "servers"])
    yield ""
    yield from others([f for f in figures if f["bench"] != "servers"])


def main():
    path = BUILD / "bench.json"
    if not path.is_file():
        sys.exit(f"readme.py: {path} is missing: run make bench first")
    document = json.loads(path.read_text(encoding="utf-8"))
    if document["problems"] or not any(f["bench"] == "servers" for f in document["figures"]):
        sys.exit("readme.py: this was not a whole run of make bench")
    page = ROOT / "README.md"
    text, count = re.subn(r"(<!-- measured -->\n).*?(<!-- /measured -->)",
                          lambda m: m[1] + "\n".join(table(document)) + "\n" + m[2], page.read_text(encoding="utf-8"), flags=re.S)
    if count != 1:
        sys.exit(f"readme.py: {page} has not one <!-- measured --> ... <!-- /measured -->")
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
