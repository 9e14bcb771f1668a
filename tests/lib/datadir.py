"""A data directory of a test's own, the command line on it, and its sites. Made by `postern init`, checked when it ends."""
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lib import audit, tokens
from lib.programs import SANITIZER_EXIT, environment, program, wait_until


@dataclass
class Ran:
    """How one command ended."""
    args: list
    code: int
    out: str
    err: str

    @property
    def json(self):
        """The one document that --json prints."""
        return json.loads(self.out)

    def __str__(self):
        return f"postern {' '.join(self.args)}: exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def postern(*args, stdin=None, env=None, timeout=60):
    """Runs the command and returns how it ended, whatever that is; only a crash or a sanitizer's finding fails here."""
    args = [str(a) for a in args]
    data = stdin.encode() if isinstance(stdin, str) else stdin if stdin is not None else b""
    done = subprocess.run([program("postern"), *args], input=data, capture_output=True, timeout=timeout, check=False,
                          env=environment(**(env or {})))
    ran = Ran(args, done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
    assert ran.code >= 0 and ran.code != SANITIZER_EXIT, str(ran)
    return ran


class DataDir:
    def __init__(self, demo=False):
        self.home = Path(tempfile.mkdtemp(prefix="postern-"))
        self.path = self.home / "data"
        self.sites = {}
        self.secrets = set()        # key secrets and tokens: in no log and no audit line
        self.emails = set()         # clear emails: the same
        self.check_lines = True     # a test that damages the log on purpose clears it
        self.run("init", *(["--demo"] if demo else []))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None and self.check_lines:
                self.check_audit()
        finally:
            shutil.rmtree(self.home, ignore_errors=True)

    # ---- commands ----

    def ask(self, *args, stdin=None, env=None):
        """Runs `postern ARGS --data DIR`; any exit code is an answer."""
        return postern(*args, "--data", self.path, stdin=stdin, env=env)

    def run(self, *args, expect=0, stdin=None, env=None):
        """As ask, but this exit code is expected."""
        ran = self.ask(*args, stdin=stdin, env=env)
        assert ran.code == expect, f"expected exit {expect}\n{ran}"
        return ran

    def file(self, name, content):
        """A file beside the data directory, for commands that read one."""
        path = self.home / name
        if not isinstance(content, (bytes, str)):
            content = json.dumps(content)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.chmod(path, 0o600)
        return path

    def add_site(self, name, *options, key=True, actions=None, documents=None):
        """A site, with a key unless told otherwise, and its actions and documents imported."""
        self.run("site", "add", name, *options)
        site = self.sites[name] = Site(self, name)
        if key:
            site.add_key()
        if actions is not None:
            site.import_actions(actions)
        if documents is not None:
            site.import_documents(documents)
        return site

    # ---- the audit log ----

    def audit_lines(self):
        return [line for line in self.run("audit", "export").out.split("\n") if line]

    def audit(self, **members):
        """The records, in order, that have these members: data.audit(outcome="blocked", site="acme")."""
        return audit.matching(map(json.loads, self.audit_lines()), members)

    def wait_audit(self, count=1, seconds=15.0, **members):
        """Waits for count such records: a public read and a folded refusal are written after the answer."""
        def enough():
            found = self.audit(**members)
            return found if len(found) >= count else None
        return wait_until(enough, f"{count} audit records with {members}", seconds)

    def check_audit(self):
        """Every line fits the schema and is canonical; none has a secret, a token or a clear email."""
        audit.check_lines(self.audit_lines(), self.secrets, self.emails)


class Site:
    """A site of a data directory and its keys: {kid: secret}, the newest last."""

    def __init__(self, data, name):
        self.data, self.name, self.keys = data, name, {}

    def knows(self, kid, secret):
        self.keys[kid] = secret
        self.data.secrets.add(secret)

    @property
    def kid(self):
        return list(self.keys)[-1]

    @property
    def secret(self):
        return self.keys[self.kid]

    def add_key(self, *options):
        made = self.data.run("key", "create", self.name, "--json", *options).json
        self.knows(made["kid"], made["secret"])
        return made["kid"]

    def rotate(self, *options):
        """Rotates; returns the new kid."""
        made = self.data.run("key", "rotate", self.name, "--json", *options).json
        self.knows(made["kid"], made["secret"])
        return made["kid"]

    def retire(self, kid, *options):
        return self.data.run("key", "retire", self.name, kid, *(options or ("--now", "--yes")))

    def token(self, kid=None, secret=None, named=True, **claim):
        """A token under one of the site's keys (the newest). named=False: without a kid in its header."""
        kid = kid or self.kid
        token = tokens.mint(secret or self.keys[kid], kid=kid if named else None, **claim)
        self.data.secrets.add(token)
        email = claim.get("email", "alex@example.com")
        if isinstance(email, str) and "@" in email:
            self.data.emails.add(email.strip())
        return token

    def import_actions(self, document):
        path = self.data.file(f"{self.name}-actions.json", document)
        return self.data.run("action", "import", self.name, path)

    def import_documents(self, rows):
        """rows: [{"collection":…, "id":…, "owner": email or None, "data": {…}}]"""
        path = self.data.file(f"{self.name}-documents.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        return self.data.run("document", "import", self.name, path)
