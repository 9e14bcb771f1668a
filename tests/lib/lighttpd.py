"""A real lighttpd: in front of a worker with a configuration of the tests' own, or with one that ships."""
import json
import signal

from lib.webserver import PREFIX, WebServer

BASE = """
server.modules = ( {modules} )
server.document-root = {root}
server.upload-dirs = ( {home} )
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = {log}
"""
SOCKET = """
server.max-request-size = 1024
{environment}
fastcgi.server = ( "{prefix}" => (( "socket" => {socket}, "check-local" => "disable" )) )
"""


class LighttpdWith(WebServer):
    """A lighttpd with these lines in its configuration. The modules are loaded before those the lines load."""
    program = "lighttpd"
    reload_signal = signal.SIGUSR1

    def __init__(self, home, lines, modules=("mod_setenv",), **how):
        self.lines, self.modules = lines, modules
        super().__init__(home, **how)

    def config(self):
        return BASE.format(modules=", ".join(map(json.dumps, self.modules)), root=json.dumps(str(self.root)),
                           home=json.dumps(str(self.home)), port=self.port, log=json.dumps(str(self.log_path))) + self.lines

    def command(self):
        return [self.binary, "-D", "-f", str(self.config_path)]


class Lighttpd(LighttpdWith):
    """with Lighttpd(worker, POSTERN_SITE="acme") as server: the named parameters are set by the server for each request."""

    def __init__(self, worker, **parameters):
        pairs = ", ".join(f"{json.dumps(name)} => {json.dumps(str(value))}" for name, value in parameters.items())
        lines = SOCKET.format(prefix=PREFIX, socket=json.dumps(str(worker.socket)),
                              environment=f"setenv.set-environment = ( {pairs} )" if pairs else "")
        super().__init__(worker.data.home, lines, ("mod_setenv", "mod_fastcgi"))
