"""postern audit list and export."""
import json
import subprocess

import pytest

from lib.programs import environment, program

NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}
ACTIONS = {"actions": [
    {"name": "mine", "title": "Mine", "description": "Mine.", "access": "personal", "effect": "read",
     "parameters": NOTHING, "connector": {"type": "documents", "collection": "notes", "operation": "list"}}]}


@pytest.fixture
def acme(data, tmp_path):
    site = data.add_site("acme", actions=ACTIONS)
    for email in ("alex@example.com", "jordan@example.com", "alex@example.com"):
        data.run("action", "run", "acme", "mine", "--token-file", data.file("t", site.token(email=email)))
    data.run("action", "run", "acme", "mine", "--token-file", data.file("t", "nonsense"), expect=1)
    data.run("site", "add", "other")
    return site


def export(data, *args):
    return [json.loads(line) for line in data.run("audit", "export", *args).out.splitlines()]


def test_export_is_the_whole_log_in_order(acme):
    records = export(acme.data)
    assert [r["seq"] for r in records] == list(range(len(records))) and len(records) > 10
    assert acme.data.run("audit", "export", "--format", "jsonl").out == acme.data.run("audit", "export").out
    assert acme.data.run("audit", "export", "--json").json == records


def test_filters_say_exactly_what_they_say(acme):
    everything = export(acme.data)
    for args, keep in (
            (["--site", "other"], lambda r: r["site"] == "other"),
            (["--outcome", "blocked"], lambda r: r["outcome"] == "blocked"),
            (["--reason", "token_malformed"], lambda r: r.get("reason") == "token_malformed"),
            (["--action", "mine"], lambda r: r.get("action") == "mine"),
            (["--after", "5"], lambda r: r["seq"] > 5),
            (["--after", "5", "--site", "acme", "--outcome", "done"],
             lambda r: r["seq"] > 5 and r["site"] == "acme" and r["outcome"] == "done"),
            (["--since", "-1h"], lambda r: True), (["--until", "-1h"], lambda r: False),
            (["--since", "2100-01-01"], lambda r: False)):
        assert export(acme.data, *args) == [r for r in everything if keep(r)], args


def test_email_finds_one_visitor_however_it_is_spelled(acme):
    found = export(acme.data, "--site", "acme", "--email", "ALEX@example.COM")
    assert len(found) == 2 and len({r["subject"] for r in found}) == 1
    assert export(acme.data, "--site", "acme", "--email", "nobody@example.com") == []
    acme.data.run("audit", "export", "--site", "acme", "--email", "not an email", expect=1)


def test_identities_are_shown_only_after_it_is_recorded_who_asked(acme):
    before = len(export(acme.data))
    lines = acme.data.run("audit", "export", "--with-identity", "--site", "acme", "--action", "mine").out.splitlines()
    emails = [json.loads(line)["identity"]["email"] for line in lines if "identity" in json.loads(line)]
    assert emails == ["alex@example.com", "jordan@example.com", "alex@example.com"]
    asked = export(acme.data)[before:]
    assert len(asked) == 1 and asked[0]["event"] == "audit" and asked[0]["site"] == "acme"
    assert asked[0]["detail"] == {"change": "export", "format": "jsonl", "with_identity": True, "action": "mine"}
    stored = [line for line in acme.data.audit_lines() if '"action":"mine"' in line and '"event":"action"' in line]
    assert [line.split(',"identity":')[0] + "}" if '"identity":' in line else line for line in lines] == stored


def test_list_shows_the_latest_newest_last(acme):
    everything = export(acme.data)
    assert acme.data.run("audit", "list", "--json").json == everything[-50:]
    assert acme.data.run("audit", "list", "--limit", "3", "--json").json == everything[-3:]
    shown = acme.data.run("audit", "list", "--limit", "2", "--site", "acme").out.splitlines()
    assert len(shown) == 3 and shown[0].startswith("SEQ") and "token_malformed" in shown[2]
    assert "alex@example.com" not in acme.data.run("audit", "list").out
    assert "alex@example.com" in acme.data.run("audit", "list", "--with-identity").out


def test_list_looks_back_past_what_does_not_match(data):
    data.run("site", "add", "first")
    data.add_site("acme", key=False, documents=[{"collection": "c", "id": "1", "owner": None, "data": {}}])
    rows = data.file("rows", json.dumps({"collection": "c", "id": "1", "owner": None, "data": {}}) + "\n")
    for _ in range(270):                        # two records each: beyond one slice
        data.run("document", "import", "acme", rows)
    assert [r["site"] for r in data.run("audit", "list", "--site", "first", "--json").json] == ["first", "first"]
    assert len(data.run("audit", "list", "--limit", "530", "--json").json) == 530
    assert len(export(data)) > 540


def test_a_removed_sites_records_are_found(acme):
    acme.data.run("site", "remove", "acme", "--yes")
    assert len(export(acme.data, "--site", "acme", "--email", "alex@example.com")) == 2


def test_export_to_a_reader_that_stops_early_ends(acme):
    run = subprocess.Popen([program("postern"), "audit", "export", "--data", str(acme.data.path)], env=environment(),
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    run.stdout.close()
    assert run.wait(timeout=30) == 3
    run.stderr.close()
