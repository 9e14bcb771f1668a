"""Postern as the guard of an order page that knows nothing of tokens, behind each server, with the files that ship.

/orders/ is for verified visitors of the site shop, /open/ also for those without a token, /unset/ names no site."""
import itertools
import subprocess
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from lib.datadir import DataDir
from lib.programs import SANITIZED, environment, tool, wait_until
from lib.shipped import LIGHTTPD_PLACES, apache_guard, lighttpd_guard, nginx_guard
from lib.shop import ALEX, JORDAN
from lib.tokens import bearer
from lib.webserver import ACCOUNT, as_user, give
from lib.worker import Worker, listening

pytestmark = pytest.mark.skipif(SANITIZED, reason="the servers are the same in every tree")

HERE = Path(__file__).resolve().parent
ORDERS = f"{ALEX} a-1\n{ALEX} a-2\n{JORDAN} j-1\nMallory@example.com m-1\n"
PLACES = ("orders", "open", "unset")
PAGE = "/orders/page.cgi"


# ---- the order page behind each server ----

def pages(data):
    orders = data.file("orders.txt", ORDERS)
    orders.chmod(0o644)
    return {f"{place}/{name}": source for place in PLACES
            for name, source in (("page.cgi", HERE / "orders.cgi"), ("index.cgi", HERE / "orders.cgi"), ("orders.txt", orders))}


@contextmanager
def lighttpd(data, stack, application='cgi.assign = ( ".cgi" => "" )', modules=("mod_cgi",)):
    worker = stack.enter_context(Worker(data, "--audit-budget", "0", peer=None, account=ACCOUNT))
    lines = application + LIGHTTPD_PLACES + """
index-file.names = ( "index.cgi" )
"""
    with lighttpd_guard(data, worker.socket, lines, ("mod_indexfile", "mod_setenv", *modules), pages=pages(data)) as server:
        yield server


@contextmanager
def lighttpd_fastcgi(data, stack):
    """The application is in fastcgi.server too, as PHP is on Debian; the guard is added to that."""
    wrap = stack.enter_context(fcgiwrap(data))
    with lighttpd(data, stack, f'fastcgi.server = ( ".cgi" => (( "socket" => "{wrap}" )) )', ("mod_fastcgi",)) as server:
        yield server


@contextmanager
def apache(data, _, application="Options +ExecCGI\n    AddHandler cgi-script .cgi", modules=("cgid",)):
    lines = f"""
<Directory "${{SRVROOT}}/www">
    {application}
    DirectoryIndex index.cgi
</Directory>
""" + """
Use PosternGuard /orders shop
Use PosternGuardOrAnonymous /open shop
<Location "/unset">
    FcgidAccessChecker "${POSTERN_PROGRAM}"
    FcgidAccessCheckerAuthoritative On
    CGIPassAuth On
</Location>
"""
    with apache_guard(data, None, lines, modules, pages=pages(data)) as server:
        yield server


@contextmanager
def apache_fastcgi(data, stack):
    """The application by mod_proxy_fcgi, as PHP is on Debian."""
    wrap = stack.enter_context(fcgiwrap(data))
    application = f"""ProxyFCGIBackendType GENERIC
    <FilesMatch "\\.cgi$">
        SetHandler "proxy:unix:{wrap}|fcgi://localhost"
    </FilesMatch>"""
    with apache(data, stack, application, ("proxy", "proxy_fcgi")) as server:
        yield server


@contextmanager
def nginx(data, stack):
    """The page by fcgiwrap; what is below /proxied is an application that speaks HTTP."""
    worker = stack.enter_context(Worker(data, "--audit-budget", "0", peer=None, account=ACCOUNT))
    wrap = stack.enter_context(fcgiwrap(data))
    port = stack.enter_context(proxied())
    site = "set $postern_site shop;"
    allow = "set $postern_anonymous allow;"
    lines = "\n".join(f"""location ^~ /{place}/ {{
    {settings}
    fastcgi_index index.cgi;
    include /etc/nginx/fastcgi_params;
    fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
    include GUARD-FASTCGI;
    fastcgi_pass unix:{wrap};
}}
location ^~ /proxied/{place}/ {{
    {settings}
    include GUARD-PROXY;
    proxy_pass http://127.0.0.1:{port};
}}""" for place, settings in zip(PLACES, (site, site + allow, "")))
    with nginx_guard(data, worker.socket, lines, pages=pages(data)) as server:
        yield server


