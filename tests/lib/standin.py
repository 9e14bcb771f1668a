"""Stand-ins on 127.0.0.1: an HTTP server that answers as a function says, and one that passes everything on, with a fault."""
import contextlib
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Asked:
    """A request as it came: headers in order, repeated where repeated; a chunked body put together."""
    method: str
    path: str
    headers: list
    body: bytes

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name):
        return (self.all(name) or [None])[0]

    def without(self, *names):
        """The same without these headers."""
        lower = {name.lower() for name in names}
        return Asked(self.method, self.path, [h for h in self.headers if h[0].lower() not in lower], self.body)


@dataclass
class Reply:
    status: int
    headers: list = field(default_factory=list)
    body: bytes = b""

    def with_header(self, name, value):
        return Reply(self.status, [*self.headers, (name, value)], self.body)

    def without(self, name):
        return Reply(self.status, [h for h in self.headers if h[0].lower() != name.lower()], self.body)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1                               # an answer leaves in one piece

    def log_message(self, *_):
        pass

    def read_body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def answer(self):
        asked = Asked(self.command, self.path, self.headers.items(), self.read_body())
        self.server.asked.append(asked)
        reply = self.server.function(asked)
        if reply is None:                       # hangs up
            self.close_connection = True
            return
        if isinstance(reply, bytes):            # says exactly this
            self.wfile.write(reply)
            self.close_connection = True
            return
        if callable(reply):                     # says what it will, as long as it is heard
            self.close_connection = True
            with contextlib.suppress(OSError):
                reply(self.connection)
            return
        self.send_response_only(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            try:
                self.wfile.write(reply.body)
            except OSError:                     # has heard enough
                self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = answer


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that leaves is no event."""


class Standin:
    """with Standin(lambda asked: Reply(404)) as s: ... s.url, s.asked. A reply of None hangs up, one of bytes is sent as it is, a
    function is given the socket."""

    def __init__(self, function, tls=None):
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.function, self.server.asked = function, []
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    @property
    def asked(self):
        return self.server.asked

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Middleman(Standin):
    """Passes on to a client of a real server what `before` makes of a request (a Reply: that is the answer), and back what `after`
    makes of the answer."""

    def __init__(self, client, before=lambda asked: asked, after=lambda reply, asked: reply):
        def pass_on(asked):
            sent = before(asked)
            if not isinstance(sent, Asked):
                return sent
            sent = sent.without("Content-Length", "Transfer-Encoding", "Connection")
            got = client.send(sent.method, sent.path, sent.headers, sent.body if sent.method == "POST" else None)
            kept = [h for h in got.headers if h[0].lower() not in ("content-length", "transfer-encoding", "connection")]
            return after(Reply(got.status, kept, got.body), asked)
        super().__init__(pass_on)


taken = []


def closed_port():
    """A port of 127.0.0.1 where nobody listens, nor will: it is held until the tests end."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    taken.append(s)
    return s.getsockname()[1]
