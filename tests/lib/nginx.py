"""A real nginx, with lines of a test's own in http { } and in its one server { }."""
from lib.webserver import WebServer

BASE = """
daemon off;
pid {home}/nginx.pid;
error_log {log};
worker_processes 2;
worker_shutdown_timeout 10s;
events {{ worker_connections 256; }}
http {{
	access_log off;
	client_body_temp_path {home}/body;
	fastcgi_temp_path {home}/fastcgi;
	proxy_temp_path {home}/proxy;
	scgi_temp_path {home}/scgi;
	uwsgi_temp_path {home}/uwsgi;
	{http}
	server {{
		listen 127.0.0.1:{port};
		server_name localhost;
		root {root};
		{server}
	}}
}}
"""


class Nginx(WebServer):
    program = "nginx"

    def __init__(self, home, http, server, **how):
        self.http, self.server = http, server
        super().__init__(home, **how)

    def config(self):
        return BASE.format(home=self.home, root=self.root, port=self.port, log=self.log_path, http=self.http, server=self.server)

    def command(self):
        return [self.binary, "-p", str(self.home), "-e", str(self.log_path), "-c", str(self.config_path)]
