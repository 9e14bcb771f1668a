"""postern connection: what it asks of postern-connectd (here a stand-in of its admin socket), what it records, and where secrets go."""
import json
import os
import re
import socket
import socketserver
import threading

import pytest

from lib.datadir import postern
from lib.findings import Found
from lib.rawdb import RawDb
from lib.standin import Handler, Reply

pytestmark = pytest.mark.tree("sanitized")

CANARY = "canary-9d1f-secret"
PUBLIC = {"name": "shop", "provider": "shop", "base_url": "https://api.shop.example", "sites": ["acme"],
          "allow": ["GET /customers/{}/orders"], "auth": {"type": "api_key", "in": "header", "name": "X-Key", "prefix": ""},
          "http": False, "private": [], "ca": False, "concurrency": 16, "state": "ok", "state_since": 1700000000,
          "created_at": 1700000000}
ADD = ["connection", "add", "shop", "--base-url", "https://api.shop.example", "--site", "acme", "--allow",
       "GET /customers/{}/orders"]


class UnixHandler(Handler):
    disable_nagle_algorithm = False
    do_PUT = do_DELETE = Handler.answer
    do_GET = do_POST = Handler.answer


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that leaves is no event."""


class Connectd:
    """A stand-in of connectd's admin socket, with the connections it was told of."""

    def __init__(self, path):
        self.path, self.there, self.answers = path, {}, {}
        self.server = UnixServer(str(path), UnixHandler)
        self.server.function, self.server.asked = self.answer, []
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    @property
    def asked(self):
        return [(a.method, a.path) for a in self.server.asked]

    @property
    def body(self):
        return json.loads(self.server.asked[-1].body)

    def answer(self, asked):
        key = (asked.method, asked.path)
        if key in self.answers:
            answer = self.answers[key]
            return answer if answer is None or isinstance(answer, bytes) else self.reply(*answer)
        if asked.path == "/connections":
            return self.reply(200, {"connections": list(self.there.values())})
        name = asked.path.split("/")[2]
        if asked.method == "PUT":
            if name in self.there:
                return self.reply(409, {"error": "connection_exists"})
            given = json.loads(asked.body)
            self.there[name] = {**PUBLIC, **{k: v for k, v in given.items() if k not in ("secret", "ca_pem")}}
            return self.reply(200, self.there[name])
        if name not in self.there:
            return self.reply(404, {"error": "connection_unknown"})
        if asked.method == "DELETE":
            del self.there[name]
            return Reply(204)
        return self.reply(200, {"ok": True, "status": 200} if asked.path.endswith("/test") else self.there[name])

    @staticmethod
    def reply(status, body):
        return Reply(status, [("Content-Type", "application/json")], json.dumps(body).encode())

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def shop(data, monkeypatch):
    """The data directory, with a connectd that its commands ask."""
    connectd = Connectd(data.home / "admin.sock")
    data.add_site("acme", key=False)
    data.secrets.add(CANARY)
    ask = data.ask
    monkeypatch.setattr(data, "ask", lambda *args, env=None, **more: ask(
        *args, env={"POSTERN_CONNECT_ADMIN": connectd.path, **(env or {})}, **more))
    data.connectd = connectd
    yield data
    connectd.close()


def changes(data):
    return [(r["detail"]["change"], r["outcome"], r.get("reason")) for r in data.audit(event="connection")]


def test_add_sends_settings_and_secret_and_records_only_the_settings(shop):
    ran = shop.run(*ADD, "--site", "acme", "--header", "X-Key", "--test", "GET /ping", "--json", stdin=CANARY + "\n")
    body = shop.connectd.body
    assert shop.connectd.asked == [("PUT", "/connections/shop")]
    assert body.pop("secret") == {"api_key": CANARY}
    assert body == {"name": "shop", "provider": "shop", "base_url": "https://api.shop.example", "sites": ["acme", "acme"],
                    "allow": ["GET /customers/{}/orders"], "http": False, "private": [], "concurrency": 16, "test": "GET /ping",
                    "auth": {"type": "api_key", "in": "header", "name": "X-Key", "prefix": ""}}
    assert ran.json["name"] == "shop" and CANARY not in ran.out + ran.err
    before, after = shop.audit(event="connection")
    assert (before["outcome"], after["outcome"]) == ("intended", "done") and before["id"] == after["id"]
    assert after["detail"] == {**{k: v for k, v in body.items() if k != "name"}, "change": "add", "connection": "shop", "ca": False}
    assert CANARY not in "".join(shop.audit_lines())


