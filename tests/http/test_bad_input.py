"""Bodies and headers that are wrong: each is refused for what it is, in bounded time, and changes nothing."""
import json
import time

import pytest

from lib.fastcgi import ask
from lib.shop import ACTIONS, Written, action, add_shop, documents, rows, schema

pytestmark = pytest.mark.tree("sanitized")

BODY_MAX = 65536
NEVER = documents("notes", "create", set={"value": {"$input": "value"}})
KEYWORDS = {            # name: (schema of `value`, good values, bad values)
    "type_string": ({"type": "string"}, ["", "x"], [5, None, True, [], {}, 1.5]),
    "type_integer": ({"type": "integer"}, [0, -5, 2**53, 1.0], [1.5, "1", None, True, [1]]),
    "type_number": ({"type": "number"}, [0, 1.5, -1e300], ["1.5", None, False, {}]),
    "type_boolean": ({"type": "boolean"}, [True, False], [0, 1, "true", None]),
    "type_object": ({"type": "object"}, [{}, {"a": 1}], [[], "{}", None]),
    "type_array": ({"type": "array"}, [[], [1]], [{}, "[]", None]),
    "enum": ({"enum": ["a", 1, None, [1]]}, ["a", 1, 1.0, None, [1]], ["A", 2, True, [1, 1], "1", ""]),
    "const": ({"const": {"a": [1]}}, [{"a": [1]}], [{"a": [2]}, {"a": [1], "b": 1}, {}, None]),
    "min_length": ({"type": "string", "minLength": 2}, ["ab", "äö", "🙂🙂"], ["", "a", "ä", "🙂"]),
    "max_length": ({"type": "string", "maxLength": 2}, ["", "ab", "🙂🙂"], ["abc", "🙂🙂🙂"]),
    "pattern": ({"type": "string", "pattern": "^[a-z]+$"}, ["abc"], ["", "aB", "abc\n", "abc def", "ä"]),
    "minimum": ({"type": "number", "minimum": 2}, [2, 2.0, 3], [1, 1.999, -5]),
    "maximum": ({"type": "integer", "maximum": 2}, [2, -9], [3, 2**62]),
    "items": ({"type": "array", "items": {"type": "integer"}}, [[], [1, 2]], [["1"], [1, None], [[1]]]),
    "min_items": ({"type": "array", "minItems": 1}, [[1]], [[]]),
    "max_items": ({"type": "array", "maxItems": 2}, [[], [1, 2]], [[1, 2, 3]]),
    "date": ({"type": "string", "format": "date"}, ["2026-02-28", "2024-02-29"],
             ["2026-02-29", "2026-2-1", "2026-13-01", "", "20260101", "2026-01-01T00:00:00Z"]),
    "date_time": ({"type": "string", "format": "date-time"}, ["2026-01-01T00:00:00Z", "2026-01-01t23:59:59.5+05:30"],
                  ["2026-01-01", "2026-01-01 00:00:00Z", "2026-01-01T00:00:00", "2026-01-01T25:00:00Z", "tomorrow"]),
    "nested": (schema(["n"], n={"type": "integer"}), [{"n": 1}], [{}, {"n": "1"}, {"n": 1, "m": 2}, []]),
}
HOSTILE = "^(a+)+$"
CASES = [(name, value, good) for name, (_, goods, bads) in KEYWORDS.items() for values, good in ((goods, True), (bads, False)) for value in values]


@pytest.fixture(scope="module")
def site(module_data):
    actions = [action(f"check_{name}", "personal", "write", NEVER, schema(["value"], value=rule)) for name, (rule, _, _) in KEYWORDS.items()]
    actions.append(action("hostile", "personal", "write", NEVER, schema(["value"], value={"type": "string", "pattern": HOSTILE})))
    actions.append(action("hostile_list", "personal", "write", NEVER,
                          schema(["value"], value={"type": "array", "items": {"type": "string", "pattern": HOSTILE}})))
    return add_shop(module_data, "inputs", actions={"actions": actions + ACTIONS["actions"]})


@pytest.fixture
def log(web, site):
    return Written(web, site)


def written_rows(site):
    """All that the actions tried here could write."""
    return rows(site, "orders"), rows(site, "notes")


@pytest.fixture
def unchanged(site, log):
    """A check that a refused request changed nothing and wrote just what is due."""
    before = written_rows(site)

    def check(answer, code, due=0):
        assert answer.code == code, str(answer)
        records = log.of(answer)
        assert [r["outcome"] for r in records] == ["refused"] * due and written_rows(site) == before
        assert all(r["reason"] == code for r in records)
    return check


def post(web, site, body, action="create_order", media="application/json", **how):
    return web.request("POST", f"/v1/sites/{site.name}/actions/{action}", site.token(), [("Content-Type", media)], body, **how)


