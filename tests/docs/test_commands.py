"""Every command in the README and the deployment guide is one that a test runs: here those that need no machine of their own.

The guide's, and the README's that install by hand, are run by tests/machine."""
import base64
import json
import os
import re
import shutil
import signal
import subprocess
import types

import pytest

from lib.blocks import Block, attach, blocks, missing, problems
from lib.lighttpd import Lighttpd
from lib.programs import BUILD, ROOT, environment, tool, wait_until
from lib.worker import Worker

KNOWN = {"README.md": {"quick", "tree", "backend", "by-hand"},
         "data/deploy/GUIDE.md": {"build", "once", "console", "nginx", "apache", "apache-fcgid", "lighttpd", "lighttpd-spawned"}}
README = blocks("README.md")

# What a reader puts in himself, and what does not end by itself.
STAND_INS = (("data/examples", f"{ROOT}/data/examples"), ("data/demo", f"{ROOT}/data/demo"), ("log.jsonl VKEY", 'log.jsonl "$(postern audit vkey)"'), ("prove 4711", "prove 1"),
             ("postern audit checkpoint --every 60s", "postern audit checkpoint --every 60s 2>said & until test -s said; do sleep 0.02; done; kill $!; wait $!"))


def one(name, language="sh"):
    return [block for block in README if name in (block.names or ()) and block.language == language]


# ---- the marks ----

@pytest.mark.parametrize("page", KNOWN)
def test_every_block_has_a_test(page):
    assert list(problems(blocks(page), KNOWN[page])) == []


@pytest.mark.parametrize("page", KNOWN)
def test_every_name_is_used(page):
    used = set().union(*(block.names or () for block in blocks(page)))
    assert used == KNOWN[page]


def made(language, words, *lines):
    block = Block("page", 1, language, words.split(), "heading")
    block.lines = list(lines)
    return block


@pytest.mark.parametrize("block", [made("sh", ""), made("", ""), made("sh", "rum"), made("sh", "run=nowhere"), made("text", "run"),
                                   made("nginx", "")], ids=["no mark", "no language", "a typing mistake", "an unknown name",
                                                            "text to run", "a configuration nobody reads"])
def test_a_block_nobody_runs_is_found(block):
    assert len(list(problems([block], {"here"}))) == 1


def test_what_a_page_shows_is_held_against_what_is_printed():
    said = "KID      STATE\nk_abcd   active  x\n{\"a\":1,\"b\":2}\n"
    assert missing(["KID STATE", "k_… active …", '{"a":1,…}'], said) is None
    assert missing(["k_… active"], said) == "k_… active"
    assert missing(["k_… active x", "KID STATE"], said) == "KID STATE"
    with pytest.raises(AssertionError):
        attach([made("text", "shows", "what?")])


# ---- on a data directory of its own ----

@pytest.fixture
def shell(data, tmp_path):
    """Runs a block in a folder of its own, with the programs on its path and the data directory in its environment."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("postern", "postern-console", "postern-fcgi"):
        (programs / name).symlink_to(BUILD / name)
    home = tmp_path / "home"
    home.mkdir()

    def run(text, **variables):
        for there, here in STAND_INS:
            text = text.replace(there, here)
        env = environment(POSTERN_DATA=data.path, **variables)
        env["PATH"] = f"{programs}:{env['PATH']}"
        done = subprocess.run(["bash", "-eu", "-c", text], cwd=home, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False, timeout=50)
        assert done.returncode == 0, f"{text}\nexit {done.returncode}\n{done.stdout.decode()}{done.stderr.decode()}"
        return done.stdout.decode()
    run.home, run.programs = home, programs
    return run


def acme(shell, data):
    """The README's site, made by its own first block."""
    out = shell(one("quick")[0].text)
    secret = (shell.home / "acme.secret").read_text(encoding="ascii").strip()
    data.secrets.add(secret)
    data.emails.add("alex@example.com")
    return re.search(r"k_[a-z2-7]{8}", out).group(0), secret


@pytest.fixture
def served(data):
    with Worker(data) as worker, Lighttpd(worker) as server:
        yield server


