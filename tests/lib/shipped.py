"""The five configurations that ship, each with the real server, the very file, and what it needs beside it.

nginx has no variable for a socket's path: there, and only there, the path in the file is replaced in a copy."""
from dataclasses import dataclass
from typing import Callable

from lib.apache import Apache
from lib.datadir import DataDir
from lib.lighttpd import LighttpdWith
from lib.nginx import Nginx
from lib.programs import BUILD
from lib.webserver import ACCOUNT, DEPLOY, give, reachable
from lib.worker import Worker

SOCKET = "/run/postern/fcgi.sock"


def include(folder, name, home, socket=None):
    """The path of a shipped file, for an Include. Its socket is replaced only where that cannot be told to the server."""
    path = DEPLOY / folder / name
    if socket is None:
        return reachable(path, home)
    text = path.read_text(encoding="utf-8")
    assert text.count(SOCKET) == 1, f"{path} names its socket {text.count(SOCKET)} times"
    copy = home / f"{socket.name}-{name}"
    copy.write_text(text.replace(SOCKET, str(socket)), encoding="utf-8")
    return copy


def apache_proxy(data, socket, lines=""):
    path = include("apache", "postern-proxy.conf", data.home)
    return Apache(data.home, f'{lines}\nDefine POSTERN_SOCKET {socket}\nInclude "{path}"\n', ("proxy", "proxy_fcgi"), name=ACCOUNT)


def apache_fcgid(data, _, lines=""):
    path = include("apache", "postern-fcgid.conf", data.home)
    program = reachable(BUILD / "postern-fcgi", data.home)
    return Apache(data.home, f'{lines}\nDefine POSTERN_PROGRAM {program}\nDefine POSTERN_DATA {data.path}\nInclude "{path}"\n',
                  ("fcgid",), name=ACCOUNT)


def lighttpd_socket(data, socket, lines=""):
    path = include("lighttpd", "postern.conf", data.home)
    return LighttpdWith(data.home, f'{lines}\ninclude "{path}"\n', env={"POSTERN_SOCKET": socket}, name=ACCOUNT)


def lighttpd_spawned(data, _, lines=""):
    path = include("lighttpd", "postern-spawned.conf", data.home)
    env = {"POSTERN_SOCKET": data.home / "spawned.sock", "POSTERN_PROGRAM": reachable(BUILD / "postern-fcgi", data.home),
           "POSTERN_DATA": data.path}
    return LighttpdWith(data.home, f'{lines}\ninclude "{path}"\n', env=env, name=ACCOUNT)


def nginx_socket(data, socket, lines=""):
    upstream = include("nginx", "postern-upstream.conf", data.home, socket)
    return Nginx(data.home, f"include {upstream};", f"{lines}\ninclude {include('nginx', 'postern.conf', data.home)};", name=ACCOUNT)


# ---- as a guard ----

# /orders/ is for verified visitors of the site shop, /open/ also for those without a token, /unset/ names no site.
LIGHTTPD_PLACES = """
$HTTP["url"] =~ "^/orders(/|$)" {
    setenv.set-environment = ( "POSTERN_SITE" => "shop" )
    fastcgi.server += var.postern_guard
}
$HTTP["url"] =~ "^/open(/|$)" {
    setenv.set-environment = ( "POSTERN_SITE" => "shop", "POSTERN_ANONYMOUS" => "allow" )
    fastcgi.server += var.postern_guard
}
$HTTP["url"] =~ "^/unset(/|$)" { fastcgi.server += var.postern_guard }
"""


def lighttpd_guard(data, socket, lines="", modules=("mod_setenv",), **how):
    path = include("lighttpd", "guard.conf", data.home)
    return LighttpdWith(data.home, f'include "{path}"\n{lines}', modules, env={"POSTERN_SOCKET": socket}, name=ACCOUNT, **how)


def apache_guard(data, _, lines="", modules=(), **how):
    path = include("apache", "guard.conf", data.home)
    program = reachable(BUILD / "postern-fcgi", data.home)
    return Apache(data.home, f'Define POSTERN_PROGRAM {program}\nDefine POSTERN_DATA {data.path}\nInclude "{path}"\n{lines}',
                  ("fcgid", "headers", "macro", *modules), name=ACCOUNT, **how)


def nginx_guard(data, socket, lines="", **how):
    """The lines may include GUARD-FASTCGI and GUARD-PROXY."""
    upstream = include("nginx", "postern-upstream.conf", data.home, socket)
    for name in ("guard-fastcgi", "guard-proxy"):
        lines = lines.replace(name.upper(), str(include("nginx", f"{name}.conf", data.home)))
    return Nginx(data.home, f"include {upstream};", f"include {include('nginx', 'guard.conf', data.home)};\n{lines}", name=ACCOUNT, **how)


# ---- as a responder ----

@dataclass(frozen=True)
class Shipped:
    name: str
    start: Callable                 # (data, socket, lines of its own) -> the server
    spawns: bool = False            # the server starts the workers; else one of ours listens on a socket
    joins: bool = True              # two headers of a name become one with a comma; else the server refuses them itself


SHIPPED = [Shipped("apache-proxy", apache_proxy), Shipped("apache-fcgid", apache_fcgid, spawns=True),
           Shipped("lighttpd", lighttpd_socket), Shipped("lighttpd-spawned", lighttpd_spawned, spawns=True),
           Shipped("nginx", nginx_socket, joins=False)]


class Served:
    """with Served(shipped) as s: s.data, s.http, s.worker (None where the server spawns it). All of it runs as one user."""

    def __init__(self, shipped, demo=False, prepare=None, lines="", budget=0):
        self.shipped, self.demo, self.prepare, self.lines, self.budget = shipped, demo, prepare, lines, budget
        self.worker = self.server = self.data = None

    def __enter__(self):
        self.data = DataDir(demo=self.demo).__enter__()
        try:
            if self.prepare:
                self.prepare(self.data)
            give(self.data.home)
            if not self.shipped.spawns:
                self.worker = Worker(self.data, "--audit-budget", self.budget, peer=None, account=ACCOUNT)
            self.server = self.shipped.start(self.data, self.worker and self.worker.socket, self.lines)
        except BaseException as problem:
            self.__exit__(type(problem))
            raise
        self.http = self.server.client()
        return self

    def __exit__(self, kind, *_):
        # Each in its turn, whatever the others say: first the server, so that no worker has a connection left.
        try:
            if self.server:
                self.server.__exit__(kind, None, None)
        finally:
            try:
                if self.worker:
                    self.worker.__exit__(kind, None, None)
            finally:
                self.data.__exit__(kind, None, None)
