"""postern action and postern document."""
import json

import pytest

NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}
ACTIONS = {"actions": [
    {"name": "greet", "title": "Greet", "description": "Says hello.", "access": "public", "effect": "read",
     "parameters": NOTHING, "connector": {"type": "static", "result": {"hello": "world"}}},
    {"name": "list_notes", "title": "My notes", "description": "The visitor's notes.", "access": "personal", "effect": "read",
     "parameters": NOTHING, "connector": {"type": "documents", "collection": "notes", "operation": "list"}},
    {"name": "add_note", "title": "Add a note", "description": "Keeps a note.", "access": "personal", "effect": "write",
     "parameters": {"type": "object", "properties": {"text": {"type": "string", "maxLength": 64}}, "required": ["text"],
                    "additionalProperties": False},
     "connector": {"type": "documents", "collection": "notes", "operation": "create", "set": {"text": {"$input": "text"}}}}]}


@pytest.fixture
def acme(data):
    return data.add_site("acme", actions=ACTIONS)


@pytest.fixture
def token_file(acme, tmp_path):
    path = tmp_path / "token"
    path.write_text(acme.token() + "\n")
    return path


def test_list_and_show(acme):
    assert acme.data.run("action", "list", "acme", "--json").json[0] == {
        "name": "greet", "title": "Greet", "access": "public", "effect": "read"}
    assert acme.data.run("action", "show", "acme", "add_note").json == ACTIONS["actions"][2]
    assert "list_notes" in acme.data.run("action", "list", "acme").out


def test_import_is_whole_or_not_at_all_and_points_at_mistakes(acme):
    bad = json.loads(json.dumps(ACTIONS))
    bad["actions"][1]["parameters"] = {"type": "object", "properties": {"email": {"type": "string"}}}
    bad["actions"][0]["nonsense"] = 1
    ran = acme.data.run("action", "import", "acme", acme.data.file("bad", bad), expect=1)
    assert "actions_invalid" in ran.err and "/actions/0/nonsense" in ran.err and "/actions/1/parameters" in ran.err
    assert len(acme.data.run("action", "list", "acme", "--json").json) == 3
    acme.data.run("action", "import", "acme", acme.data.file("bad", "{"), expect=1)
    acme.data.run("action", "import", "acme", acme.data.home / "none", expect=3)
    assert acme.data.audit(event="config", outcome="done")[-1]["detail"] == {"change": "actions", "count": 3}


def test_run_a_public_action(acme):
    ran = acme.data.run("action", "run", "acme", "greet")
    assert ran.json["result"] == {"hello": "world"} and ran.json["identity"]["status"] == "anonymous"
    assert acme.data.audit(event="action", action="greet")[0]["id"] == ran.json["audit"]


def test_run_as_a_visitor_leaves_the_records_a_request_would(acme, token_file):
    made = acme.data.run("action", "run", "acme", "add_note", "--token-file", token_file, "--parameters", '{"text": "x"}').json
    listed = acme.data.run("action", "run", "acme", "list_notes", "--token-file", token_file).json
    assert [i["id"] for i in listed["result"]["items"]] == [made["result"]["id"]]
    assert made["identity"]["email"] == "alex@example.com"
    done = acme.data.audit(event="action", outcome="done")
    assert [r["id"] for r in done] == [made["audit"], listed["audit"]] and all(r["kid"] == acme.kid for r in done)
    acme.data.run("action", "run", "acme", "list_notes", "--token-file", "-", stdin="Bearer " + token_file.read_text())


def test_refusals_are_exit_1_with_the_answer(acme, token_file):
    for args, code in ((["list_notes"], "sign_in_required"), (["nope"], "action_unknown"),
                       (["add_note", "--token-file", token_file], "parameters_invalid"),
                       (["greet", "--token-file", acme.data.file("t", "nonsense")], "token_invalid")):
        assert acme.data.run("action", "run", "acme", *args, expect=1).json["code"] == code
    assert len(acme.data.audit(outcome="blocked", reason="token_malformed")) == 1


def test_parameters_cannot_smuggle_other_members(acme):
    acme.data.run("action", "run", "acme", "greet", "--parameters", '{}, "conversation": "x"', expect=2)


def test_the_key_uses_of_a_run_are_counted(acme, token_file):
    acme.data.run("action", "run", "acme", "list_notes", "--token-file", token_file)
    row, = acme.data.run("key", "list", "acme", "--json").json
    assert row["uses_1m"] == row["uses_1h"] == row["uses_24h"] == 1
    assert "verified 1 token in the last hour" in acme.data.run("key", "list", "acme").out


# ---- documents ----

def lines(*rows):
    return "".join(json.dumps(r) + "\n" for r in rows)


def row(number, owner=None, collection="notes"):
    return {"collection": collection, "id": str(number), "owner": owner, "data": {"n": number}}


def test_documents_come_back_as_they_were(acme):
    rows = [row(1), row(2, "alex@example.com"), row(3, "jordan@example.com")]
    acme.import_documents(rows)
    listed = acme.data.run("document", "list", "acme", "notes", "--json").json
    assert sorted(listed, key=lambda r: r["id"]) == rows
    assert "jordan@example.com" in acme.data.run("document", "list", "acme", "notes").out


def test_owner_is_normalised_and_an_existing_row_replaced(acme):
    acme.import_documents([row(1, "Alex@EXAMPLE.com")])
    changed = {**row(1, "alex@example.com"), "data": {"n": "new"}}
    acme.import_documents([changed])
    assert acme.data.run("document", "list", "acme", "notes", "--json").json == [changed]


@pytest.mark.parametrize("bad", [
    '{"collection": "notes"}', "{", '{"collection": "Notes", "id": "1", "owner": null, "data": {}}',
    '{"collection": "notes", "id": "1", "owner": "alex", "data": {}}', '{"collection": "notes", "id": "1", "data": {}}',
    '{"collection": "notes", "id": "1", "owner": null, "data": []}', '{"collection": "notes", "id": "", "owner": null, "data": {}}',
])
def test_one_bad_line_anywhere_and_nothing_is_written(acme, bad):
    text = lines(*(row(i) for i in range(300))) + bad + "\n"
    before = acme.data.audit_lines()
    ran = acme.data.run("document", "import", "acme", acme.data.file("rows", text), expect=1)
    assert "line 301" in ran.err and "document_invalid" in ran.err
    assert acme.data.run("document", "list", "acme", "notes", "--json").json == [] and acme.data.audit_lines() == before


def test_many_documents_take_many_batches(acme):
    acme.import_documents([row(i, collection="a" if i % 2 else "b") for i in range(2000)])
    assert len(acme.data.run("document", "list", "acme", "a", "--json").json) == 1000
    done = acme.data.audit(event="config", outcome="done")[-1]
    assert done["detail"]["count"] == 2000 and sorted(done["detail"]["collections"]) == ["a", "b"]


def test_a_collection_nobody_named_is_unknown_and_an_empty_one_is_empty(acme):
    assert acme.data.run("document", "list", "acme", "notes", "--json").json == []
    acme.data.run("document", "list", "acme", "nope", expect=1)
