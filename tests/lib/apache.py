"""A real Apache, with the modules that Debian enables by itself and those that a test names."""
import signal
from pathlib import Path

import pytest

from lib.webserver import WebServer

MODULES = Path("/usr/lib/apache2/modules")
ENABLED = ("mpm_event", "access_compat", "alias", "auth_basic", "authn_core", "authn_file", "authz_core", "authz_host", "authz_user",
           "autoindex", "deflate", "dir", "env", "filter", "mime", "negotiation", "reqtimeout", "setenvif", "status")
BASE = """
ServerRoot "{home}"
Define SRVROOT "{home}"
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile "{home}/httpd.pid"
DefaultRuntimeDir "{home}"
Mutex "file:{home}" default
ErrorLog "{log}"
LogLevel warn
{modules}
TypesConfig /dev/null
StartServers 1
GracefulShutdownTimeout 5
<IfModule mod_fcgid.c>
	FcgidIPCDir "{home}"
	FcgidProcessTableFile "{home}/fcgid_shm"
</IfModule>
<IfModule mod_cgid.c>
	ScriptSock "{home}/cgid.sock"
</IfModule>
DocumentRoot "{root}"
<Directory />
	AllowOverride None
	Require all denied
</Directory>
<Directory "{root}">
	Require all granted
</Directory>
"""


class Apache(WebServer):
    program = "apache2"
    reload_signal = signal.SIGUSR1              # apachectl graceful

    def __init__(self, home, lines, modules=(), **how):
        self.lines, self.modules = lines, (*ENABLED, *modules)
        missing = [name for name in self.modules if not (MODULES / f"mod_{name}.so").exists()]
        if missing:
            pytest.skip(f"no Apache module {missing} here (scripts/install-deps)")
        super().__init__(home, **how)

    def config(self):
        modules = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in self.modules)
        return BASE.format(home=self.home, root=self.root, port=self.port, log=self.log_path, modules=modules) + self.lines

    def command(self):
        return [self.binary, "-D", "FOREGROUND", "-f", str(self.config_path)]
