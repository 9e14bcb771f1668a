"""A system that actions reach: orders, bookings and a token server over real TLS, and every way to answer badly.

    with Upstream(tmp_path) as shop:
        shop.url, shop.ca_pem                  # for: postern connection add
        shop.demand = shop.tokens.bearer       # who may ask; None: anybody
        shop.faults["/orders/o-1"] = slow(30)  # this path answers so from now on
        shop.asked                             # what came, in order, also of the token server
"""
import base64
import gzip
import json
import secrets
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from lib.standin import Asked

ORDERS = {
    "o-1": {"id": "o-1", "item": "kettle", "total": 4200, "customer": {"email": "alex@example.com", "id": "u-alex"}},
    "o-2": {"id": "o-2", "item": "lamp", "total": 1900, "customer": {"email": "jordan@example.com", "id": "u-jordan"}},
    "o-3": {"id": "o-3", "item": "chair", "total": 8800, "customer": {"email": "alex@example.com", "id": "u-alex"}},
}


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr.decode()


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, home, name="ca"):
        self.home, self.key, self.path = home, home / f"{name}.key", home / f"{name}.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", f"/CN=Test authority {name}", "-keyout", self.key, "-out", self.path)
        self.pem = self.path.read_text()

    def context(self, names, expired=False):
        """A server's TLS context with a certificate for these names ("DNS:localhost", "IP:127.0.0.1")."""
        stem = self.home / f"server-{secrets.token_hex(4)}"
        key, request, pem, more = (stem.with_suffix(suffix) for suffix in (".key", ".csr", ".pem", ".ext"))
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=upstream",
                "-keyout", key, "-out", request)
        more.write_text("subjectAltName=" + ",".join(names) + "\n")
        openssl("x509", "-req", "-in", request, "-CA", self.path, "-CAkey", self.key, "-CAcreateserial",
                "-days", "-1" if expired else "2", "-extfile", more, "-out", pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, key)
        return context


class Tokens:
    """An OAuth2 token server whose refresh tokens work once: one used again revokes all that came from it.

    Counts in `refreshes` the grants it gave. `before`, `between`, `after`: called with nothing held, before a grant is
    looked at, when the new token is given and not yet sent, and when it was sent. `answer` instead of all that: a fault."""

    def __init__(self, client_id="postern", client_secret="upstream-client-secret"):
        self.client_id, self.client_secret = client_id, client_secret
        self.auth_in, self.body, self.extra, self.scope = "header", "form", {}, None
        self.lifetime, self.rotating, self.answer = 3600, True, None
        self.before = self.between = self.after = lambda: None
        self.lock = threading.Lock()
        self.refreshes, self.refused, self.revoked, self.asked = 0, [], False, []
        self.access, self.used = {}, set()
        self.refresh_token = self.first = "refresh-" + secrets.token_hex(16)

    def bearer(self, asked):
        kind, _, token = (asked.header("Authorization") or "").partition(" ")
        with self.lock:
            return kind == "Bearer" and not self.revoked and self.access.get(token, 0) > time.time()

    def forget_access(self):
        """Every access token is void from now on, long before it expires."""
        with self.lock:
            self.access.clear()

    def connection_auth(self, url, kind="oauth2_refresh"):
        """The "auth" member of a connection that uses this server at url."""
        return {"type": kind, "token_url": url + "/oauth/token", "client_id": self.client_id, "auth_in": self.auth_in,
                "body": self.body, **({"extra": self.extra} if self.extra else {}), **({"scope": self.scope} if self.scope else {})}

    def connection_secret(self, kind="oauth2_refresh"):
        return {"client_secret": self.client_secret,
                **({"refresh_token": self.refresh_token} if kind == "oauth2_refresh" else {})}

    def handle(self, handler, asked):
        with self.lock:
            self.asked.append(asked)
        if self.answer:
            return self.answer(handler, asked)
        self.before()
        with self.lock:
            status, said = self.grant(asked)
        self.between()
        handler.say(status, said)
        return self.after()

    def grant(self, asked):
        given = self.parameters(asked)
        if given is None:
            return self.refuse("invalid_request")
        if not self.is_client(asked, given):
            return self.refuse("invalid_client", 401)
        if any(given.get(name) != value for name, value in self.extra.items()) or (self.scope and given.get("scope") != self.scope):
            return self.refuse("invalid_scope")
        if given.get("grant_type") == "client_credentials":
            return self.give({})
        if given.get("grant_type") != "refresh_token":
            return self.refuse("unsupported_grant_type")
        if given.get("refresh_token") in self.used:
            self.revoked = True
        if self.revoked or given.get("refresh_token") != self.refresh_token:
            return self.refuse("invalid_grant")
        if not self.rotating:
            return self.give({})
        self.used.add(self.refresh_token)
        self.refresh_token = "refresh-" + secrets.token_hex(16)
        return self.give({"refresh_token": self.refresh_token})

    def parameters(self, asked):
        kind = (asked.header("Content-Type") or "").split(";")[0]
        if kind != {"form": "application/x-www-form-urlencoded", "json": "application/json"}[self.body]:
            return None
        if self.body == "json":
            return json.loads(asked.body)
        return {name: values[0] for name, values in parse_qs(asked.body.decode(), strict_parsing=True, keep_blank_values=True).items()}

    def is_client(self, asked, given):
        if self.auth_in == "body":
            return asked.header("Authorization") is None and \
                (given.get("client_id"), given.get("client_secret")) == (self.client_id, self.client_secret)
        kind, _, pair = (asked.header("Authorization") or "").partition(" ")
        name, _, secret = base64.b64decode(pair).decode().partition(":")
        return kind == "Basic" and "client_secret" not in given and \
            (unquote(name), unquote(secret)) == (self.client_id, self.client_secret)

    def refuse(self, error, status=400):
        self.refused.append(error)
        return status, {"error": error}

    def give(self, more):
        self.refreshes += 1
        token = "access-" + secrets.token_hex(16)
        self.access[token] = time.time() + self.lifetime
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime, **more}