@contextmanager
def fcgiwrap(data):
    path = data.home / "fcgiwrap.sock"
    process = subprocess.Popen([tool("fcgiwrap"), "-s", f"unix:{path}"], stdin=subprocess.DEVNULL, env=environment(), **as_user())
    try:
        wait_until(lambda: listening(path), "fcgiwrap to listen")
        yield path
    finally:
        process.terminate()
        process.wait()


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def order_application(environ, start_response):
    """As orders.cgi. WSGI takes X_Postern_Email for X-Postern-Email, as many an application does."""
    told = {name: value for name, value in environ.items() if name.startswith("HTTP_") and "POSTERN" in name}
    who = told.get("HTTP_X_POSTERN_EMAIL") if told.get("HTTP_X_POSTERN_DECISION") == "verified" else None
    lines = [f"order {line.split()[1]}" for line in ORDERS.splitlines() if line.split()[0] == who] if who else \
        ["sign in to see your orders" if told.get("HTTP_X_POSTERN_DECISION") == "anonymous" else "nobody has decided"]
    lines += [f"{name.replace('HTTP_X_POSTERN', 'POSTERN')}={value}" for name, value in sorted(told.items())]
    size = int(environ.get("CONTENT_LENGTH") or 0)
    if size:
        lines.append(f"body {len(environ['wsgi.input'].read(size))}")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("\n".join(lines) + "\n").encode("latin-1")]