def test_the_readme_from_a_site_to_a_request(data, shell, served):
    _, secret = acme(shell, data)
    here = f"http://127.0.0.1:{served.port}"
    # The example's host is nobody's; its place is taken by this server, in curl's own arguments.
    curl = shell.programs / "curl"
    curl.write_text('#!/bin/bash\nfor a; do set -- "$@" "${a/https:\\/\\/shop.acme.example/' + here.replace("/", "\\/") +
                    f'}}"; shift; done\nexec {tool("curl")} -sS "$@"\n', encoding="ascii")
    curl.chmod(0o755)
    token = data.run("token", "mint", "acme", "--email", "alex@example.com", "--secret-file", shell.home / "acme.secret").out.strip()
    data.secrets.add(token)
    out = shell(one("quick")[1].text, TOKEN=token)
    first, end = json.JSONDecoder().raw_decode(out)
    second = json.loads(out[end:])
    assert first["identity"]["email"] == "alex@example.com"
    assert second["identity"]["email"] == "alex@example.com" and second["result"]["id"] == "A-1001"
    assert secret not in out


def test_the_readme_on_the_log_as_evidence(data, shell):
    acme(shell, data)
    block = one("quick")[2]
    out = shell(block.text)
    assert out.count("verified") >= 2
    assert "c2sp.org/tlog-proof" in (shell.home / "4711.tlog-proof").read_text(encoding="utf-8")


# ---- the backend's code ----

def visitor():
    return types.SimpleNamespace(email="alex@example.com", name="Alex", id=1001)


def check_token(data, token, kid):
    data.secrets.add(token)
    told = data.run("token", "explain", "acme", data.file("token", token), "--json").json
    assert told["decision"] == "verified"
    assert (told["identity"]["email"], told["identity"]["name"], told["identity"]["user_id"]) == ("alex@example.com", "Alex", "1001")
    head = token.split(".")[0]
    assert json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"] == kid


def test_the_python_of_the_readme_signs_what_is_verified(data, shell):
    pytest.importorskip("jwt", reason="python3-jwt is not installed (scripts/install-deps)")
    kid, secret = acme(shell, data)
    names = {"SECRET": secret, "KID": kid}
    (block,) = one("backend", "python")
    exec(compile(block.text, block.where, "exec"), names)        # pylint: disable=exec-used
    check_token(data, names["chat_token"](visitor()), kid)


@pytest.mark.slow
@pytest.mark.limit(300)
def test_the_node_of_the_readme_signs_what_is_verified(data, shell, tmp_path):
    npm, node = tool("npm"), tool("node")
    kid, secret = acme(shell, data)
    (block,) = one("backend", "js")
    module = tmp_path / "token.mjs"
    module.write_text("const { SECRET, KID } = process.env;\n" + block.text +
                      'console.log(chatToken({ email: "alex@example.com", name: "Alex", id: 1001 }));\n', encoding="utf-8")
    env = {**environment(SECRET=secret, KID=kid, HOME=tmp_path), "PATH": os.environ["PATH"]}
    made_it = subprocess.run([npm, "install", "--silent", "--no-audit", "--no-fund", "jsonwebtoken@9"], cwd=tmp_path, env=env, check=False,
                             stdin=subprocess.DEVNULL, capture_output=True, timeout=200)
    if made_it.returncode:
        pytest.skip(f"npm cannot fetch jsonwebtoken: {made_it.stderr.decode()[-200:]}")
    done = subprocess.run([node, str(module)], env=env, capture_output=True, text=True, check=True, timeout=50)
    check_token(data, done.stdout.strip(), kid)


# ---- the tree ----

@pytest.mark.slow
@pytest.mark.limit(600)
def test_make_demo_and_make_serve():
    (block,) = one("tree")
    assert block.lines == ["make demo", "make serve"]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    demo = subprocess.run(block.lines[0].split(), cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, timeout=500)
    assert demo.returncode == 0, demo.stdout.decode()[-4000:]
    serve = subprocess.Popen(block.lines[1].split(), cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, start_new_session=True)
    said = b""

    def ready():
        nonlocal said
        piece = os.read(serve.stdout.fileno(), 65536)
        assert piece, f"it ended:\n{said.decode()}"
        said += piece
        return re.search(rb"http://127\.0\.0\.1:\d+", said)
    try:
        url = wait_until(ready, "the demo to be served", 60).group(0).decode()
        assert shutil.which("curl") and subprocess.run(["curl", "-sS", "-f", f"{url}/postern/v1/health"], check=False,
                                                       capture_output=True, timeout=20).returncode == 0
    finally:
        os.killpg(serve.pid, signal.SIGTERM)
        serve.wait(20)
        serve.stdout.close()