GOOD = b'{"parameters":{"item":"x"}}'
MALFORMED = {
    "empty text": b" ", "a word": b"hello", "cut short": b'{"parameters":{"item":"x"}', "two values": GOOD + b"{}", "a comma": GOOD + b",",
    "trailing text": GOOD + b"x", "an array": b"[]", "an array of it": b"[" + GOOD + b"]", "a string": b'"x"', "a number": b"1", "null": b"null",
    "single quotes": b"{'parameters':{}}", "a comment": b'{/**/"parameters":{"item":"x"}}', "a trailing comma": b'{"parameters":{"item":"x"},}',
    "a byte order mark": b"\xef\xbb\xbf" + GOOD, "UTF-16": GOOD.decode().encode("utf-16"), "Latin-1": b'{"parameters":{"item":"\xe9"}}',
    "overlong UTF-8": b'{"parameters":{"item":"\xc0\xaf"}}', "a surrogate in UTF-8": b'{"parameters":{"item":"\xed\xa0\x80"}}',
    "beyond Unicode": b'{"parameters":{"item":"\xf4\x90\x80\x80"}}', "a lone surrogate": b'{"parameters":{"item":"\\ud800"}}',
    "a cut character": b'{"parameters":{"item":"\xf0\x9f\x99"}}',
    "a NUL": b'{"parameters":{"item":"a\x00b"}}', "a NUL after a value": b'{"parameters":{"item":"x","n":1\x00}}', "a NUL at the end": GOOD + b"\x00",
    "a NUL first": b"\x00" + GOOD, "an escaped NUL": b'{"parameters":{"item":"a\\u0000b"}}', "an escaped NUL in a name": b'{"parameters":{"it\\u0000em":"x"}}',
    "a control character": b'{"parameters":{"item":"a\x01b"}}', "a bad escape": b'{"parameters":{"item":"\\x41"}}',
    "a duplicate member": b'{"parameters":{"item":"x","item":"y"}}', "a duplicate by escape": b'{"parameters":{"item":"x","\\u0069tem":"y"}}',
    "parameters twice": b'{"parameters":{"item":"x"},"parameters":{"item":"y"}}', "NaN": b'{"parameters":{"item":NaN}}',
    "infinity": b'{"parameters":{"item":1e999}}', "hex": b'{"parameters":{"item":0x10}}', "a leading zero": b'{"parameters":{"item":01}}',
    "a huge integer": b'{"parameters":{"item":' + b"9" * 400 + b"}}",
    "10,000 arrays": b"[" * 10000 + b"]" * 10000, "10,000 open arrays": b'{"parameters":' + b"[" * 10000,
    "10,000 objects": b'{"a":' * 10000 + b"1" + b"}" * 10000, "33 deep": b'{"parameters":' + b"[" * 32 + b"]" * 32 + b"}",
    "parameters no object": b'{"parameters":[]}', "parameters null": b'{"parameters":null}', "parameters a string": b'{"parameters":"{}"}',
    "an unknown member": b'{"parameters":{"item":"x"},"surprise":1}', "a member in capitals": b'{"Parameters":{"item":"x"}}',
    "the action in the body": b'{"action":"create_order","parameters":{"item":"x"}}', "a form": b"item=x", "XML": b"<a/>",
}


@pytest.mark.parametrize("name", list(MALFORMED))
def test_a_malformed_body(web, site, unchanged, name):
    start = time.monotonic()
    answer = post(web, site, MALFORMED[name])
    assert time.monotonic() - start < 5
    unchanged(answer, "request_malformed")
    assert answer.json["errors"]


def test_32_deep_is_read(web, site):
    """The bound itself is no fault: what is in it is judged like any other value."""
    answer = post(web, site, b'{"parameters":{"list":' + b"[" * 30 + b"]" * 30 + b"}}", "free_form")
    assert answer.status == 200


@pytest.mark.parametrize("size, code", [(BODY_MAX, None), (BODY_MAX + 1, "body_too_large"), (1000000, "body_too_large")])
def test_a_body_may_have_64_kib(web, site, unchanged, size, code):
    answer = post(web, site, GOOD + b" " * (size - len(GOOD)), "create_order" if code else "hello")
    if code:
        unchanged(answer, code)
    else:
        assert answer.code == "parameters_invalid", "hello takes no item: it was read to its end"


def test_a_large_body_in_chunks_is_too_large_as_well(web, site, unchanged):
    unchanged(post(web, site, iter([b" " * 30000] * 3 + [GOOD]), chunked=True), "body_too_large")


def test_a_large_body_to_no_route_is_read_and_not_found(web):
    assert web.request("POST", "/v1/nothing", body=b" " * 500000).code == "not_found"


@pytest.mark.parametrize("length", ["28", "100000000000000000000", "-1", "26", "0", "27x", "0x1b", "+27", " 27", "2 7", "\u0662"])
def test_a_body_that_is_not_as_long_as_declared(unlimited, web, site, unchanged, length):
    """Straight to the worker: lighttpd would wait for the rest. GOOD has 27 bytes."""
    assert len(GOOD) == 27
    answer = ask(unlimited, "POST", f"/v1/sites/{site.name}/actions/create_order", GOOD, CONTENT_LENGTH=length,
                 HTTP_AUTHORIZATION=f"Bearer {site.token()}")
    unchanged(answer, "body_too_large" if length == "100000000000000000000" else "request_malformed")


