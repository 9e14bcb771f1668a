"""What the README says of installing by hand, without the package, on a clean Debian 12 with the programs of this tree."""
import json

import pytest

from lib.blocks import blocks
from lib.machine import Machine, need, stock
from lib.programs import BUILD, wait_until

# What the programs are linked with, as the package's Depends would have it, and what the README takes for granted.
LIBRARIES = ("libfcgi0ldbl", "libncursesw6", "libssl3", "libjansson4", "liblmdb0", "libidn2-0", "libpcre2-8-0", "zlib1g", "libcurl4")
OTHERS = ("adduser", "sudo", "lighttpd", "curl")

pytestmark = [pytest.mark.slow, pytest.mark.limit(600)]


def test_deploy_behind_lighttpd_by_hand():
    need()
    commands, configuration = [block for block in blocks("README.md") if "by-hand" in (block.names or ())]
    with Machine(stock([*LIBRARIES, *OTHERS])) as m:
        m.run(f"apt-get install -y --no-install-recommends {' '.join(LIBRARIES + OTHERS)}; mkdir -p /srv/clone/build", seconds=300)
        for name in ("postern", "postern-fcgi"):
            m.put(BUILD / name, f"/srv/clone/build/{name}")
        # The last line is the worker, which stays in the foreground: it has a unit, as its supervisor would.
        *lines, worker = commands.lines
        m.run("cd /srv/clone\n" + "\n".join(lines))
        m.run(f"cd /srv/clone; systemd-run --quiet --same-dir --unit=by-hand -- {worker}")
        wait_until(lambda: m.run("test -S /run/postern/fcgi.sock", check=False).code == 0, "the worker's socket", 20)
        m.run(f"cat >> /etc/lighttpd/lighttpd.conf <<'END'\n{configuration.text}END\n"
              "lighttpd -tt -f /etc/lighttpd/lighttpd.conf; systemctl restart lighttpd")
        wait_until(lambda: m.run("curl -sS http://localhost/postern/v1/health", check=False).code == 0, "lighttpd to answer", 20)
        m.run("/srv/clone/build/postern site add acme; /srv/clone/build/postern key create acme --secret-file /root/s")
        token = m.run("/srv/clone/build/postern token mint acme --email alex@example.com --secret-file /root/s").out.strip()
        out = m.run(f"curl -sS -H 'Authorization: Bearer {token}' http://localhost/postern/v1/sites/acme/identity").out
        assert json.loads(out)["identity"]["email"] == "alex@example.com"
        assert m.run("stat -c '%U:%G %a' /var/lib/postern /run/postern/fcgi.sock").out == \
            "postern-admin:postern 750\npostern:www-data 660\n"
