"""An HTTP client that sends exactly what a test says, and an answer with what every answer of Postern must have."""
import http.client
import json
import re
import socket

from lib.tokens import bearer

PROBLEM_MEMBERS = {"type", "title", "status", "detail", "code", "errors", "sign_in_url"}
ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name):
        """The one value of this header, or None; twice is an error of its own."""
        values = self.all(name)
        assert len(values) < 2, f"{name} is there {len(values)} times: {self}"
        return values[0] if values else None

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The code of a refusal, None for anything else."""
        if (self.header("Content-Type") or "").split(";")[0] != "application/problem+json":
            return None
        return self.json["code"]

    @property
    def request_id(self):
        return self.header("X-Request-Id")

    def check(self):
        """What holds for every answer that comes from the worker (design: HTTP)."""
        assert self.header("Cache-Control") == "no-store", str(self)
        assert ULID.fullmatch(self.request_id or ""), str(self)
        if self.status >= 400 and self.body:
            problem = self.json
            assert self.code is not None, f"an error that is no problem document: {self}"
            assert problem["type"] == "about:blank" and problem["status"] == self.status, str(self)
            assert problem["title"] and problem["detail"] and set(problem) <= PROBLEM_MEMBERS, str(self)
        if self.status == 401:
            assert (self.header("WWW-Authenticate") or "").startswith("Bearer realm="), str(self)
        if self.status == 503:
            assert (self.header("Retry-After") or "").isdigit(), str(self)
        return self

    def __str__(self):
        return f"{self.status} {self.headers}\n{self.body[:2000]!r}"


def actions_path(site, action=None):
    return f"/v1/sites/{site}/actions" + (f"/{action}" if action else "")


class Client:
    """Talks to host:port, below prefix. One connection per request unless keep is set."""

    def __init__(self, host, port, prefix="", timeout=30):
        self.host, self.port, self.prefix, self.timeout = host, port, prefix, timeout

    def send(self, method, path, headers=(), body=None, chunked=False):
        """Headers are sent as they are, in order, repeated where repeated. Host and Content-Length are added where absent."""
        names = {name.lower() for name, _ in headers}
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        try:
            connection.putrequest(method, self.prefix + path, skip_host="host" in names, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            if isinstance(body, str):
                body = body.encode()
            if body is not None and chunked:
                connection.putheader("Transfer-Encoding", "chunked")
            elif body is not None and "content-length" not in names:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body, encode_chunked=chunked)
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def raw(self, data):
        """Sends these bytes and returns all that comes back until the server closes."""
        with socket.create_connection((self.host, self.port), timeout=self.timeout) as s:
            s.sendall(data)
            pieces = []
            while piece := s.recv(65536):
                pieces.append(piece)
            return b"".join(pieces)

    def request(self, method, path, token=None, headers=(), body=None, **how):
        """As send, with a Bearer token, and the answer must be one of Postern's."""
        extra = [bearer(token)] if token is not None else []
        return self.send(method, path, [*extra, *headers], body, **how).check()

    def get(self, path, token=None, **how):
        return self.request("GET", path, token, **how)

    def identity(self, site, token=None, **how):
        return self.get(f"/v1/sites/{site}/identity", token, **how)

    def catalogue(self, site, token=None, **how):
        return self.get(actions_path(site), token, **how)

    def act(self, site, action, parameters=None, token=None, conversation=None, headers=(), body=None, **how):
        """Runs an action. body, if given, is sent in place of the one made of parameters and conversation."""
        if body is None:
            members = {"parameters": parameters, "conversation": conversation}
            body = json.dumps({name: value for name, value in members.items() if value is not None})
        return self.request("POST", actions_path(site, action), token,
                            headers=[("Content-Type", "application/json"), *headers], body=body, **how)