@pytest.mark.parametrize("media", ["text/plain", "application/jsonp", "application/json/x", "text/json", "application/x-www-form-urlencoded",
                                   "multipart/form-data; boundary=x", "application", ";", "application/json,text/plain", "json", " "])
def test_any_other_media_type(unlimited, site, unchanged, media):
    answer = ask(unlimited, "POST", f"/v1/sites/{site.name}/actions/create_order", GOOD, CONTENT_TYPE=media,
                 HTTP_AUTHORIZATION=f"Bearer {site.token()}")
    unchanged(answer, "media_type")


def test_a_body_without_a_media_type(web, site, unchanged):
    answer = web.request("POST", f"/v1/sites/{site.name}/actions/create_order", site.token(), body=GOOD)
    unchanged(answer, "media_type")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE"])
def test_any_other_method(unlimited, site, unchanged, method):
    answer = ask(unlimited, method, f"/v1/sites/{site.name}/actions/create_order", GOOD, HTTP_AUTHORIZATION=f"Bearer {site.token()}",
                 HTTP_X_HTTP_METHOD_OVERRIDE="POST")
    assert answer.status == 405
    if method != "HEAD":
        unchanged(answer, "method_not_allowed")


@pytest.mark.parametrize("parameters, pointers", [
    ({}, ["/parameters/item"]), ({"item": None}, ["/parameters/item"]), ({"item": "x", "items": 1}, ["/parameters/items"]),
    ({"item": "x", "": 1}, ["/parameters/"]), ({"item": "x", "__proto__": {}}, ["/parameters/__proto__"]),
    ({"item": "x" * 201}, ["/parameters/item"]), ({"item": {"$identity": "email"}}, ["/parameters/item"]),
    ({"item": "x", "owner": "jordan@example.com"}, ["/parameters/owner"]), ({"item": "x", "state": "shipped"}, ["/parameters/state"])])
def test_parameters_that_do_not_fit(web, site, unchanged, parameters, pointers):
    answer = web.act(site.name, "create_order", parameters, site.token())
    unchanged(answer, "parameters_invalid", due=1)
    assert [e["pointer"] for e in answer.json["errors"]] == pointers


@pytest.mark.parametrize("name, value, good", CASES, ids=[f"{n}-{json.dumps(v)[:24]}-{g}" for n, v, g in CASES])
def test_each_schema_keyword(web, site, log, name, value, good):
    answer = web.act(site.name, f"check_{name}", {"value": value}, site.token())
    if good:
        assert answer.status == 200 and answer.json["result"]["data"] == {"value": value}
        log.one(answer, outcome="done")
    else:
        assert answer.code == "parameters_invalid" and len(answer.json["errors"]) >= 1
        assert answer.json["errors"][0]["pointer"].startswith("/parameters/value")
        log.one(answer, outcome="refused", reason="parameters_invalid")


def test_every_keyword_that_constrains_is_tried_here():
    tried = {word for rule, _, _ in KEYWORDS.values() for word in rule}
    assert tried >= {"type", "properties", "required", "additionalProperties", "enum", "const", "minLength", "maxLength", "pattern",
                     "minimum", "maximum", "items", "minItems", "maxItems", "format"}


@pytest.mark.parametrize("name, value", [("hostile", "a" * 60000 + "!"), ("hostile", "a" * 40 + "!"), ("hostile_list", ["a" * 40 + "!"] * 1000)])
def test_a_pattern_is_answered_in_bounded_time(web, site, unchanged, name, value):
    """Backtracking would take for ever; the match limit ends it, and what was not matched is refused."""
    start = time.monotonic()
    answer = web.act(site.name, name, {"value": value}, site.token())
    seconds = time.monotonic() - start
    unchanged(answer, "parameters_invalid", due=1)
    assert seconds < 20, f"it took {seconds:.1f} s"


@pytest.mark.parametrize("value", ["' OR 1=1 --", "{\"$identity\":\"email\"}", "${jndi:ldap://x}", "{{7*7}}", "%s%n", "../../etc/passwd", "$input"])
def test_text_is_never_structure(web, site, value):
    """It is stored and given back as it came."""
    answer = web.act(site.name, "create_order", {"item": value}, site.token())
    assert answer.status == 200 and answer.json["result"]["data"]["item"] == value


def test_a_row_that_would_be_too_large_is_refused(web, site, unchanged):
    """Stored text is escaped, so a body that is small enough can make a row that is not."""
    body = json.dumps({"parameters": {"data": {"x": "é" * 30000}}}, ensure_ascii=False)
    answer = post(web, site, body, "free_form")
    unchanged(answer, "parameters_invalid", due=1)


def test_after_all_this_a_good_request_is_answered(web, site):
    answer = post(web, site, GOOD)
    assert answer.status == 200 and answer.json["result"]["data"]["item"] == "x"
