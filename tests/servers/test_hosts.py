"""The shipped files among others: a host pinned to one site as each file says it, and the guard beside Postern's own paths."""
import pytest

from lib.apache import Apache
from lib.lighttpd import LighttpdWith
from lib.nginx import Nginx
from lib.programs import BUILD, SANITIZED
from lib.shipped import SHIPPED, Served, Shipped, include
from lib.shop import ALEX
from lib.tokens import bearer
from lib.webserver import ACCOUNT, reachable

pytestmark = pytest.mark.skipif(SANITIZED, reason="the servers are the same in every tree")

# What the host itself forbids, and its own handlers, have no say below /postern/v1/.
APACHE = """
<VirtualHost *>
    ServerName 127.0.0.1
    DocumentRoot "${SRVROOT}/www"
    SetEnv POSTERN_SITE shop
    <Directory "${SRVROOT}/www">
        Require all denied
    </Directory>
</VirtualHost>
"""
LIGHTTPD = '$HTTP["host"] =~ "^127" { setenv.set-environment = ( "POSTERN_SITE" => "shop" ) }\n'
NGINX = "set $postern_site shop; location ~ identity$ { return 403; }"
PIN = {"apache-proxy": APACHE, "apache-fcgid": APACHE, "lighttpd": LIGHTTPD, "lighttpd-spawned": LIGHTTPD, "nginx": NGINX}


def prepare(data):
    data.add_site("shop")
    data.add_site("other")


@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda s: s.name)
def test_a_host_pinned_to_a_site_serves_that_one_alone(shipped):
    with Served(shipped, prepare=prepare, lines=PIN[shipped.name]) as served:
        shop, other = served.data.sites["shop"], served.data.sites["other"]
        assert served.http.identity("shop", shop.token(email=ALEX)).json["identity"]["email"] == ALEX
        for headers in ([], [("Postern-Site", "other")], [("POSTERN_SITE", "other")], [("Host", "other")]):
            if headers == [("Host", "other")] and served.server.program == "lighttpd":
                continue                    # another host by its condition
            answer = served.http.send("GET", "/v1/sites/other/identity", [bearer(other.token(email=ALEX)), *headers])
            assert answer.check().code == "site_unknown", str(answer)


def both_apache(data, socket, _):
    guard, postern = (include("apache", name, data.home) for name in ("guard.conf", "postern-proxy.conf"))
    lines = f"""
Define POSTERN_SOCKET {socket}
Define POSTERN_PROGRAM {reachable(BUILD / "postern-fcgi", data.home)}
Define POSTERN_DATA {data.path}
Include "{guard}"
Include "{postern}"
Use PosternGuard /orders shop
"""
    return Apache(data.home, lines, ("proxy", "proxy_fcgi", "fcgid", "headers", "macro"), name=ACCOUNT)


def both_lighttpd(data, socket, _):
    guard, postern = (include("lighttpd", name, data.home) for name in ("guard.conf", "postern.conf"))
    lines = f'include "{guard}"\ninclude "{postern}"' + """
$HTTP["url"] =~ "^/orders(/|$)" {
    setenv.set-environment = ( "POSTERN_SITE" => "shop" )
    fastcgi.server += var.postern_guard
}
"""
    return LighttpdWith(data.home, lines, env={"POSTERN_SOCKET": socket}, name=ACCOUNT)


def both_nginx(data, socket, _):
    upstream, guard, postern, here = (include("nginx", f"{name}.conf", data.home, socket if name == "postern-upstream" else None)
                                      for name in ("postern-upstream", "guard", "postern", "guard-fastcgi"))
    lines = f"include {postern}; include {guard}; location ^~ /orders/ {{ set $postern_site shop; include {here}; }}"
    return Nginx(data.home, f"include {upstream};", lines, name=ACCOUNT)


@pytest.mark.parametrize("start", [both_apache, both_lighttpd, both_nginx])
def test_the_guard_and_posterns_own_paths_side_by_side(start):
    """The guard's site is not the pin of Postern's own paths, and there no token is asked for."""
    with Served(Shipped(start.__name__, start), prepare=prepare) as served:
        other = served.data.sites["other"]
        assert served.http.identity("other", other.token(email=ALEX)).json["identity"]["email"] == ALEX
        assert served.http.identity("other").json["identity"]["status"] == "anonymous"
        guarded = served.server.client(prefix="")
        assert guarded.send("GET", "/orders/page").status == 401
        assert guarded.send("GET", "/orders/page", [bearer(other.token(email=ALEX))]).status == 401
        assert guarded.send("GET", "/orders/page", [bearer(served.data.sites["shop"].token(email=ALEX))]).status == 404
