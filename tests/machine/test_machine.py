"""The machine itself: what the tests of the guide stand on."""
import pytest

from lib.machine import Machine, base, need

pytestmark = [pytest.mark.slow, pytest.mark.limit(600)]


def test_a_clean_debian_with_its_own_systemd_and_network():
    need()
    with Machine(base()) as m:
        assert m.run("cat /proc/1/comm").out == "systemd\n"
        assert m.run(". /etc/os-release; echo $VERSION_ID").out == "12\n"
        assert m.run("ls /sys/class/net").out.split() == ["lo"]
        assert m.run("command -v postern lighttpd nginx apache2 curl", check=False).code == 1
        assert m.run("systemctl --failed --no-legend").out == ""
        assert m.run("exit 7", check=False).code == 7


def test_a_machine_after_another_has_its_disk_and_not_the_other_way_round():
    need()
    first = Machine(base())
    try:
        first.boot()
        first.run("echo one > /root/file; rm /etc/issue")
        first.stop()
        with Machine(None, after=first) as second:
            assert second.run("cat /root/file; test ! -e /etc/issue").out == "one\n"
            second.run("echo two > /root/file")
        assert (first.upper / "root/file").read_text() == "one\n"
    finally:
        first.remove()
