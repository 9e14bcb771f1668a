"""Our subset of JSON Schema 2020-12 against an independent validator (python3-jsonschema): random schemas of the subset,
random values near them, and the verdicts must be equal.

What is not the same, and so is given to the other validator in another spelling:
- `$` in a pattern is the very end (ECMA-262); Python's would match before a final line feed, too: it gets \\Z;
- `enum` there compares nested true and 1 as Python does: it gets anyOf of const;
- of format only date and date-time are looked at, by what is written here (RFC 3339)."""
import datetime
import random
import re

import jsonschema
import pytest

from lib.oracle import ask

CHECKER = jsonschema.FormatChecker(formats=())
NAMES = ["a", "b", "c/d", "e~f", "g h", "ä"]
TEXTS = ["", "a", "ab", "abc", "A1", "x\n", "ä", "\U0001f600", "e\u0301", "2024-02-29", "2023-02-29", "2024-02-29T23:59:59Z",
         "2024-02-29T23:59:60Z", "2024-02-29t00:00:00.5+23:59", "2024-02-29T24:00:00Z", "2024-1-1", "10:00", "\u0660\u0661"]
PATTERNS = ["^[a-z]*$", "a", "^.$", "^a?b+c{0,2}$", "^(ab|A1)$", "[^a]", "^\\d+$", "x$", "^\\w+$", "(?:b|c)$", "^[\\u00e4]$", "^(?!a)"]
NUMBERS = [0, 1, -1, 2, 3, 10, 0.0, -0.0, 1.0, 1.5, -2.25, 3.0, 1e2, 2 ** 53, 2 ** 53 + 1, float(2 ** 53), 2 ** 62, 1e300, -1e300, 0.1]
SCALARS = [None, True, False, *NUMBERS, *TEXTS]
CONSTANTS = [*SCALARS, [], [1], [1.0], [True], [[0]], {}, {"a": 1}, {"a": 1.0}, {"a": True}, {"a": [1, 2.0]}, {"a": None}]


@CHECKER.checks("date")
def is_date(text):
    if not isinstance(text, str):
        return True
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return False
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return text.startswith("0000-") and text[5:] != "" and is_date("2000-" + text[5:])
    return True


@CHECKER.checks("date-time")
def is_date_time(text):
    if not isinstance(text, str):
        return True
    m = re.fullmatch(r"([0-9-]{10})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?([Zz]|[+-]([0-9]{2}):([0-9]{2}))", text)
    if not m or not is_date(m[1]) or int(m[2]) > 23 or int(m[3]) > 59 or int(m[4]) > 60:
        return False
    if m[7] and (int(m[7]) > 23 or int(m[8]) > 59):
        return False
    if int(m[4]) == 60:       # a leap second is at the end of a day of UTC
        offset = (int(m[7] or 0) * 60 + int(m[8] or 0)) * (-1 if m[6].startswith("-") else 1)
        return (int(m[2]) * 60 + int(m[3]) - offset) % 1440 == 1439
    return True


def schema_of(chance, depth):
    """A schema of the subset; some of them say what ours refuses to load."""
    kind = chance.choice(["string", "number", "integer", "boolean", "null", "any", "constant", *["object", "array"] * (depth > 0) * 2])
    s = {}
    if kind not in ("any", "constant"):
        s["type"] = kind if chance.random() < 0.8 else sorted({kind, chance.choice(["null", "boolean", "string", "integer"])})
    if kind == "constant":
        if chance.random() < 0.5:
            s["const"] = chance.choice(CONSTANTS)
        else:
            s["enum"] = distinct(chance.sample(CONSTANTS, chance.randrange(1, 5)))
    if kind == "string":
        pick(chance, s, "minLength", lambda: chance.randrange(3))
        pick(chance, s, "maxLength", lambda: chance.randrange(2, 12))
        pick(chance, s, "pattern", lambda: chance.choice(PATTERNS))
        pick(chance, s, "format", lambda: chance.choice(["date", "date-time"]), 0.25)
    if kind in ("number", "integer"):
        pick(chance, s, "minimum", lambda: chance.choice([n for n in NUMBERS if n < 2]))
        pick(chance, s, "maximum", lambda: chance.choice([n for n in NUMBERS if n >= 2]))
    if kind == "array":
        pick(chance, s, "minItems", lambda: chance.randrange(2))
        pick(chance, s, "maxItems", lambda: chance.randrange(1, 4))
        pick(chance, s, "items", lambda: schema_of(chance, depth - 1), 0.8)
    if kind == "object":
        names = chance.sample(NAMES, chance.randrange(1, 4))
        s["properties"] = {name: schema_of(chance, depth - 1) for name in names}
        pick(chance, s, "required", lambda: chance.sample(names, chance.randrange(1, len(names) + 1)))
        pick(chance, s, "additionalProperties", lambda: chance.random() < 0.3)
    pick(chance, s, "description", lambda: "words", 0.1)
    return s