@pytest.mark.parametrize("options, stdin, auth, secret", [
    ([], "k", {"type": "api_key", "in": "header", "name": "Authorization", "prefix": "Bearer "}, {"api_key": "k"}),
    (["--header", "X", "--prefix", "Key "], "k", {"type": "api_key", "in": "header", "name": "X", "prefix": "Key "}, {"api_key": "k"}),
    (["--query", "key"], "k\n\n", {"type": "api_key", "in": "query", "name": "key"}, {"api_key": "k\n"}),
    (["--auth", "basic", "--username", "u"], 'a"b\\c\u00e9\x01', {"type": "basic", "username": "u"}, {"password": 'a"b\\c\u00e9\x01'}),
    (["--auth", "oauth2-client", "--token-url", "https://t.example/t", "--client-id", "i"], "s",
     {"type": "oauth2_client", "token_url": "https://t.example/t", "client_id": "i", "auth_in": "header", "body": "form"},
     {"client_secret": "s"}),
    (["--auth", "oauth2-refresh", "--token-url", "https://t.example/t", "--client-id", "i", "--auth-in", "body", "--body", "json",
      "--scope", "a b", "--extra", "audience=x=y"], ' {"client_secret": "s\\"", "refresh_token":"r"}\n',
     {"type": "oauth2_refresh", "token_url": "https://t.example/t", "client_id": "i", "auth_in": "body", "body": "json",
      "scope": "a b", "extra": {"audience": "x=y"}}, {"client_secret": 's"', "refresh_token": "r"}),
    (["--auth", "none"], "never read", {"type": "none"}, None),
])
def test_each_auth_has_its_settings_and_its_secret(shop, options, stdin, auth, secret):
    shop.run(*ADD, *options, stdin=stdin)
    assert shop.connectd.body["auth"] == auth and shop.connectd.body.get("secret") == secret


@pytest.mark.parametrize("options, stdin", [
    (["--auth", "digest"], "k"), (["--username", "u"], "k"), (["--auth", "basic"], "k"), (["--query", "k", "--prefix", "p"], "k"),
    (["--auth", "oauth2-client", "--client-id", "i"], "k"), ([], ""), ([], "\n"), ([], b"\xff"), ([], b"a\0b"), ([], "k" * 70000),
    (["--auth", "oauth2-refresh", "--token-url", "https://t.example/", "--client-id", "i"], "r"),
    (["--auth", "oauth2-refresh", "--token-url", "https://t.example/", "--client-id", "i"],
     '{"refresh_token":"r","http":true}'),
    (["--auth", "oauth2-refresh", "--token-url", "https://t.example/", "--client-id", "i"], '{"refresh_token":"r"},"http":true}'),
    (["--auth", "oauth2-refresh", "--token-url", "https://u:p@t.example/", "--client-id", "i"], '{"refresh_token":"r"}'),
    (["--ca-file", "/etc"], "k"), (["--auth-in", "body"], "k"), (["--no-allow-http"], "k"),
])
def test_wrong_options_and_wrong_secrets_ask_and_record_nothing(shop, options, stdin):
    ran = shop.ask(*ADD, *options, stdin=stdin)
    assert ran.code in (2, 3) and ran.code == (3 if "--ca-file" in options else 2) and ran.err, ran
    assert shop.connectd.asked == [] and changes(shop) == []


def test_a_secret_in_a_url_is_refused_before_it_is_recorded(shop):
    args = ["https://u:p@api.shop.example" if a == "https://api.shop.example" else a for a in ADD]
    assert shop.ask(*args, stdin="k").code == 2 and changes(shop) == []


