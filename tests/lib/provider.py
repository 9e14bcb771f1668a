"""A stand-in for the connection provider's proxy socket: answers as told, and keeps what was asked."""
import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        provider = self.server.provider
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = {"method": self.command, "path": self.path, "headers": {n.lower(): v for n, v in self.headers.items()},
                 "body": body.decode()}
        with provider.lock:
            provider.asked.append(asked)
        status, headers, body = provider.reply(asked)
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            pass                        # the worker has given up

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def address_string(self):
        return "worker"

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


class Provider:
    """with Provider(path) as p: p.reply = lambda asked: (200, {}, {...}). `stall`: an event that it may wait for."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.asked = []
        self.stall = threading.Event()
        self.reply = lambda asked: (200, {}, {})
        self.server = Server(str(path), Handler)
        self.server.provider = self
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stall.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        self.path.unlink(missing_ok=True)
