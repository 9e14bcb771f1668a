"""A name server on the attacker's side: what is judged is the address that is connected to, whatever was said before."""
from types import SimpleNamespace

import pytest

from lib.connectd import Connectd, refusal
from lib.shim import Shim
from lib.upstream import Upstream


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    home = tmp_path_factory.mktemp("names")
    with Upstream(home, tls=False) as inside, Connectd(env=Shim(SimpleNamespace(home=home), "names").env) as connectd:
        for name in ("turn", "both"):
            connectd.add(name, f"http://{name}.rebind.example:{inside.port}", ["GET /orders"], private=[], http=True)
        connectd.add("open", f"http://turn.rebind.example:{inside.port}", ["GET /orders"], private=["127.0.0.0/8"], http=True)
        yield connectd, inside


def test_ssrf_dns_that_changes_between_check_and_connect(places):
    """Public and this machine in turn, so whoever looks up once to check and again to connect ends up here."""
    connectd, inside = places
    codes = [refusal(connectd.call("GET", "orders", "turn", Retries=0)) for _ in range(4)]
    assert sorted(set(codes)) == ["upstream_unreachable", "upstream_unsafe"] and not inside.asked, codes


def test_ssrf_dns_that_changes_between_tries(places):
    connectd, inside = places
    codes = {refusal(connectd.call("GET", "orders", "turn", Retries=2)) for _ in range(2)}
    assert codes == {"upstream_unsafe"} and not inside.asked


def test_ssrf_dns_that_answers_with_a_public_and_a_private_address(places):
    connectd, inside = places
    assert refusal(connectd.call("GET", "orders", "both", Retries=0)) == "upstream_unsafe" and not inside.asked


def test_the_same_name_serves_a_connection_that_may_go_there(places):
    """What the tests above rest on: the name does lead to the upstream."""
    connectd, inside = places
    assert 200 in {connectd.call("GET", "orders", "open", Retries=0).status for _ in range(2)} and inside.asked
    inside.asked.clear()