def test_own_certificates_are_sent_and_only_mentioned_in_the_record(shop):
    path = shop.file("ca.pem", "-----BEGIN CERTIFICATE-----\nx\n")
    shop.run(*ADD, "--ca-file", path, "--allow-http", "--allow-network", "127.0.0.0/8", "--concurrency", "3", stdin="k")
    body = shop.connectd.body
    assert body["ca_pem"] == path.read_text() and body["http"] and body["private"] == ["127.0.0.0/8"] and body["concurrency"] == 3
    assert shop.audit(event="connection")[0]["detail"]["ca"] is True and "CERTIFICATE" not in "".join(shop.audit_lines())


def test_what_is_there_already_or_not_taken_is_refused_and_recorded(shop):
    shop.run(*ADD, stdin="k")
    ran = shop.run(*ADD, stdin="k", expect=1)
    assert "connection_exists" in ran.err
    shop.connectd.answers["PUT", "/connections/shop"] = (400, {"error": "connection_invalid", "detail": "allow: \x1b[31mno"})
    ran = shop.run(*ADD, stdin="k", expect=2)
    assert "allow:" in ran.err and "\x1b" not in ran.err
    assert changes(shop)[2:] == [("add", "intended", None), ("add", "refused", "connection_exists"),
                                 ("add", "intended", None), ("add", "refused", "connection_invalid")]


def test_an_unknown_site_is_refused_before_anything(shop):
    ran = shop.run(*ADD, "--site", "nope", stdin="k", expect=1)
    assert "site_unknown" in ran.err and "nope" in ran.err and shop.connectd.asked == [] and changes(shop) == []


def test_an_unknown_connection_is_exit_1_and_no_event(shop):
    for args in (["test"], ["rotate"], ["remove", "--yes"]):
        for name in ("nope", "../x", "a" * 64):
            assert "connection_unknown" in shop.run("connection", args[0], name, *args[1:], stdin="k", expect=1).err
    assert changes(shop) == [] and {path for _, path in shop.connectd.asked} == {"/connections/nope"}


def test_rotate_sends_the_secret_alone(shop):
    shop.run(*ADD, stdin="old")
    ran = shop.run("connection", "rotate", "shop", stdin=CANARY)
    assert shop.connectd.asked[-1] == ("POST", "/connections/shop/rotate") and shop.connectd.body == {"secret": {"api_key": CANARY}}
    assert CANARY not in ran.out + ran.err and changes(shop)[2:] == [("rotate", "intended", None), ("rotate", "done", None)]


def test_a_connection_without_secret_is_not_rotated(shop):
    shop.run(*ADD, "--auth", "none")
    shop.run("connection", "rotate", "shop", stdin="k", expect=2)
    assert len(changes(shop)) == 2


def test_remove_asks_and_removes(shop):
    shop.run(*ADD, stdin="k")
    shop.run("connection", "remove", "shop", expect=2)
    assert "shop" in shop.connectd.there and len(changes(shop)) == 2
    assert shop.run("connection", "remove", "shop", "--yes", "--json").json == {"name": "shop"}
    assert not shop.connectd.there and changes(shop)[2:] == [("remove", "intended", None), ("remove", "done", None)]


def test_a_test_that_fails_is_exit_1_and_recorded_as_failed(shop):
    shop.run(*ADD, stdin="k")
    assert "works (status 200)" in shop.run("connection", "test", "shop").out
    shop.connectd.answers["POST", "/connections/shop/test"] = (200, {"ok": False, "error": "reauth_needed", "detail": "rotate it"})
    ran = shop.run("connection", "test", "shop", expect=1)
    assert "reauth_needed: rotate it" in ran.out
    assert shop.run("connection", "test", "shop", "--json", expect=1).json["ok"] is False
    shop.connectd.answers["POST", "/connections/shop/test"] = (200, {"ok": False, "status": 401, "error": "nonsense"})
    shop.run("connection", "test", "shop", expect=1)
    assert changes(shop)[2:] == [("test", "intended", None), ("test", "done", None),
                                 *[("test", "intended", None), ("test", "failed", "reauth_needed")] * 2,
                                 ("test", "intended", None), ("test", "failed", "upstream_failed")]
    assert shop.audit(event="connection")[-1]["detail"]["status"] == 401