@contextmanager
def proxied():
    server = make_server("127.0.0.1", 0, order_application, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Guarded:
    def __init__(self, data, server, below=""):
        self.data, self.server, self.below, self.http = data, server, below, server.client(prefix=below)
        self.shop = data.sites["shop"]

    def ask(self, path=PAGE, token=None, headers=(), method="GET", body=None):
        return self.http.send(method, path, [*([bearer(token)] if token else []), *headers], body)

    def told(self, answer):
        """(the lines of the page, {variable: value} as the application got them, its own and the client's alike)"""
        assert answer.status == 200, str(answer)
        # What is said to the application is not said to the client.
        assert not [name for name, _ in answer.headers if "postern" in name.lower()], str(answer)
        lines = answer.body.decode().splitlines()
        variables = dict(line.split("=", 1) for line in lines if "=" in line)
        return [line for line in lines if "=" not in line], variables


def ours(variables):
    return {name: value for name, value in variables.items()
            if name.startswith("POSTERN_") and name not in ("POSTERN_SITE", "POSTERN_ANONYMOUS")}


def prepare(data):
    data.add_site("shop")
    data.add_site("other")
    give(data.home)


SERVERS = {"lighttpd": (lighttpd, ""), "lighttpd-fastcgi": (lighttpd_fastcgi, ""), "apache": (apache, ""),
           "apache-fastcgi": (apache_fastcgi, ""), "nginx": (nginx, ""), "nginx-proxied": (nginx, "/proxied")}


@pytest.fixture(scope="module", params=SERVERS)
def guarded(request):
    start, below = SERVERS[request.param]
    with DataDir() as data:
        prepare(data)
        with ExitStack() as stack, start(data, stack) as server:
            yield Guarded(data, server, below)


# ---- who passes ----

def test_a_verified_visitor_sees_their_own_orders(guarded):
    token = guarded.shop.token(email=ALEX, name="Alex Winter", user_id="1001")
    lines, variables = guarded.told(guarded.ask(token=token))
    assert lines == ["order a-1", "order a-2"]
    assert ours(variables) == {"POSTERN_DECISION": "verified", "POSTERN_EMAIL": ALEX, "POSTERN_NAME": "Alex Winter",
                               "POSTERN_USER_ID": "1001"}
    lines, variables = guarded.told(guarded.ask(token=guarded.shop.token(email=JORDAN)))
    assert lines == ["order j-1"] and ours(variables) == {"POSTERN_DECISION": "verified", "POSTERN_EMAIL": JORDAN}


def test_nothing_of_one_visitor_is_left_for_the_next(guarded):
    """Over connections and processes that were somebody else's a moment ago."""
    full, bare = guarded.shop.token(email=ALEX, name="Alex Winter", user_id="1001"), guarded.shop.token(email=JORDAN)
    for _ in range(6):
        guarded.told(guarded.ask(token=full))
        assert ours(guarded.told(guarded.ask(token=bare))[1]) == {"POSTERN_DECISION": "verified", "POSTERN_EMAIL": JORDAN}
        assert ours(guarded.told(guarded.ask("/open/page.cgi"))[1]) == {"POSTERN_DECISION": "anonymous"}


def refused(guarded, answer, status):
    assert answer.status == status, str(answer)
    for word in (b"order", b"decided", b"sign in to"):
        assert word not in answer.body, str(answer)


def bad_tokens(shop):
    good = shop.token(email=ALEX)
    head, payload, signature = good.split(".")
    return {"expired": f"Bearer {shop.token(email=ALEX, ttl=-5)}", "no signature": f"Bearer {head}.{payload}.", "nonsense": "Bearer x",
            "empty": "Bearer ",
            "two": f"Bearer {good}, Bearer {good}", "a bare token": good, "another key": f"Bearer {shop.token(secret='x' * 40)}"}


@pytest.mark.parametrize("place", ["orders", "open"])
@pytest.mark.parametrize("which", ["expired", "no signature", "nonsense", "empty", "two", "a bare token", "another key"])
def test_a_bad_token_is_refused_everywhere(guarded, place, which):
    answer = guarded.ask(f"/{place}/page.cgi", headers=[("Authorization", bad_tokens(guarded.shop)[which])])
    refused(guarded, answer, 401)
    challenged(guarded, answer)


def challenged(guarded, answer):
    """The client learns what it would need, also where the server replaces the page."""
    assert (answer.header("WWW-Authenticate") or "").startswith("Bearer"), str(answer)
    if guarded.server.program == "lighttpd":
        assert answer.check().code in ("token_invalid", "token_expired", "sign_in_required")


def test_two_authorization_headers_are_refused(guarded):
    token = guarded.shop.token(email=ALEX)
    for place in ("orders", "open"):
        answer = guarded.ask(f"/{place}/page.cgi", headers=[bearer(token), bearer(token)])
        refused(guarded, answer, 400 if guarded.server.program == "nginx" else 401)


def test_another_sites_token_is_refused(guarded):
    key = guarded.data.sites["other"]
    refused(guarded, guarded.ask(token=key.token(email=ALEX)), 401)


@pytest.mark.parametrize("page", ["page.cgi", "index.cgi", "", "orders.txt"])
def test_no_token_is_refused_unless_the_place_lets_it_pass(guarded, page):
    answer = guarded.ask(f"/orders/{page}")
    refused(guarded, answer, 401)
    challenged(guarded, answer)


def test_no_token_where_it_may_pass_is_anonymous_without_an_identity(guarded):
    lines, variables = guarded.told(guarded.ask("/open/page.cgi"))
    assert lines == ["sign in to see your orders"] and ours(variables) == {"POSTERN_DECISION": "anonymous"}
    lines, variables = guarded.told(guarded.ask("/open/page.cgi", guarded.shop.token(email=ALEX)))
    assert lines == ["order a-1", "order a-2"] and ours(variables) == {"POSTERN_DECISION": "verified", "POSTERN_EMAIL": ALEX}


def test_a_place_without_a_site_lets_nobody_pass(guarded):
    for headers in ([], [bearer(guarded.shop.token(email=ALEX))], [("Postern-Site", "shop")], [("POSTERN_SITE", "shop")]):
        # mod_fcgid makes a 401 of every answer that is no 200.
        refused(guarded, guarded.ask("/unset/page.cgi", headers=headers), 401 if guarded.server.program == "apache2" else 500)


def test_a_reserved_email_is_nobody(guarded):
    token = guarded.shop.token(email="alex@shop.invalid")
    refused(guarded, guarded.ask(token=token), 401)
    assert ours(guarded.told(guarded.ask("/open/page.cgi", token))[1]) == {"POSTERN_DECISION": "anonymous"}


# ---- what a client claims ----

def spellings(name):
    """X-Postern-Email with each of its dashes as a dash or an underscore."""
    parts = name.split("-")
    for marks in itertools.product("-_", repeat=len(parts) - 1):
        yield "".join(part + mark for part, mark in zip(parts, (*marks, "")))


CLAIMS = sorted({spelling for name in ("Email", "Name", "User-Id", "Decision")
                 for prefix in ("Postern", "X-Postern", "Variable-Postern", "Redirect-Postern")
                 for spelling in spellings(f"{prefix}-{name}")})


@pytest.mark.parametrize("upper", [False, True], ids=["as it is", "upper case"])
def test_a_clients_own_claims_never_reach_the_application_as_ours(guarded, upper):
    claims = [(name.upper() if upper else name, "verified" if name.lower().endswith("decision") else JORDAN) for name in CLAIMS]
    for some in [claims[i:i + 12] for i in range(0, len(claims), 12)]:
        refused(guarded, guarded.ask(headers=some), 401)
        lines, variables = guarded.told(guarded.ask("/open/page.cgi", headers=some))
        assert lines == ["sign in to see your orders"] and ours(variables) == {"POSTERN_DECISION": "anonymous"}, (some, variables)
        lines, variables = guarded.told(guarded.ask(token=guarded.shop.token(email=ALEX), headers=some))
        assert lines == ["order a-1", "order a-2"], some
        assert ours(variables) == {"POSTERN_DECISION": "verified", "POSTERN_EMAIL": ALEX}, (some, variables)


def test_claims_in_query_and_cookie_are_the_applications_own_business(guarded):
    query = "?POSTERN_EMAIL=jordan@example.com&POSTERN_DECISION=verified&POSTERN_ANONYMOUS=allow"
    refused(guarded, guarded.ask(PAGE + query, headers=[("Cookie", "POSTERN_EMAIL=jordan@example.com")]), 401)
    lines, variables = guarded.told(guarded.ask(PAGE + query, guarded.shop.token(email=ALEX)))
    assert lines == ["order a-1", "order a-2"] and ours(variables) == {"POSTERN_DECISION": "verified", "POSTERN_EMAIL": ALEX}


@pytest.mark.parametrize("name, value",
                         [("Postern-Anonymous", "allow"), ("POSTERN_ANONYMOUS", "allow"), ("Postern-Role", "x"),
                          ("POSTERN_ROLE", "responder")])
def test_a_client_cannot_open_the_place(guarded, name, value):
    refused(guarded, guarded.ask(headers=[(name, value)]), 401)


@pytest.mark.parametrize("path",
                         ["/orders/./page.cgi", "//orders/page.cgi", "/x/../orders/page.cgi", "/%6frders/page.cgi", "/orders/%70age.cgi",
                          "/open/../orders/page.cgi", "/open/%2e%2e/orders/page.cgi", "/orders/page.cgi/v1/health",
                          "/orders/page.cgi?/v1/health",
                          "/open/..%2forders/page.cgi", "/orders/v1/health", "/orders", "/orders/%2e/page.cgi"])
def test_another_spelling_of_the_path_is_no_way_around(guarded, path):
    answer = guarded.ask(path)
    assert answer.status in (301, 400, 401, 403, 404), str(answer)
    refused(guarded, answer, answer.status)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PROPFIND"])
def test_every_method_is_guarded(guarded, method):
    answer = guarded.ask(method=method, body="x" if method in ("POST", "PUT") else None)
    assert answer.status in (401, 403, 405, 501) and b"order" not in answer.body, str(answer)


# ---- the application still works ----

@pytest.mark.parametrize("size", [1, 70000, 300000])
def test_the_applications_body_is_its_own(guarded, size):
    """Larger than what Postern itself would read: the guard reads none of it."""
    body = "b" * size
    lines, variables = guarded.told(guarded.ask(token=guarded.shop.token(email=ALEX), method="POST", body=body,
                                                headers=[("Content-Type", "text/plain")]))
    assert lines == ["order a-1", "order a-2", f"body {size}"] and ours(variables)["POSTERN_EMAIL"] == ALEX


def test_the_index_of_a_guarded_place_knows_its_visitor(guarded):
    lines, variables = guarded.told(guarded.ask("/orders/", guarded.shop.token(email=ALEX)))
    assert lines == ["order a-1", "order a-2"] and ours(variables)["POSTERN_EMAIL"] == ALEX


def test_what_is_blocked_is_in_the_log(guarded):
    answer = guarded.ask(headers=[("Authorization", "Bearer x")])
    refused(guarded, answer, 401)
    record = guarded.data.wait_audit(site="shop", outcome="blocked")[-1]
    assert record["reason"] == "token_malformed" and record["remote"] == "127.0.0.0/24"
