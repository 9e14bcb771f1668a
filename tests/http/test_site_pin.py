"""POSTERN_SITE: pins the worker to one site, by its environment, by the request's parameters, or by both if they agree."""
import pytest

from lib.fastcgi import Connection, ask, environ
from lib.lighttpd import Lighttpd
from lib.shop import Written, add_shop
from lib.worker import Worker

SITES = ["pin-a", "pin-b"]


@pytest.fixture(scope="module")
def sites(module_data):
    return {name: add_shop(module_data, name) for name in SITES}


@pytest.fixture(scope="module")
def bound(module_data, sites):
    """A worker pinned to pin-a by its environment."""
    with Worker(module_data, "--audit-budget", "0", env={"POSTERN_SITE": "pin-a"}) as w:
        yield w


def reached(http, sites):
    """The sites that answer, each asked in every way with its own good token and a bad one."""
    out = set()
    for name in SITES:
        token = sites[name].token()
        answers = [http.identity(name, token), http.catalogue(name, token), http.act(name, "list_orders", token=token),
                   http.act(name, "hello"), http.identity(name, "bad")]
        if all(a.code == "site_unknown" for a in answers):
            continue
        assert [a.status for a in answers] == [200, 200, 200, 200, 401]
        out.add(name)
    return out


def test_unpinned_serves_every_site(web, sites):
    assert reached(web, sites) == set(SITES)


def test_by_environment(bound, sites):
    with Lighttpd(bound) as server:
        assert reached(server.client(), sites) == {"pin-a"}


@pytest.mark.parametrize("name", SITES)
def test_by_the_requests_parameter(unlimited, sites, name):
    with Lighttpd(unlimited, POSTERN_SITE=name) as server:
        assert reached(server.client(), sites) == {name}


def test_by_both_where_they_agree(bound, sites):
    with Lighttpd(bound, POSTERN_SITE="pin-a") as server:
        assert reached(server.client(), sites) == {"pin-a"}


def test_by_both_where_they_disagree_nothing_is_served(bound, sites):
    with Lighttpd(bound, POSTERN_SITE="pin-b") as server:
        assert reached(server.client(), sites) == set()


@pytest.mark.parametrize("value", ["", "nobody", "PIN-A", "pin-a ", "pin", "pin-a,pin-b", "*"])
def test_a_parameter_that_is_not_this_site_serves_nothing(unlimited, sites, value):
    for name in SITES:
        assert ask(unlimited, path=f"/v1/sites/{name}/identity", POSTERN_SITE=value).code == "site_unknown"


@pytest.mark.parametrize("second", ["pin-a", "pin-b", ""])
def test_the_parameter_twice_serves_nothing(unlimited, sites, second):
    pairs = [*environ(path="/v1/sites/pin-a/identity").items(), ("POSTERN_SITE", "pin-a"), ("POSTERN_SITE", second)]
    with Connection(unlimited.socket) as c:
        assert c.ask(pairs).answer.check().code == "site_unknown"


def test_a_client_cannot_set_it(bound, sites):
    """A header becomes HTTP_POSTERN_SITE, which nobody reads; nor does a query."""
    with Lighttpd(bound) as server:
        http = server.client()
        headers = [("Postern-Site", "pin-b"), ("Http-Postern-Site", "pin-b")]
        assert http.request("GET", "/v1/sites/pin-b/identity?POSTERN_SITE=pin-b", headers=headers).code == "site_unknown"
        assert http.request("GET", "/v1/sites/pin-a/identity?POSTERN_SITE=pin-b", headers=headers).status == 200


def test_another_site_writes_no_record_there(bound, web, sites):
    written = Written(web, sites["pin-b"])
    written.none(ask(bound, path="/v1/sites/pin-b/identity", HTTP_AUTHORIZATION="Bearer bad"))


def test_health_belongs_to_no_site(bound, unlimited):
    assert ask(bound).status == 200
    assert ask(unlimited, POSTERN_SITE="nobody").status == 200