def api_key(name, value):
    """Who may ask: who sends this header so."""
    return lambda asked: asked.all(name) == [value]


def basic(user, password):
    return api_key("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())


# ---- faults: each makes a function that answers one request ----

def status(code, said=None, **headers):
    """shop.faults[path] = status(429, Retry_After=1)"""
    return lambda handler, asked: handler.say(code, said if said is not None else {"status": code}, headers)


def raw(body, kind="application/json", code=200, **headers):
    return lambda handler, asked: handler.send(code, body, kind, headers)


def slow(seconds):
    def answer(handler, asked):
        handler.upstream.ended.wait(seconds)
        handler.ordinary(asked)
    return answer


def stalled(seconds=60):
    """Half of the body, and then nothing."""
    def answer(handler, asked):
        handler.head(200, "application/json", 1000)
        handler.wfile.write(b'{"half": "')
        handler.wfile.flush()
        handler.upstream.ended.wait(seconds)
    return answer


def huge(size=10 << 30, say_size=True):
    """10 GB, told in advance or not; counts in upstream.sent what it got rid of."""
    def answer(handler, asked):
        handler.head(200, "application/json", size if say_size else None)
        piece = b" " * 65536
        while handler.upstream.sent < size and not handler.upstream.ended.is_set():
            handler.wfile.write(piece)
            handler.upstream.sent += len(piece)
    return answer


def gzip_bomb(size=64 << 20):
    body = gzip.compress(b" " * size)
    return raw(body, Content_Encoding="gzip")


def redirect(to, code=302):
    return lambda handler, asked: handler.send(code, b"", "text/plain", {"Location": to})


def hang_up(handler, asked):
    """The connection ends without an answer."""


def cut_off(handler, asked):
    """The connection ends within the body."""
    handler.head(200, "application/json", 1000)
    handler.wfile.write(b'{"half": "')


NOT_JSON = raw(b'{"orders": [')
NOT_UTF8 = raw(b'{"orders": "\xff\xfe"}')
WRONG_TYPE = raw(b"<html>orders</html>", "text/html")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version, timeout = "upstream", "", 60

    @property
    def upstream(self):
        return self.server.upstream

    def log_message(self, *_):
        pass

    def any(self):
        self.close_connection = True
        size = int(self.headers.get("Content-Length") or 0)
        asked = Asked(self.command, self.path, list(self.headers.items()), self.rfile.read(size))
        with self.upstream.lock:
            self.upstream.asked.append(asked)
        path = asked.path.split("?")[0]
        try:
            if path in self.upstream.faults:
                self.upstream.faults[path](self, asked)
            elif path == "/oauth/token":
                self.upstream.tokens.handle(self, asked)
            else:
                self.ordinary(asked)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            pass

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = any

    def head(self, code, kind, size, headers=()):
        self.send_response(code)
        self.send_header("Content-Type", kind)
        if size is not None:
            self.send_header("Content-Length", str(size))
        for name, value in dict(headers).items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("Connection", "close")
        self.end_headers()

    def send(self, code, body, kind, headers=()):
        self.head(code, kind, len(body), headers)
        if self.command != "HEAD":
            self.wfile.write(body)

    def say(self, code, said, headers=()):
        if code == 204:
            self.send_response(204)
            self.end_headers()
        else:
            self.send(code, json.dumps(said).encode(), "application/json", headers)

    def ordinary(self, asked):
        if self.upstream.demand and not self.upstream.demand(asked):
            return self.say(401, {"error": "who are you"})
        return self.say(*self.upstream.answer(asked))


class Server(ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 256
    upstream = None

    def get_request(self):
        """The handshake happens on the request's own thread: one that stalls there holds nobody else."""
        connection, address = super().get_request()
        context = self.upstream.context
        return (context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) if context else connection), address

    def handle_error(self, request, client_address):
        """A client that goes away, or trusts nobody here, is part of the tests."""


class Upstream:
    """tls False: plain http. names: what its certificate is for. expired: it no longer is. authority: another's CA."""

    def __init__(self, home, tls=True, names=("DNS:localhost", "IP:127.0.0.1"), expired=False, authority=None):
        self.authority = authority or (Authority(home) if tls else None)
        self.context = self.authority.context(names, expired) if tls else None
        self.ca_pem = self.authority.pem if tls else None
        self.tokens, self.demand, self.faults = Tokens(), None, {}
        self.lock, self.ended, self.asked, self.sent = threading.Lock(), threading.Event(), [], 0
        self.orders, self.bookings, self.keys = json.loads(json.dumps(ORDERS)), {}, {}
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.upstream = self
        self.port = self.server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.named_url = self.url.replace("127.0.0.1", "localhost")

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()

    def asked_for(self, path):
        """The requests for this very path, as it came on the wire; the query does not count."""
        with self.lock:
            return [asked for asked in self.asked if asked.path.split("?")[0] == path]

    def answer(self, asked):
        """Status and what is said: a small shop. It looks orders up by id alone, as many do."""
        parts = [unquote(part) for part in asked.path.split("?")[0].split("/")[1:]]
        query = parse_qs(urlsplit(asked.path).query, keep_blank_values=True)
        with self.lock:
            if parts[0] == "orders" and len(parts) == 1:
                return 200, {"orders": self.orders_of(query.get("email", [None])[0])}
            if parts[0] == "orders" and len(parts) == 2:
                return (200, self.orders[parts[1]]) if parts[1] in self.orders else (404, {"error": "no such order"})
            if parts[0] == "customers" and len(parts) in (3, 4) and parts[2] == "orders":
                found = [order for order in self.orders_of(parts[1]) if len(parts) == 3 or order["id"] == parts[3]]
                if len(parts) == 3:
                    return 200, {"orders": found}
                return (200, found[0]) if found else (404, {"error": "no such order"})
            if parts[0] == "bookings":
                return self.booking(asked, parts[1:])
            if parts[0] == "echo":
                return 200, {"method": asked.method, "path": asked.path, "headers": asked.headers,
                             "body": asked.body.decode("utf-8", "replace")}
        return 404, {"error": "no such thing"}

    def orders_of(self, email):
        return [order for order in self.orders.values() if email in (None, order["customer"]["email"])]

    def booking(self, asked, parts):
        if asked.method == "POST" and not parts:
            return self.book(asked)
        booking = self.bookings.get(parts[0]) if len(parts) == 1 else None
        if booking is None:
            return (200, {"bookings": list(self.bookings.values())}) if not parts else (404, {"error": "no such booking"})
        if asked.method in ("PUT", "PATCH"):
            booking.update(json.loads(asked.body))
        if asked.method == "DELETE":
            del self.bookings[parts[0]]
            return 204, None
        return 200, booking

    def book(self, asked):
        key = asked.header("Idempotency-Key")
        if key and key in self.keys:
            return 200, self.keys[key]
        kind = (asked.header("Content-Type") or "").split(";")[0]
        given = json.loads(asked.body) if kind == "application/json" else \
            {name: values[0] for name, values in parse_qs(asked.body.decode(), keep_blank_values=True).items()}
        booking = {**given, "id": f"b-{len(self.bookings) + 1}"}
        self.bookings[booking["id"]] = booking
        if key:
            self.keys[key] = booking
        return 201, booking