def pick(chance, s, name, value, odds=0.4):
    if chance.random() < odds:
        s[name] = value()


def distinct(values):
    out = []
    for v in values:
        if not any(same(v, o) for o in out):
            out.append(v)
    return out


def same(a, b):
    return jsonschema.Draft202012Validator({"const": a}).is_valid(b)


def value_of(chance, s, depth):
    """Something that may fit the schema, or nearly."""
    if chance.random() < 0.15 or depth == 0:
        return chance.choice(CONSTANTS)
    if "const" in s or "enum" in s:
        return chance.choice(s.get("enum", [s.get("const")]))
    kind = s.get("type", "any")
    kind = chance.choice(kind) if isinstance(kind, list) else kind
    if kind == "object":
        names = [*s.get("properties", {}), *(["zz"] if chance.random() < 0.2 else [])]
        return {n: value_of(chance, s.get("properties", {}).get(n, {}), depth - 1) for n in names if chance.random() < 0.8}
    if kind == "array":
        return [value_of(chance, s.get("items", {}), depth - 1) for _ in range(chance.randrange(5))]
    return chance.choice({"string": TEXTS, "number": NUMBERS, "integer": NUMBERS, "boolean": [True, False], "null": [None]}.get(kind, SCALARS))


def translated(s):
    """The same schema for the other validator."""
    if not isinstance(s, dict):
        return s
    out = {k: v for k, v in s.items() if k not in ("enum", "pattern", "properties", "items")}
    if "pattern" in s:
        out["pattern"] = s["pattern"].replace("$", "\\Z").replace("\\d", "[0-9]").replace("\\w", "[A-Za-z0-9_]")
    if "enum" in s:
        out["anyOf"] = [{"const": v} for v in s["enum"]]
    if "properties" in s:
        out["properties"] = {k: translated(v) for k, v in s["properties"].items()}
    if "items" in s:
        out["items"] = translated(s["items"])
    return out


def check(count, seed):
    chance = random.Random(seed)
    questions = []
    for _ in range(count):
        s = schema_of(chance, 3)
        questions.append({"schema": s, "values": [value_of(chance, s, 4) for _ in range(8)]})
    loaded = fitting = 0
    for q, verdicts in zip(questions, ask(questions), strict=True):
        if verdicts is None:
            continue
        loaded += 1
        other = jsonschema.Draft202012Validator(translated(q["schema"]), format_checker=CHECKER)
        for value, ours in zip(q["values"], verdicts, strict=True):
            assert ours == other.is_valid(value), (q["schema"], value)
            fitting += ours
    assert loaded > count / 2 and loaded < fitting < 7 * loaded       # it compares something, of both kinds


def test_numbers_are_equal_by_value_at_any_depth():
    questions = [{"schema": {"enum": [[1, {"a": [2.0]}], "x"]}, "values": [[1.0, {"a": [2]}], [1, {"a": [2.5]}], [True, {"a": [2]}], [1]]},
                 {"schema": {"const": {"a": 1.0, "b": [0]}}, "values": [{"b": [-0.0], "a": 1}, {"a": 1}, {"a": 1, "c": [0]}, {"a": 1, "b": [False]}]}]
    assert ask(questions) == [[True, False, False, False]] * 2


def test_verdicts_are_those_of_an_independent_validator():
    check(600, 1)


@pytest.mark.slow
@pytest.mark.limit(300)
def test_many_verdicts_are_those_of_an_independent_validator():
    seed = random.randrange(1 << 30)
    print("seed", seed)
    check(40000, seed)
