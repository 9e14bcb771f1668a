"""What must be true of every audit line that any test causes (the format is data/audit-line.schema.json)."""
import functools
import json
import re

import jsonschema

from lib.programs import ROOT

LINE_MAX = 16384


@functools.lru_cache(maxsize=1)
def validator():
    schema = json.loads((ROOT / "data/audit-line.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def canonical(value):
    """Compact, members sorted, ASCII-escaped."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def same_spelling(line):
    """Escapes may be spelled \\u00E9 or \\u00e9, and DEL by itself: JSON printers differ there, the rest is fixed."""
    return re.sub(r"\\u[0-9A-Fa-f]{4}", lambda m: m.group(0).lower(), line.replace("\x7f", "\\u007f"))


def check_line(line, seq):
    assert len(line.encode()) <= LINE_MAX and line.isascii(), line
    record = json.loads(line, parse_float=lambda text: (_ for _ in ()).throw(AssertionError(f"not an integer: {text}: {line}")))
    assert same_spelling(canonical(record)) == same_spelling(line), f"not canonical: {line}"
    problems = [f"{'/'.join(map(str, p.absolute_path))}: {p.message}" for p in validator().iter_errors(record)]
    assert not problems, f"does not fit the schema: {line}\n" + "\n".join(problems)
    assert record["seq"] == seq, f"seq is {record['seq']}, not {seq}: {line}"


def check_lines(lines, secrets=(), emails=()):
    """A whole log: every line by itself, seq without a gap from 0, and nothing in it that must not be."""
    for seq, line in enumerate(lines):
        check_line(line, seq)
        for kind, values in (("a secret", secrets), ("a clear email", emails)):
            found = [v for v in values if v and v in line]
            assert not found, f"{kind} stands in an audit line: {line}"


def matching(records, members):
    return [r for r in records if all(r.get(name) == value for name, value in members.items())]
