"""Servers on 127.0.0.1 that stand in for a platform of the internet, and the RSA keys such platforms sign with."""
import json
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from lib.programs import environment, tool
from lib.tokens import b64, part


def openssl(*args, stdin=b""):
    return subprocess.run([tool("openssl"), *map(str, args)], input=stdin, capture_output=True, check=True, timeout=60,
                          env=environment()).stdout


class RsaKey:
    """An RSA key in a file of folder: its JWTs, its certificate, its JWK."""

    def __init__(self, folder, name):
        self.kid, self.path = name, folder / f"{name}.pem"
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.path)
        self.public = openssl("pkey", "-in", self.path, "-pubout").decode()

    def jwt(self, claims, **header):
        signed = f"{part({'alg': 'RS256', 'typ': 'JWT', 'kid': self.kid, **header})}.{part(claims)}"
        return f"{signed}.{b64(openssl('dgst', '-sha256', '-sign', self.path, stdin=signed.encode()))}"

    def certificate(self):
        return openssl("req", "-x509", "-new", "-key", self.path, "-subj", "/CN=stand-in", "-days", "2").decode()

    def jwk(self):
        modulus = openssl("rsa", "-in", self.path, "-noout", "-modulus").decode().strip().split("=")[1]
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": b64(bytes.fromhex(modulus)), "e": "AQAB"}


def times(ttl=3600):
    now = int(time.time())
    return {"iat": now, "exp": now + ttl}


class StandIn:
    """with StandIn(answer) as s: each request is answered by answer(method, path, headers, body), which gives a JSON object,
    or None for 404. s.asked lists what was asked: (method, path)."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                path = urlsplit(self.path).path
                outer.asked.append((self.command, path))
                found = outer.answer(self.command, path, self.headers, body)
                text = json.dumps(found if found is not None else {"error": "not_found"}).encode()
                self.send_response(200 if found is not None else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Cache-Control", "public, max-age=600")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
            do_POST = do_GET

            def log_message(self, *_):
                pass
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
