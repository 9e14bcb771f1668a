"""The site of a run: what its actions do, and who its visitors are."""
from lib.shop import action, documents, given, schema, text

SITE, OTHER = "acme", "beta"
VISITORS = 32
SLOTS = ("slot-1", "slot-2")
ID = schema(["id"], id=text(minLength=1))


def slot_actions(slot):
    """One taker at a time: who takes a slot that is free, and who gives it back."""
    number = slot.rsplit("-", 1)[1]
    move = {"take": ("free", "taken"), "release": ("taken", "free")}
    return [action(f"{verb}_{number}", "public", "write",
                   documents("slots", "update", id=slot, set={"state": after, "by": given("by")}, when={"state": [before]}),
                   schema(["by"], by=text())) for verb, (before, after) in move.items()]


ACTIONS = {"actions": [
    action("hello", "public", "read", {"type": "static", "result": {"hello": "world"}}),
    action("leave", "public", "write", documents("contacts", "create", set={"text": given("text")}), schema(["text"], text=text())),
    action("take_away", "public", "destructive", documents("contacts", "delete", id=given("id")), ID),
    action("create_note", "personal", "write", documents("notes", "create", set={"text": given("text"), "n": 0}),
           schema(["text"], text=text())),
    action("count_note", "personal", "write", documents("notes", "update", id=given("id"), set={"n": given("n")}),
           schema(["id", "n"], id=text(), n={"type": "integer"})),
    action("read_note", "personal", "read", documents("notes", "get", id=given("id")), ID),
    action("list_notes", "personal", "read", documents("notes", "list")),
    action("delete_note", "personal", "destructive", documents("notes", "delete", id=given("id")), ID),
    *(a for slot in SLOTS for a in slot_actions(slot)),
]}
DOCUMENTS = [{"collection": "slots", "id": slot, "owner": None, "data": {"state": "free", "by": "nobody"}} for slot in SLOTS]


def email(visitor):
    return f"soak{visitor}x@example.com"


def name(visitor):
    return f"Soak{visitor}x Person"


def canary(visitor, nonce):
    return f"canary{visitor}x {nonce}"
