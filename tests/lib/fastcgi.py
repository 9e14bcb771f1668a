"""A FastCGI client that writes records by hand, so that a test can send them broken, slowly, cut short or never.

The protocol is the FastCGI specification 1.0; names here are its own."""
import socket
import struct
from dataclasses import dataclass, field

from lib.client import Answer
from lib.programs import wait_until

VERSION = 1
BEGIN_REQUEST, ABORT_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES, GET_VALUES_RESULT, UNKNOWN_TYPE = range(1, 12)
RESPONDER, AUTHORIZER, FILTER = 1, 2, 3
KEEP_CONN = 1
REQUEST_COMPLETE, CANT_MPX_CONN, OVERLOADED, UNKNOWN_ROLE = range(4)


def record(kind, content=b"", request_id=1, padding=0, version=VERSION, length=None):
    """One record. length lies about the content's size where it is given."""
    size = len(content) if length is None else length
    return struct.pack(">BBHHBx", version, kind, request_id, size, padding) + content + bytes(padding)


def stream(kind, content, request_id=1, size=65535, end=True):
    """Content in as many records as it needs, and the empty one that ends the stream."""
    pieces = [record(kind, content[i:i + size], request_id) for i in range(0, len(content), size)]
    return b"".join(pieces) + (record(kind, b"", request_id) if end else b"")


def begin(role=RESPONDER, keep=False, request_id=1):
    return record(BEGIN_REQUEST, struct.pack(">HB5x", role, KEEP_CONN if keep else 0), request_id)


def abort(request_id=1):
    return record(ABORT_REQUEST, b"", request_id)


def length_of(n):
    return struct.pack(">B", n) if n < 128 else struct.pack(">I", n | 0x80000000)


def pairs(items):
    """Name-value pairs; items is a dict or a list of pairs (a name may come twice)."""
    out = b""
    for name, value in (items.items() if isinstance(items, dict) else items):
        name, value = as_bytes(name), as_bytes(value)
        out += length_of(len(name)) + length_of(len(value)) + name + value
    return out


def as_bytes(text):
    return text if isinstance(text, bytes) else str(text).encode()


def params(items, request_id=1, end=True):
    return stream(PARAMS, pairs(items), request_id, end=end)


def get_values(*names):
    return record(GET_VALUES, pairs([(name, "") for name in names]), request_id=0)


def environ(method="GET", path="/v1/health", token=None, body=b"", script="/postern", **more):
    """What a web server sends for a request. A parameter given as None is left out."""
    items = {"GATEWAY_INTERFACE": "CGI/1.1", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_SOFTWARE": "test", "REQUEST_METHOD": method,
             "SCRIPT_NAME": script, "PATH_INFO": path, "REQUEST_URI": script + path, "QUERY_STRING": "", "REMOTE_ADDR": "203.0.113.7",
             "SERVER_NAME": "localhost", "SERVER_PORT": "80", "HTTP_HOST": "localhost",
             "CONTENT_LENGTH": str(len(body)) if body else None, "CONTENT_TYPE": "application/json" if body else None,
             "HTTP_AUTHORIZATION": f"Bearer {token}" if token is not None else None, **more}
    return {name: value for name, value in items.items() if value is not None}


def whole(env, body=b"", keep=False, request_id=1, role=RESPONDER):
    """A complete request as a web server writes it."""
    return begin(role, keep, request_id) + params(env, request_id) + stream(STDIN, body, request_id)


@dataclass
class Reply:
    """All that came back until END_REQUEST or the end of the connection."""
    stdout: bytes = b""
    stderr: bytes = b""
    ended: bool = False             # END_REQUEST arrived
    closed: bool = False            # the connection ended (also by a reset)
    app_status: int = -1
    protocol_status: int = -1
    others: list = field(default_factory=list)      # [(type, request id, content)] of other records

    @property
    def answer(self):
        """The CGI answer on stdout."""
        head, _, body = self.stdout.partition(b"\r\n\r\n")
        assert self.ended and head, f"no answer: {self}"
        headers = [tuple(line.split(": ", 1)) for line in head.decode("latin-1").split("\r\n")]
        status = next((value for name, value in headers if name.lower() == "status"), "200 OK")
        return Answer(int(status.split()[0]), [h for h in headers if h[0].lower() != "status"], body)


class Connection:
    """A connection to the worker's socket."""

    def __init__(self, path, timeout=20):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        wait_until(lambda: self.connected(str(path)), "room in the socket's backlog", timeout)
        self.buffer = b""

    def connected(self, path):
        try:
            self.socket.connect(path)
        except BlockingIOError:          # the backlog is full: with a timeout set, connect() does not wait
            return False
        return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def half_close(self):
        """No more will be sent; answers are still read."""
        self.socket.shutdown(socket.SHUT_WR)

    def send(self, data):
        self.socket.sendall(data)

    def send_pieces(self, data, size=1):
        """The same bytes in many small writes."""
        for i in range(0, len(data), size):
            self.socket.sendall(data[i:i + size])

    def read_record(self):
        """(type, request id, content), or None at the end of the connection."""
        header = self.take(8)
        if header is None:
            return None
        version, kind, request_id, size, padding = struct.unpack(">BBHHBx", header)
        assert version == VERSION, f"a record of version {version}"
        body = self.take(size + padding)
        assert body is not None, "the connection ended inside a record"
        return kind, request_id, body[:size]

    def take(self, size):
        while len(self.buffer) < size:
            try:
                piece = self.socket.recv(65536)
            except (ConnectionResetError, BrokenPipeError):
                piece = b""
            if not piece:
                return None
            self.buffer += piece
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def read_reply(self, request_id=1):
        """Reads until this request's END_REQUEST, or the end of the connection."""
        reply = Reply()
        while not reply.ended:
            got = self.read_record()
            if got is None:
                reply.closed = True
                break
            kind, which, content = got
            if which == request_id and kind == STDOUT:
                reply.stdout += content
            elif which == request_id and kind == STDERR:
                reply.stderr += content
            elif which == request_id and kind == END_REQUEST:
                reply.app_status, reply.protocol_status = struct.unpack(">IB3x", content)
                reply.ended = True
            else:
                reply.others.append(got)
        return reply

    def at_end(self):
        """Has the other side closed? Waits for it; anything it still sends is an error."""
        return self.read_record() is None

    def ask(self, env, body=b"", keep=False, request_id=1):
        """A whole request and its reply."""
        self.send(whole(env, body, keep, request_id))
        return self.read_reply(request_id)


def ask(worker, method="GET", path="/v1/health", body=b"", **env):
    """One request on a connection of its own, straight to the worker: its HTTP answer, checked."""
    with Connection(worker.socket) as c:
        body = as_bytes(body)
        return c.ask(environ(method, path, body=body, **env), body).answer.check()
