"""data/signers, each really started on 127.0.0.1 inside a small application, and what every one of them must do."""
import base64
import json
import shutil
import subprocess
import time
from contextlib import contextmanager
from urllib.parse import urlencode

import pytest

from lib.client import Client
from lib.webserver import free_port
from lib.programs import ROOT, environment, tool, wait_until

SIGNERS = ROOT / "data/signers"
APPS = ROOT / "tests/signers/apps"
JSON = ("Content-Type", "application/json")
FORM = ("Content-Type", "application/x-www-form-urlencoded")
KELVIN = "\u212aim@example.com"         # its first letter, lowered as Unicode has it, is a k


def decoded(token):
    """Header and claims of a token, unverified."""
    return [json.loads(base64.urlsafe_b64decode(p + "=" * (-len(p) % 4))) for p in token.split(".")[:2]]


def cookies(answer):
    """The Cookie header of a browser that got this answer."""
    jar = dict(value.split(";")[0].split("=", 1) for value in answer.all("Set-Cookie"))
    return ("Cookie", "; ".join(f"{name}={value}" for name, value in jar.items()))


class Signer:
    """A signer and the application around it, in a folder of its own. A subclass says how it is built and started, and how a
    visitor signs in; this one's visitors get a session cookie from /sign-in."""
    name = ""
    path = "/chat-token"
    cookie = True                       # the browser adds the credential by itself
    refused = (401,)                    # what a forged credential gets
    any_email = True                    # the sign-in takes whatever text it is given

    def __init__(self, folder, env):
        self.folder, self.env, self.process, self.port = folder, dict(env), None, None
        self.log_path = folder / "log"
        self.prepare()

    def prepare(self):
        """Copies and builds what is started."""

    def command(self):
        raise NotImplementedError

    def start(self, **changes):
        """Starts it; False if it ended by itself. A change to None takes a variable out of its environment."""
        env = {k: v for k, v in {**self.env, **changes}.items() if v is not None}
        for _ in range(3):              # another process may take the free port first
            self.port = free_port()
            with open(self.log_path, "ab") as log:
                self.process = subprocess.Popen(self.command(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                env=environment(**self.environment(), **env))
            wait_until(lambda: self.process.poll() is not None or self.answers(), f"{self.name} to start", 40)
            if self.process.poll() is None:
                return True
            if "EADDRINUSE" not in self.log() and "in use" not in self.log():
                break
        return False

    def environment(self):
        return {}

    def answers(self):
        try:
            self.client().send("GET", "/")
        except OSError:
            return False
        return True

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    @contextmanager
    def other(self, **changes):
        """The same once more, with another environment; the one that ran goes on. Gives whether it stays up."""
        process, port = self.process, self.port
        try:
            yield self.start(**changes)
        finally:
            self.stop()
            self.process, self.port = process, port

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""

    def client(self):
        return Client("127.0.0.1", self.port)

    # ---- what a browser does ----

    def sign_in(self, email, verified=True):
        """The headers that a browser sends after this visitor has signed in."""
        answer = self.client().send("POST", "/sign-in", [JSON], json.dumps({"email": email, "email_verified": verified}))
        assert answer.status == 200, f"{answer}\n{self.log()}"
        return [cookies(answer)]

    def forged(self):
        """Credentials that are none: each a list of headers."""
        name = self.sign_in("alex@example.com")[0][1].split("=")[0]
        return [[("Cookie", f"{name}={value}")] for value in ("x", "0" * 32, "../../etc/passwd", "eyJ1c2VyIjp7fX0.aaaa.bbbb")]

    def ask(self, headers=(), body="", method="POST", query=""):
        return self.client().send(method, self.path + query, list(headers), body)

    def __enter__(self):
        assert self.start(), f"{self.name} does not start:\n{self.log()}"
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if kind is not None:
            print(f"---- log of {self.name}\n{self.log()}")


def token_of(answer):
    assert answer.status == 200, str(answer)
    assert list(answer.json) == ["token"], str(answer)
    return answer.json["token"]


def no_token(answer, *status):
    assert answer.status in status, str(answer)
    assert b"eyJ" not in answer.body and b'"token"' not in answer.body, str(answer)


class Cases:
    """What holds for every signer; a test file says which ones `signer` runs through."""

    def test_a_signed_in_visitors_token_is_verified(self, signer, site, module_http):
        answer = signer.ask(signer.sign_in("alex@example.com"))
        token = token_of(answer)
        site.data.secrets.add(token)
        header, claims = decoded(token)
        assert header == {"alg": "HS256", "typ": "JWT", "kid": site.kid}
        assert set(claims) == {"email", "iat", "exp"} and claims["exp"] - claims["iat"] == 3600
        assert abs(claims["iat"] - time.time()) < 30 and claims["email"] == "alex@example.com"
        assert "no-store" in answer.header("Cache-Control") and answer.all("Access-Control-Allow-Origin") == []
        explained = site.data.run("token", "explain", site.name, "--json", stdin=token).json
        assert explained["decision"] == "verified" and explained["identity"]["email"] == "alex@example.com"
        seen = module_http.identity(site.name, token).json
        assert seen["identity"]["status"] == "verified" and seen["identity"]["email"] == "alex@example.com"

    def test_without_a_session_there_is_no_token(self, signer):
        for body in ("", '{"email": "alex@example.com"}'):
            no_token(signer.ask([JSON], body), 401)

    def test_a_forged_session_is_none(self, signer):
        for headers in signer.forged():
            no_token(signer.ask(headers), *signer.refused)

    def test_an_email_that_the_browser_sends_is_not_signed(self, signer):
        mine, other = signer.sign_in("alex@example.com"), {"email": "victim@example.com", "email_verified": True}
        for headers, body in (([JSON], json.dumps(other)), ([JSON], json.dumps({"user": other})), ([FORM], urlencode(other)),
                              ([("X-Email", "victim@example.com"), ("X-Forwarded-Email", "victim@example.com")], "")):
            for query in ("", "&" if "?" in signer.path else "?"):
                answer = signer.ask([*mine, *headers], body, query=query and query + urlencode(other))
                assert decoded(token_of(answer))[1]["email"] == "alex@example.com"

    def test_capitals_are_lowered(self, signer, site):
        token = token_of(signer.ask(signer.sign_in("ALEX.Zoe@EXAMPLE.Com")))
        assert decoded(token)[1]["email"] == "alex.zoe@example.com"
        site.data.run("token", "explain", site.name, stdin=token)

    def test_a_kelvin_sign_does_not_become_a_k(self, signer):
        if not signer.any_email:
            pytest.skip("no user can have such an email there")
        answer = signer.ask(signer.sign_in(KELVIN))
        assert answer.status != 200 or decoded(token_of(answer))[1]["email"] == KELVIN

    def test_an_unverified_email_is_not_signed(self, signer):
        for verified in (False, None):
            no_token(signer.ask(signer.sign_in("alex@example.com", verified)), 403)

    def test_only_post_mints(self, signer):
        mine = signer.sign_in("alex@example.com")
        for method in ("GET", "HEAD", "OPTIONS", "PUT"):
            answer = signer.ask(mine, method=method)
            assert b"eyJ" not in answer.body and (answer.status in (404, 405) or method == "OPTIONS"), f"{method} {answer}"

    def test_a_page_of_another_site_gets_no_token(self, signer):
        if not signer.cookie:
            pytest.skip("no browser adds the credential by itself")
        for site in ("cross-site", "same-site"):
            elsewhere = [("Sec-Fetch-Site", site), ("Origin", "https://evil.example")]
            answer = signer.ask([*signer.sign_in("alex@example.com"), *elsewhere])
            no_token(answer, 403)
            assert answer.all("Access-Control-Allow-Origin") == [], str(answer)
        token_of(signer.ask([*signer.sign_in("alex@example.com"), ("Sec-Fetch-Site", "same-origin")]))
        answer = signer.ask([("Origin", "https://evil.example")])
        assert answer.all("Access-Control-Allow-Origin") == [], str(answer)

    def test_without_its_secret_it_signs_nothing(self, signer):
        for key in (None, "", "short"):
            with signer.other(POSTERN_SIGNING_KEY=key) as up:
                if up:
                    answer = signer.ask(signer.sign_in("alex@example.com"))
                    assert answer.status == 500 or answer.status == 404, str(answer)
                    no_token(answer, answer.status)

    def test_without_a_kid_the_token_is_verified_too(self, signer, site):
        with signer.other(POSTERN_SIGNING_KID=None) as up:
            assert up, signer.log()
            token = token_of(signer.ask(signer.sign_in("alex@example.com")))
        assert decoded(token)[0] == {"alg": "HS256", "typ": "JWT"}
        site.data.run("token", "explain", site.name, stdin=token)

    def test_doctor_finds_nothing_wrong_with_it(self, signer, site):
        session = site.data.file("session", "".join(f"{name}: {value}\n" for name, value in signer.sign_in("alex@example.com")))
        ran = site.data.ask("doctor", "--json", "--mint", f"http://127.0.0.1:{signer.port}{signer.path}", "--site", site.name,
                            "--header-file", session)
        found = {f["check"]: f["state"] for f in ran.json["checks"] if f["check"].startswith("mint_")}
        assert "mint_other_email" in found and set(found.values()) == {"ok"}, str(ran)

    def test_the_secret_is_in_no_answer_and_no_log(self, signer, site):
        answers = [signer.ask(), signer.ask(signer.sign_in("alex@example.com")), signer.ask(method="GET")]
        assert all(site.secret.encode() not in a.body for a in answers) and site.secret not in signer.log()


class Php(Signer):
    name = "php"
    path = "/chat-token.php"

    def prepare(self):
        shutil.copy(SIGNERS / "php/chat-token.php", self.folder)
        shutil.copy(APPS / "sign-in.php", self.folder / "sign-in.php")
        (self.folder / "sessions").mkdir()

    def command(self):
        return [tool("php"), "-n", "-d", "session.save_path=sessions", "-d", "session.cache_limiter=", "-d", "display_errors=0",
                "-S", f"127.0.0.1:{self.port}", "-t", "."]

    def sign_in(self, email, verified=True):
        answer = self.client().send("POST", "/sign-in.php", [JSON], json.dumps({"email": email, "email_verified": verified}))
        assert answer.status == 200, f"{answer}\n{self.log()}"
        return [cookies(answer)]
