"""Actions for tests that count: notes are created, updated and read; each says who wrote it and how often."""
import json

from lib import fastcgi
from lib.fastcgi import environ

SITE = "acme"


def action(name, access, effect, parameters, connector):
    return {"name": name, "title": name.replace("_", " ").capitalize(), "description": "For tests.", "access": access, "effect": effect,
            "parameters": {"type": "object", "properties": {p: {"type": kind} for p, kind in parameters.items()},
                           "required": list(parameters), "additionalProperties": False},
            "connector": connector}


def documents(operation, **more):
    return {"type": "documents", "collection": "notes", "operation": operation, **more}


def given(name):
    return {"$input": name}


ACTIONS = {"actions": [
    action("create_note", "personal", "write", {"text": "string"}, documents("create", set={"text": given("text"), "n": 0})),
    action("count_note", "personal", "write", {"id": "string", "n": "integer"},
           documents("update", id=given("id"), set={"n": given("n")})),
    action("read_note", "personal", "read", {"id": "string"}, documents("get", id=given("id"))),
    action("leave_note", "public", "write", {"text": "string"}, documents("create", set={"text": given("text")})),
    action("hello", "public", "read", {}, {"type": "static", "result": {"hello": "world"}}),
    action("signal", "public", "write", {}, {"type": "static", "result": {"sent": True}}),
]}


def identity_path(site=SITE):
    return f"/v1/sites/{site}/identity"


def request_for(action_name, parameters, token=None, site=SITE):
    """The parameters and body of a FastCGI request for an action."""
    body = fastcgi.as_bytes(json.dumps({"parameters": parameters}))
    return environ("POST", f"/v1/sites/{site}/actions/{action_name}", token=token, body=body), body


def act(worker, action_name, parameters, token=None, site=SITE):
    """One action on a connection of its own: the answer, checked."""
    env, body = request_for(action_name, parameters, token, site)
    with worker.connect() as c:
        return c.ask(env, body).answer.check()


def identity(worker, token=None, site=SITE):
    with worker.connect() as c:
        return c.ask(environ(path=identity_path(site), token=token)).answer.check()


def metrics(worker):
    """{name, with its labels: number}"""
    with worker.connect() as c:
        text = c.ask(environ(path="/v1/metrics", POSTERN_METRICS="1")).answer.body.decode()
    return {line.rsplit(" ", 1)[0]: int(line.rsplit(" ", 1)[1]) for line in text.splitlines() if not line.startswith("#")}


def health(worker):
    with worker.connect() as c:
        return c.ask(environ()).answer