def test_list_shows_state_and_needs_no_data(shop, tmp_path):
    shop.run(*ADD, stdin="k")
    shop.connectd.there["shop"]["state"] = "reauth_needed"
    out = postern("connection", "list", "--socket", shop.connectd.path, "--data", tmp_path / "none").out
    assert re.search(r"^shop +reauth_needed .* api_key +acme +https://api.shop.example$", out, re.M)
    assert shop.run("connection", "list", "--json").json == [shop.connectd.there["shop"]]


def test_doctor_says_which_connection_must_be_authorized_again(shop):
    shop.run(*ADD, stdin="k")
    assert "connection_reauth" not in Found(shop.ask("doctor", "--json")).bad
    shop.connectd.there["shop"]["state"] = "reauth_needed"
    shop.connectd.there["other"] = {**shop.connectd.there["shop"], "name": "other"}
    found = Found(shop.ask("doctor", "--json"))["connection_reauth"]
    assert found["state"] == "warning" and "shop (and 1 more)" in found["says"] and "connection rotate shop" in found["says"]


def test_doctor_says_which_actions_name_a_connection_that_is_not_there(shop):
    shop.run(*ADD, stdin="k")
    assert Found(shop.ask("doctor", "--json"))["connections"]["state"] == "ok"
    shop.connectd.there["closed"] = {**PUBLIC, "name": "closed", "sites": ["other"]}
    connectors = {"good": "shop", "lost": "nope", "shut": "closed"}
    actions = [{"name": name, "connector": {"type": "http", "connection": to}} for name, to in connectors.items()]
    with RawDb(shop.path / "vault") as db:
        db.put("actions", b"acme", json.dumps({"actions": actions}).encode())
    rows = [row for row in shop.ask("doctor", "--json").json["checks"] if row["check"] == "connections"]
    assert [row["state"] for row in rows] == ["warning", "warning"]
    assert rows[0]["says"].endswith(": acme/lost: nope") and rows[1]["says"].endswith(": acme/shut: closed")


def test_doctor_says_nothing_of_a_connectd_that_does_not_answer(shop):
    shop.connectd.answers["GET", "/connections"] = None
    assert not {"connection_reauth", "connections"} & set(Found(shop.ask("doctor", "--json")).rows)


def test_without_connectd_it_is_exit_3_and_says_what_to_run(shop, tmp_path):
    shop.run(*ADD, stdin="k")
    stale = tmp_path / "stale"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(stale))
    for path in (stale, tmp_path / "none"):
        for args in (["list"], ["test", "shop"], ["rotate", "shop"], ["remove", "shop", "--yes"]):
            ran = shop.run("connection", *args, "--socket", path, stdin="k", expect=3)
            assert "systemctl start postern-connectd" in ran.err, ran
        ran = shop.run(*ADD, "--socket", path, stdin="k", expect=3)
        assert "systemctl start postern-connectd" in ran.err, ran
    assert changes(shop)[2:] == [("add", "intended", None), ("add", "failed", "provider_unreachable")] * 2


@pytest.mark.parametrize("answer", [None, b"nonsense\r\n\r\n", (500, {}), (200, []), (200, {"connections": 1}),
                                    b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b" " * (5 << 20)])
def test_a_broken_answer_is_exit_3(shop, answer):
    shop.connectd.answers["GET", "/connections"] = answer
    ran = shop.run("connection", "list", expect=3)
    assert ran.out == "" and ran.err


def test_the_secret_is_in_no_argument_and_no_file(shop):
    """While connectd keeps the command waiting: its arguments and environment; afterwards every file of the data."""
    seen = []

    def look(asked):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as line, open(f"/proc/{pid}/environ", "rb") as env:
                    words = line.read()
                    if b"connection\0add" in words:
                        seen.append(words + env.read())
            except OSError:
                pass
        return Connectd.reply(200, PUBLIC)
    shop.connectd.server.function = look
    shop.run(*ADD, stdin=CANARY)
    assert seen and not any(CANARY.encode() in text for text in seen)
    for folder, _, names in os.walk(shop.home):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    assert CANARY.encode() not in f.read(), path
