"""A site with one action for every way an action can go, and what a request wrote to the log."""
import json

from lib import audit
from lib.programs import ROOT
from lib.tokens import HEADER, mint_raw

ALEX, JORDAN = "alex@example.com", "jordan@example.com"
DEMO = ROOT / "data/demo"


def schema(required=(), closed=True, **properties):
    return {"type": "object", "properties": properties, "required": list(required),
            **({"additionalProperties": False} if closed else {})}


def text(**more):
    return {"type": "string", "maxLength": 200, **more}


def given(name):
    return {"$input": name}


def documents(collection, operation, **more):
    return {"type": "documents", "collection": collection, "operation": operation, **more}


def action(name, access, effect, connector, parameters=None):
    return {"name": name, "title": f"Title of {name}", "description": f"What {name} does.", "access": access, "effect": effect,
            "parameters": parameters or schema(), "connector": connector}


HELLO = {"hello": ["world", 1, None, "é"]}
ID = schema(["id"], id=text(minLength=1))
ACTIONS = {"actions": [
    action("hello", "public", "read", {"type": "static", "result": HELLO}),
    action("browse", "public", "read", documents("products", "list", after=given("after")), schema(after=text())),
    action("look_up", "public", "read", documents("orders", "get", id=given("id")), ID),
    action("contact", "public", "write",
           documents("contacts", "create", set={"text": given("text"), "email": given("email"), "name": given("name"),
                                                "more": given("more")}),
           schema(["text"], text=text(), email=text(), name=text(), more={"type": "object"})),
    action("take_slot", "public", "write", documents("slots", "update", id=given("id"), set={"state": "taken", "by": given("by")},
                                                     when={"state": ["free"]}), schema(["id"], id=text(), by=text())),
    action("change_any", "public", "write", documents("orders", "update", id=given("id"), set={"note": "public"}), ID),
    action("remove_any", "public", "destructive", documents("orders", "delete", id=given("id")), ID),
    action("sign", "public", "write", documents("contacts", "create", set={"by": {"$identity": "email"}})),
    action("static_own", "personal", "read", {"type": "static", "result": {"for": "members"}}),
    action("list_orders", "personal", "read", documents("orders", "list", after=given("after")), schema(after=text())),
    action("get_order", "personal", "read", documents("orders", "get", id=given("id")), ID),
    action("get_maybe", "personal", "read", documents("orders", "get", id=given("id")), schema(id=text())),
    action("create_order", "personal", "write",
           documents("orders", "create", set={"state": "open", "item": given("item"), "note": given("note"),
                                              "by": {"$identity": "email"}, "fixed": [1, {"two": None}]}),
           schema(["item"], item=text(), note=text())),
    action("change_order", "personal", "write",
           documents("orders", "update", id=given("id"), set={"note": given("note"), "seen": True}, when={"state": ["open", "held"]}),
           schema(["id"], id=text(), note=text())),
    action("delete_order", "personal", "destructive", documents("orders", "delete", id=given("id"), when={"state": ["open"]}), ID),
    action("by_user_id", "personal", "write", documents("notes", "create", set={"by": {"$identity": "user_id"}})),
    action("by_name", "personal", "write", documents("notes", "create", set={"by": {"$identity": "name"}})),
    action("by_claim", "personal", "write", documents("notes", "create", set={"tier": {"$claim": "tier"}})),
    action("free_form", "personal", "write", documents("notes", "create", set={"data": given("data"), "list": given("list")}),
           schema(data={"type": "object"}, list={"type": "array"})),
]}


def order(owner, name, state="open", collection="orders", **data):
    return {"collection": collection, "id": name, "owner": owner, "data": {"state": state, **data}}


DOCUMENTS = [
    order(ALEX, "a-1", item="boots"), order(ALEX, "a-2", "shipped", item="poles"), order(ALEX, "a-3", "held", item="tent"),
    order(JORDAN, "j-1", item="stove"), order(None, "n-1", item="nobody's"),
    order(None, "p-1", collection="products", price=10), order(None, "p-2", collection="products", price=20),
    order(None, "s-1", "free", collection="slots"), order(None, "s-2", "taken", collection="slots"),
]


def add_shop(data, name, *options, **how):
    return data.add_site(name, *options, **{"actions": ACTIONS, "documents": DOCUMENTS, **how})


def add_demo(data):
    """The demo site as it ships, with a key."""
    settings = json.loads((DEMO / "site.json").read_text(encoding="utf-8"))
    site = data.add_site("demo", "--name", settings["name"], "--plan", settings["plan"], "--sign-in-url", settings["sign_in_url"])
    data.run("action", "import", "demo", DEMO / "actions.json")
    data.run("document", "import", "demo", DEMO / "documents.jsonl")
    return site


def rows(site, collection="orders"):
    """{(owner, id): data} of all rows, whoever owns them."""
    listed = site.data.run("document", "list", site.name, collection, "--json").json
    return {(row["owner"], row["id"]): row["data"] for row in listed}


def everything(site):
    """All rows of the collections that ACTIONS know."""
    return {name: rows(site, name) for name in ("orders", "products", "contacts", "slots", "notes")}


def raw_token(site, payload, header=None):
    """A truly signed token with this payload (and members of the header) as they are: it may be nonsense."""
    token = mint_raw({**HEADER, "kid": site.kid, **header} if isinstance(header, dict) else header or {**HEADER, "kid": site.kid},
                     payload, site.secret)
    site.data.secrets.add(token)
    return token


def export(data, after):
    """The records behind this seq, each line checked by itself."""
    lines = [line for line in data.run("audit", "export", *(["--after", after] if after >= 0 else [])).out.split("\n") if line]
    for place, line in enumerate(lines):
        audit.check_line(line, after + 1 + place)
    return [json.loads(line) for line in lines]


class Written:
    """What requests write to the log: nothing, or exactly these records.

    The writer keeps its queue's order, so once a blocked token's record (which is waited for) is there, all before it are."""

    seen = {}               # {data directory: a seq that was there}, so that a long log is not read again and again

    def __init__(self, http, site):
        self.http, self.data = http, site.data
        self.fence = f"/v1/sites/{site.name}/identity"
        self.pass_fence()
        known = Written.seen.get(self.data.path, -1)
        self.seen[self.data.path] = self.seq = known + len(export(self.data, known))

    def pass_fence(self):
        answer = self.http.get(self.fence, "fence")
        assert answer.code == "token_invalid", str(answer)
        return answer

    def take(self):
        """All records since the last call."""
        fence = self.pass_fence()
        records = export(self.data, self.seq)
        own = [r for r in records if r["id"] == fence.request_id]
        assert len(own) == 1, "a blocked token has one record, before its answer"
        self.seq = records[-1]["seq"]
        return [r for r in records if r["id"] != fence.request_id]

    def of(self, answer):
        """The records since the last call, which must all be this answer's."""
        records = self.take()
        strangers = [r for r in records if r["id"] != answer.request_id]
        assert not strangers, f"records of no request: {strangers}"
        return records

    def one(self, answer, **members):
        """Exactly one record, with these members."""
        records = self.of(answer)
        assert len(records) == 1, f"{len(records)} records: {records}"
        wrong = {name: records[0].get(name) for name, value in members.items() if records[0].get(name) != value}
        assert not wrong, f"expected {members}, got {wrong} in {records[0]}"
        return records[0]

    def none(self, answer):
        assert self.of(answer) == []
