"""What --json prints has the members that postern(8) lists, and no other."""
import re

import pytest

from lib.programs import ROOT

ACTIONS = {"actions": [{
    "name": "mine", "title": "Mine", "description": "What is mine.", "access": "personal", "effect": "read",
    "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
    "connector": {"type": "documents", "collection": "things", "operation": "list"}}]}
ROW = '{"collection":"things","id":"a","owner":null,"data":{}}\n'


def listed():
    """{command: (is it a list?, members that are always there, those that may be, those of the items)}."""
    page = (ROOT / "data/man/postern.8").read_text(encoding="utf-8")
    part = re.search(r"^\.Ss What --json prints\n(.*?)^\.Sh ", page, re.M | re.S).group(1)
    found = {}
    for heads, body in re.findall(r"^\.It Cm (.*)\n((?:[^.].*\n)+)", part, re.M):
        text = re.sub(r" \([^)]*\)", "", body.replace("\n", " "))
        first, *rest = re.split(r"[.;:] ", text + " ")
        whole = first.removeprefix("A list") == first
        names = first if whole else next((r for r in rest if r.startswith("each has ")), "")
        inner = next((r for r in rest if re.match(r"each \w+ has ", r)), "")
        for head in heads.split(" , "):
            found[head] = whole, *members(names), members(inner)
    return found


def members(text):
    names = re.findall(r"\[?\b[a-z][a-z_0-9]*\b\]?", re.sub(r"^each (\w+ )?has ", "", text).replace(" or ", ", "))
    return {n for n in names if n[0] != "["}, {n.strip("[]") for n in names if n[0] == "["}


@pytest.fixture
def prints(data):
    """Runs a command with --json and holds its document against the manual page; returns the document."""
    page = listed()

    def check(*args, **options):
        ran = data.run(*args, "--json", **options)
        command = next(c for c in (" ".join(map(str, args[:2])), args[0]) if c in page)
        whole, always, maybe, _ = page[command]
        for document in [ran.json] if whole else ran.json:
            assert always <= set(document) <= always | maybe, (command, sorted(set(document) ^ always))
        return ran.json
    return check


def test_sites_and_keys(data, prints):
    for args in (["site", "add", "acme"], ["site", "set", "acme", "--name", "Acme"], ["site", "show", "acme"]):
        prints(*args)
    secret = data.home / "secret"
    kid = prints("key", "create", "acme", "--secret-file", secret)["kid"]
    made = data.run("key", "create", "acme", "--json").json
    data.secrets.add(made["secret"])
    assert set(made) == {"site", "kid", "state", "secret"}
    prints("key", "retire", "acme", made["kid"], "--in", "1h")
    prints("key", "keep", "acme", made["kid"])
    prints("key", "retire", "acme", made["kid"], "--now")
    prints("key", "import", "acme", stdin="an imported secret of more than 32 bytes")
    prints("key", "rotate", "acme", kid, "--secret-file", data.home / "new")
    assert prints("key", "list", "acme")
    prints("key", "check", "acme")
    token = prints("token", "mint", "acme", "--email", "alex@example.com", "--secret-file", secret)["token"]
    explained = prints("token", "explain", "acme", stdin=token)
    always, maybe = listed()["token explain"][3]
    assert all(always <= set(c) <= always | maybe for c in explained["checks"])
    prints("site", "remove", "acme", "--yes")


def test_the_log_and_the_data(data, prints, site):
    prints("action", "import", "acme", data.file("actions", ACTIONS))
    prints("action", "list", "acme")
    prints("document", "import", "acme", data.file("rows", ROW))
    assert prints("document", "list", "acme", "things")
    data.run("action", "run", "acme", "mine", "--token-file", data.file("t", site.token()))
    prints("audit", "checkpoint")
    for args in (["verify"], ["vkey"], ["prove", "0"], ["stats"], ["prune", "--yes"], ["erase", "acme", "--email", "alex@example.com", "--yes"]):
        prints("audit", *args)
    prints("backup", data.home / "backup")
    prints("init")
    prints("restore", data.home / "backup", "--accept-all-keys", "--yes")
    prints("migrate")
    prints("compact")


def test_doctor_and_the_list_of_sites(data, site):
    assert site
    page = listed()
    document = data.ask("doctor", "--json").json
    assert set(document) == page["doctor"][1]
    always, maybe = page["doctor"][3]
    assert all(always <= set(c) <= always | maybe for c in document["checks"])
    more = {"keys_active", "keys_retiring", "verified_1m", "blocked_1m", "last_event"}
    [row] = data.run("site", "list", "--json").json
    assert set(row) == page["site show"][1] | more
