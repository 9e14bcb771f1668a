"""The corpus of attacks on tokens, tests/fuzz/corpus/token: its README says how a file is read."""
import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field

from lib.programs import ROOT

FOLDER = ROOT / "tests/fuzz/corpus/token"
PLACEHOLDER = re.compile(rb"\{\{([^{}]*)\}\}")
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@dataclass
class Case:
    name: str
    reason: str = ""
    decision: str = ""
    email: str = ""
    keys: tuple = ("active",)
    settings: tuple = ()
    lines: dict = field(default_factory=dict)       # header, payload, key, signed, token: bytes
    authorizations: list = field(default_factory=list)
    may_refuse: bool = False

    def parameters(self, kids, secrets, now):
        """The Authorization parameters' values as bytes."""
        filled = Filling(self.lines, kids, secrets, now)
        return [filled.text(value) for value in self.authorizations]


class Filling:
    """One case's placeholders, filled in at one time with one ring."""
    DEFAULTS = {"header": b'{"alg":"HS256","typ":"JWT"}', "payload": b'{"email":"alex@example.com","iat":{{now}},"exp":{{now+3600}}}',
                "key": b"{{secret1}}", "signed": b"{{header}}.{{payload}}", "token": b"{{header}}.{{payload}}.{{signature}}"}

    def __init__(self, lines, kids, secrets, now):
        self.lines, self.kids, self.secrets, self.now = {**self.DEFAULTS, **lines}, kids, secrets, now

    def text(self, value):
        return PLACEHOLDER.sub(lambda m: self.value(m.group(1).decode()), value)

    def line(self, name):
        return self.text(self.lines[name])

    def value(self, name):
        if name in ("header", "payload"):
            return b64(self.line(name))
        if name == "token":
            return self.line("token")
        if name in ("signature", "loose_signature"):
            text = b64(hmac.new(self.line("key"), self.line("signed"), hashlib.sha256).digest())
            return text if name == "signature" else text[:-1] + ALPHABET[ALPHABET.index(text[-1]) + 1:][:1]
        if m := re.fullmatch(r"now(_ms)?([+-]\d+)?", name):
            return str((self.now + int(m.group(2) or 0)) * (1000 if m.group(1) else 1)).encode()
        if m := re.fullmatch(r"(kid|secret)(\d)", name):
            return (self.kids if m.group(1) == "kid" else self.secrets)[int(m.group(2)) - 1].encode()
        if m := re.fullmatch(r"byte:([0-9A-Fa-f]{2})", name):
            return bytes.fromhex(m.group(1))
        if m := re.fullmatch(r"repeat:(.*):(\d+)", name, re.S):
            return m.group(1).encode() * int(m.group(2))
        raise AssertionError(f"no such placeholder: {name}")


def read_case(path):
    case = Case(path.name)
    settings, none = [], False
    for line in path.read_bytes().split(b"\n"):
        if not line or line.startswith(b"#"):
            continue
        name, _, value = line.partition(b":")
        name, value = name.decode().strip(), value[1:] if value.startswith(b" ") else value
        if name == "expect":
            case.reason, case.decision = value.decode().split()
        elif name == "email":
            case.email = value.decode()
        elif name == "keys":
            case.keys = () if value.strip() == b"none" else tuple(value.decode().split())
        elif name == "site":
            settings.append(value.decode())
        elif name == "authorization":
            case.authorizations.append(value)
        elif name == "no-authorization":
            none = True
        elif name == "http":
            assert value == b"may-refuse", f"{path}: {line}"
            case.may_refuse = True
        elif name != "hint":
            assert name in Filling.DEFAULTS, f"{path}: {line}"
            case.lines[name] = value
    assert case.decision in ("verified", "anonymous", "blocked"), f"{path} expects nothing"
    case.settings = tuple(settings)
    if not case.authorizations and not none:
        case.authorizations = [b"Bearer {{token}}"]
    return case


def read_corpus():
    return {path.name: read_case(path) for path in sorted(FOLDER.iterdir()) if not path.name.startswith("README")}
