"""The authorizer: may this visitor pass, and as whom? Asked in FastCGI's role of that name, and by POSTERN_ROLE."""
import itertools
import json
import random
import re
import select
import stat
import sys

import pytest

from lib import fastcgi
from lib.fastcgi import (ABORT_REQUEST, AUTHORIZER, BEGIN_REQUEST, DATA, PARAMS, STDIN, Connection, as_bytes, begin, environ, get_values,
                         params, record, stream)
from lib.lighttpd import Lighttpd
from lib.programs import wait_until
from lib.shop import ALEX, JORDAN, Written, add_shop, raw_token
from lib.vault import damage_rows
from lib.worker import Worker

NAMES = ("DECISION", "EMAIL", "NAME", "USER_ID")
# How each form spells them.
ROLE = {name: f"Variable-POSTERN_{name}" for name in NAMES}
HEADER = {name: "X-Postern-" + name.title().replace("_", "-") for name in NAMES}
FORMS = ["role", "parameter"]


def pairs(form, *more, token=None, method="GET", path="/orders.php", script="", **env):
    """What a server sends: a list of pairs, so that a name may come twice. POSTERN_SITE=None: without it."""
    role = {"POSTERN_ROLE": "authorizer"} if form == "parameter" else {}
    return [*environ(method, path, token, script=script, **{"POSTERN_SITE": "shop", **role, **env}).items(), *more]


def send(worker, form, items, end=b"", keep=False, body=b""):
    """The whole request on a connection of its own; in the role there is no STDIN, unless `end` is one."""
    with worker.connect() as c:
        if form == "role":
            c.send(begin(AUTHORIZER, keep) + params(items) + end)
        else:
            c.send(begin(keep=keep) + params(items) + stream(STDIN, body))
        reply = c.read_reply()
        assert not reply.others and reply.stderr == b""
        assert keep or c.at_end()
        return reply.answer.check()


def ask(worker, form, *more, **how):
    return send(worker, form, pairs(form, *more, **how))


def identity(answer, form):
    """What the application is told, of a success; nothing may be spelt in the other way."""
    spelling, other = (ROLE, HEADER) if form == "role" else (HEADER, ROLE)
    assert answer.status == 200 and answer.body == b"", str(answer)
    assert not [name for name in other.values() if answer.header(name) is not None]
    said = {name: answer.header(header) for name, header in spelling.items() if answer.header(header) is not None}
    known = {"Cache-Control", "X-Content-Type-Options", "X-Request-Id", "Content-Length", *spelling.values()}
    assert {name for name, _ in answer.headers} <= known
    return said


def passed(worker, form, *more, **how):
    return identity(ask(worker, form, *more, **how), form)


def assert_refused(answer, code):
    status = {"site_not_set": 500, "vault_unavailable": 503, "identity_incomplete": 403, "origin_denied": 403}.get(code, 401)
    assert (answer.status, answer.code) == (status, code), str(answer)
    assert not [name for name, _ in answer.headers if "postern" in name.lower()]


def metric(worker, name):
    text = fastcgi.ask(worker, path="/v1/metrics", POSTERN_METRICS="1").body.decode()
    return int(next((line for line in text.splitlines() if line.startswith(name + " ")), "x 0").split()[1])


def judged(worker):
    return metric(worker, 'postern_requests_total{endpoint="authorizer"}')


# ---- decisions ----

@pytest.mark.parametrize("form", FORMS)
def test_a_verified_visitor_passes_with_the_whole_identity(unlimited, shop, form):
    token = shop.token(email="Alex@Example.COM", name="Alex Winter", user_id="1001")
    assert passed(unlimited, form, token=token) == {"DECISION": "verified", "EMAIL": ALEX, "NAME": "Alex Winter", "USER_ID": "1001"}


@pytest.mark.parametrize("form", FORMS)
def test_what_the_token_does_not_say_is_not_said(unlimited, shop, form):
    assert passed(unlimited, form, token=shop.token()) == {"DECISION": "verified", "EMAIL": ALEX}


@pytest.mark.parametrize("form", FORMS)
def test_without_a_token_nobody_passes(unlimited, shop, form):
    answer = ask(unlimited, form)
    assert_refused(answer, "sign_in_required")
    assert answer.header("WWW-Authenticate") == 'Bearer realm="shop"'


@pytest.mark.parametrize("form", FORMS)
def test_without_a_token_a_location_that_allows_it_is_passed_by_nobody_in_particular(unlimited, shop, form):
    assert passed(unlimited, form, POSTERN_ANONYMOUS="allow") == {"DECISION": "anonymous"}
