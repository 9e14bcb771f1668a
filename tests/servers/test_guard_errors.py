"""A guard beside error pages of the server's own, and without a worker: nobody passes."""
from contextlib import ExitStack

import pytest

from lib.datadir import DataDir
from lib.programs import SANITIZED
from lib.shipped import LIGHTTPD_PLACES, apache_guard, lighttpd_guard, nginx_guard
from lib.shop import ALEX
from lib.tokens import bearer
from lib.webserver import ACCOUNT, give
from lib.worker import Worker

pytestmark = pytest.mark.skipif(SANITIZED, reason="the servers are the same in every tree")

PAGE = "/orders/page.txt"
PAGES_OF_THEIR_OWN = """
error_page 400 401 403 404 = /sorry.txt;
error_page 500 502 503 504 =200 /sorry.txt;
fastcgi_intercept_errors on;
recursive_error_pages on;
"""
FRONT_CONTROLLER = """
if (!-e $request_filename) { rewrite ^ /sorry.txt last; }
"""


@pytest.fixture(scope="module")
def data():
    with DataDir() as d:
        d.add_site("shop")
        give(d.home)
        yield d


def texts(data):
    sources = {"orders/page.txt": data.file("page.txt", "order a-1\n"), "sorry.txt": data.file("sorry.txt", "sorry\n"),
               "unset/page.txt": data.home / "page.txt"}
    for source in sources.values():
        source.chmod(0o644)
    return sources


def nginx(data, socket, lines=PAGES_OF_THEIR_OWN):
    """What a server has for all its places, the guard has too, unless it says otherwise."""
    return nginx_guard(data, socket, lines + """
location ^~ /orders/ { set $postern_site shop; include GUARD-FASTCGI; }
location ^~ /unset/ { include GUARD-FASTCGI; }
""", pages=texts(data))


def test_attack_nginx_error_pages_do_not_answer_for_the_guard(data):
    """A page that comes as 200 in the place of the guard's refusal would be its consent."""
    with ExitStack() as stack:
        worker = stack.enter_context(Worker(data, "--audit-budget", "0", peer=None, account=ACCOUNT))
        http = stack.enter_context(nginx(data, worker.socket)).client(prefix="")
        good = bearer(data.sites["shop"].token(email=ALEX))
        assert http.send("GET", PAGE, [good]).body == b"order a-1\n"
        for path, headers in ((PAGE, []), (PAGE, [("Authorization", "Bearer x")]), ("/unset/page.txt", [good])):
            answer = http.send("GET", path, headers)
            assert answer.body == b"sorry\n", (path, headers, str(answer))


def test_attack_nginx_error_pages_do_not_answer_for_a_worker_that_is_away(data):
    with nginx(data, data.home / "nobody.sock") as server:
        for headers in ([], [("Authorization", "Bearer x")], [bearer(data.sites["shop"].token(email=ALEX))]):
            answer = server.client(prefix="").send("GET", PAGE, headers)
            assert answer.body == b"sorry\n", str(answer)


def test_attack_nginx_rewrites_do_not_take_the_guards_question_elsewhere(data):
    with ExitStack() as stack:
        worker = stack.enter_context(Worker(data, "--audit-budget", "0", peer=None, account=ACCOUNT))
        http = stack.enter_context(nginx(data, worker.socket, FRONT_CONTROLLER)).client(prefix="")
        good = bearer(data.sites["shop"].token(email=ALEX))
        assert http.send("GET", "/nowhere", []).body == b"sorry\n"
        assert http.send("GET", PAGE, [good]).body == b"order a-1\n"
        for path, headers, status in ((PAGE, [], 401), (PAGE, [("Authorization", "Bearer x")], 401),
                                      ("/unset/page.txt", [good], 500), ("/.postern-guard", [good], 404)):
            answer = http.send("GET", path, headers)
            assert answer.status == status and b"order" not in answer.body, (path, headers, str(answer))

APACHE = """
ErrorDocument 401 /sorry.txt
ErrorDocument 500 /sorry.txt
ErrorDocument 503 /sorry.txt
RewriteEngine On
RewriteRule ^/short$ /orders/page.txt [PT]
Use PosternGuard /orders shop
Use PosternGuardOrAnonymous /open shop
<Location "/unset">
    FcgidAccessChecker "${POSTERN_PROGRAM}"
    FcgidAccessCheckerAuthoritative On
    CGIPassAuth On
</Location>
<Location "/open/to-orders">
    ErrorDocument 404 /orders/page.txt
</Location>
<Location "/nothing">
    ErrorDocument 404 /orders/page.txt
</Location>
"""
LIGHTTPD = LIGHTTPD_PLACES + """
$HTTP["url"] =~ "^/nothing" { server.error-handler-404 = "/orders/page.txt" }
url.rewrite-once = ( "^/short$" => "/orders/page.txt" )
"""


def asked(http, good):
    bad = ("Authorization", "Bearer x")
    assert http.send("GET", PAGE, [good]).body == b"order a-1\n"
    for path, headers in (("/nothing", []), ("/nothing", [bad]), (PAGE, []), (PAGE, [bad]), ("/unset/page.txt", [good]), ("/short", []), ("/short", [bad]),
                          ("/open/to-orders", []), ("/open/to-orders", [bad]), ("/nothing", []), ("/nothing", [bad])):
        answer = http.send("GET", path, headers)
        assert b"order" not in answer.body and answer.status in (401, 403, 404, 500), (path, headers, str(answer))


def test_attack_apache_error_pages_and_rewrites_are_no_way_in(data):
    with apache_guard(data, None, APACHE, ("rewrite",), pages=texts(data)) as server:
        asked(server.client(prefix=""), bearer(data.sites["shop"].token(email=ALEX)))


def test_attack_lighttpd_error_pages_and_rewrites_are_no_way_in(data):
    with ExitStack() as stack:
        worker = stack.enter_context(Worker(data, "--audit-budget", "0", peer=None, account=ACCOUNT))
        server = stack.enter_context(lighttpd_guard(data, worker.socket, LIGHTTPD, ("mod_rewrite", "mod_setenv"), pages=texts(data)))
        asked(server.client(prefix=""), bearer(data.sites["shop"].token(email=ALEX)))


def test_attack_lighttpd_without_a_worker_lets_nobody_pass(data):
    with lighttpd_guard(data, data.home / "nobody.sock", LIGHTTPD, ("mod_rewrite", "mod_setenv"), pages=texts(data)) as server:
        for headers in ([], [("Authorization", "Bearer x")], [bearer(data.sites["shop"].token(email=ALEX))]):
            for path in (PAGE, "/open/to-orders", "/short", PAGE):
                answer = server.client(prefix="").send("GET", path, headers)
                assert b"order" not in answer.body and answer.status in (404, 500, 503), (path, headers, str(answer))
