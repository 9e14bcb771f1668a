"""Tokens minted without Postern: RFC 7515 in a few lines, so that a test can also get every part of it wrong."""
import base64
import hashlib
import hmac
import json
import time

HEADER = {"alg": "HS256", "typ": "JWT"}


def b64(data):
    """Unpadded base64url."""
    return base64.urlsafe_b64encode(data.encode() if isinstance(data, str) else data).rstrip(b"=").decode()


def part(value):
    """One part of a token: bytes and text are taken as they are, anything else becomes compact JSON."""
    if isinstance(value, (bytes, str)):
        return b64(value)
    return b64(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


def sign(signed, secret, digest=hashlib.sha256):
    key = secret.encode() if isinstance(secret, str) else secret
    return hmac.new(key, signed.encode(), digest).digest()


def mint_raw(header, payload, secret):
    """Any header and payload (objects, text or bytes), truly signed with HMAC-SHA256."""
    signed = f"{part(header)}.{part(payload)}"
    return f"{signed}.{b64(sign(signed, secret))}"


def claims(now=None, ttl=3600, **extra):
    """Claims of a token minted now for ttl seconds. A claim given as None is left out."""
    now = int(time.time()) if now is None else now
    full = {"email": "alex@example.com", "iat": now, "exp": now + ttl, **extra}
    return {name: value for name, value in full.items() if value is not None}


def mint(secret, header=None, kid=None, **claim):
    """A good token unless told otherwise: mint(secret, email=..., ttl=-5, exp=None, header={"alg": "none"})."""
    head = {**HEADER, **({"kid": kid} if kid else {}), **(header or {})}
    return mint_raw({k: v for k, v in head.items() if v is not None}, claims(**claim), secret)


def bearer(token):
    """The header a client sends with it."""
    return ("Authorization", f"Bearer {token}")


def fingerprint(token):
    """By which the log knows a token: the first 8 hex of its SHA-256."""
    return hashlib.sha256(token.encode()).hexdigest()[:8]
