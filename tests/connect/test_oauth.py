"""OAuth2 over real TLS against a token server that revokes everything if an old refresh token comes again: one refresh for all who ask,
and no crash, of whatever at whatever moment, that loses a token or uses one twice."""
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.connectd import Connectd, refusal
from lib.programs import wait_until
from lib.upstream import Authority, Upstream, raw, status

pytestmark = pytest.mark.tree("plain")
ALLOW = ["GET /orders", "POST /bookings"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def service():
    with Connectd() as c:
        yield c


@pytest.fixture
def shop(tmp_path, authority):
    with Upstream(tmp_path, authority=authority) as shop:
        shop.demand = shop.tokens.bearer
        yield shop


@pytest.fixture
def connectd(service):
    service.admin("DELETE", "/connections/shop")
    return service


def connect(connectd, shop, kind="oauth2_refresh", **auth):
    connectd.add("shop", shop.url, ALLOW, ca_pem=shop.ca_pem, concurrency=64, auth={**shop.tokens.connection_auth(shop.url, kind), **auth},
                 secret=shop.tokens.connection_secret(kind))


def ask(connectd, **how):
    return connectd.call("GET", "orders", **how)


def works(connectd):
    answer = ask(connectd)
    assert answer.status == 200 and len(answer.json["orders"]) == 3, str(answer)


def unharmed(shop, refreshes):
    """The family of tokens lives, nothing was refused, and so many refreshes were made."""
    tokens = shop.tokens
    assert (tokens.revoked, tokens.refused, tokens.refreshes) == (False, [], refreshes)


# ---- one refresh ----

def test_100_parallel_first_calls_make_one_refresh(connectd, shop):
    shop.tokens.between = lambda: time.sleep(0.2)       # long enough that all of them come while it is under way
    connect(connectd, shop)

    def patient(_):
        while True:                                     # the cap is 64: beyond it one asks again
            answer = ask(connectd)
            if refusal(answer) != "connection_busy":
                return answer
            time.sleep(0.02)
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(patient, range(100)))
    assert [answer.status for answer in answers] == [200] * 100, str(next(answer for answer in answers if answer.status != 200))
    unharmed(shop, 1)


def test_the_token_is_used_until_it_is_about_to_expire_and_rotates(connectd, shop):
    connect(connectd, shop)
    for _ in range(3):
        works(connectd)
    unharmed(shop, 1)
    connectd.restart()                                  # and after a restart it is still there
    works(connectd)
    unharmed(shop, 1)


@pytest.mark.slow
def test_a_token_about_to_expire_is_refreshed_ahead(connectd, shop):
    """It lives for ten seconds; a call shortly before its end finds a new one, and none ever meets a 401."""
    shop.tokens.lifetime = 10
    start = time.monotonic()                            # no later than the first token was given
    connect(connectd, shop)

    def refreshed():
        works(connectd)
        return shop.tokens.refreshes == 2
    wait_until(refreshed, "the second token", 9.9)
    assert time.monotonic() - start > 4                 # five seconds ahead, and times are whole seconds
    unharmed(shop, 2)


def test_a_401_refreshes_once_and_repeats_the_call(connectd, shop):
    connect(connectd, shop)
    works(connectd)
    shop.tokens.forget_access()
    works(connectd)
    unharmed(shop, 2)
    assert len(shop.asked_for("/orders")) == 3


def test_100_parallel_401s_make_one_refresh(connectd, shop):
    connect(connectd, shop)
    works(connectd)
    shop.tokens.forget_access()
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda _: ask(connectd), range(40)))
    assert [answer.status for answer in answers] == [200] * 40, str(next(answer for answer in answers if answer.status != 200))
    unharmed(shop, 2)


def test_a_401_for_ever_is_not_a_refresh_for_ever(connectd, shop):
    shop.demand = lambda asked: False
    connect(connectd, shop)
    answer = ask(connectd)
    assert answer.status in (401, 424, 502), str(answer)
    assert shop.tokens.refreshes <= 2 and len(shop.asked_for("/orders")) <= 2


def test_a_call_that_always_meets_a_401_is_not_a_refresh_each(connectd, shop):
    """A visitor may have found it; the others keep their token, and it is refreshed when it is the token after all."""
    connect(connectd, shop)
    works(connectd)
    shop.faults["/bookings"] = status(401)
    for _ in range(10):
        assert connectd.call("POST", "bookings", body="{}", Nango_Proxy_Content_Type="application/json").status == 401
    works(connectd)
    unharmed(shop, 3)                                   # the first, and two in vain
    shop.tokens.forget_access()
    wait_until(lambda: ask(connectd).status == 200, "the token to be doubted again")
    unharmed(shop, 4)
    shop.tokens.forget_access()
    works(connectd)
    unharmed(shop, 5)


def test_a_post_that_met_a_401_is_sent_again_with_its_body(connectd, shop):
    """Refused before anything was done: that one may be repeated."""
    connect(connectd, shop)
    works(connectd)
    shop.tokens.forget_access()
    answer = connectd.call("POST", "bookings", body='{"room":"a"}', Nango_Proxy_Content_Type="application/json")
    assert answer.status == 201 and answer.json == {"room": "a", "id": "b-1"}, str(answer)
    assert len(shop.bookings) == 1


# ---- the grants and their spellings ----

@pytest.mark.parametrize("kind", ["oauth2_refresh", "oauth2_client"])
@pytest.mark.parametrize("auth_in, body", [("header", "form"), ("header", "json"), ("body", "form"), ("body", "json")])
def test_the_usual_quirks(connectd, shop, kind, auth_in, body):
    shop.tokens.auth_in, shop.tokens.body = auth_in, body
    shop.tokens.extra, shop.tokens.scope = {"audience": "https://api.example/?a=1&b=ü"}, "orders:read bookings"
    shop.tokens.client_id, shop.tokens.client_secret = "id:with/odd+%&", "secret:with/odd+%& ü\"\\"
    connect(connectd, shop, kind)
    works(connectd)
    unharmed(shop, 1)
    shop.tokens.forget_access()
    works(connectd)
    unharmed(shop, 2)


def test_a_server_that_does_not_rotate(connectd, shop):
    shop.tokens.rotating = False
    connect(connectd, shop)
    works(connectd)
    shop.tokens.forget_access()
    works(connectd)
    unharmed(shop, 2)


# ---- what goes wrong at the token server ----

def test_invalid_grant_stops_it_until_new_secrets_come(connectd, shop):
    connect(connectd, shop)
    works(connectd)
    shop.tokens.revoked = True
    assert refusal(ask(connectd)) == "reauth_needed" and ask(connectd).status == 424
    tried, asked = len(shop.tokens.asked), len(shop.asked_for("/orders"))
    for _ in range(3):
        assert refusal(ask(connectd)) == "reauth_needed"
    connectd.restart()
    assert refusal(ask(connectd)) == "reauth_needed"
    assert (len(shop.tokens.asked), len(shop.asked_for("/orders"))) == (tried, asked)
    shown = connectd.show("shop")
    assert shown["state"] == "reauth_needed" and abs(shown["state_since"] - time.time()) < 60
    shop.tokens.revoked, shop.tokens.refresh_token = False, "refresh-by-a-person-0123456789"
    answer = connectd.admin("POST", "/connections/shop/rotate", {"secret": shop.tokens.connection_secret()})
    assert answer.status in (200, 204), str(answer)
    assert connectd.show("shop")["state"] == "ok"
    works(connectd)


@pytest.mark.parametrize("fault", [
    status(500), status(503), status(401, {"error": "invalid_client"}), status(400, {"error": "invalid_request"}), status(200, {}), status(200, []),
    status(200, {"access_token": ""}), status(200, {"access_token": 5, "expires_in": 60}), status(200, {"access_token": "a\r\nX-Evil: 1"}),
    status(200, {"access_token": "a b\u00e9"}), raw(b"<html>"), raw(b'{"access_token": "x'), raw(b"[" * 100000), raw(b" " * (8 << 20)),
    status(302, Location="https://127.0.0.1:1/")],
    ids=["500", "503", "client", "request", "empty", "array", "no token", "a number", "CRLF", "not ascii", "html", "cut", "deep", "8 MB", "redirect"])
def test_a_token_server_that_answers_badly(connectd, shop, fault):
    """The call fails with its own code, the connection is not given up, and when the server is well again so is it."""
    shop.faults["/oauth/token"] = fault
    connect(connectd, shop)
    answer = ask(connectd)
    assert refusal(answer) in ("credentials_failed", "upstream_unsafe"), str(answer)
    assert not shop.asked_for("/orders") and connectd.show("shop")["state"] == "ok"
    del shop.faults["/oauth/token"]
    connectd.restart()                                  # whatever pause it takes after a failure ends with it
    works(connectd)


def test_a_call_is_not_made_later_than_its_time(connectd, shop):
    """The token comes when the caller has given up: it is kept, and the call is not made in the name of who no longer waits."""
    moment = Step()
    shop.tokens.between = moment
    connect(connectd, shop)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(ask, connectd, Postern_Timeout_Ms=300)
        assert moment.reached.wait(10)
        time.sleep(0.4)                                 # the call's whole time and more
        moment.go.set()
        assert refusal(call.result()) == "upstream_timeout"
    assert not shop.asked_for("/orders")
    works(connectd)
    unharmed(shop, 1)


def test_a_token_server_that_keeps_failing_is_asked_less_and_less(connectd, shop):
    """After 1 s, after 2 s more; who asks in between is answered at once, and nobody waits for it once it is well again."""
    times = []
    fails = status(503)
    shop.faults["/oauth/token"] = lambda handler, asked: (times.append(time.monotonic()), fails(handler, asked))
    connect(connectd, shop)

    def asked_thrice():
        assert refusal(ask(connectd)) == "credentials_failed"
        return len(times) == 3
    wait_until(asked_thrice, "the third request for a token")
    assert times[1] - times[0] > 0.9 and times[2] - times[1] > 1.9 and not shop.asked_for("/orders")
    assert connectd.admin("POST", "/connections/shop/test").json["error"] == "credentials_failed" and len(times) == 4
    assert refusal(ask(connectd)) == "credentials_failed" and len(times) == 4
    del shop.faults["/oauth/token"]
    wait_until(lambda: ask(connectd).status == 200, "the server to be asked again")
    unharmed(shop, 1)


def test_new_secrets_end_the_pause_after_a_failure(connectd, shop):
    shop.faults["/oauth/token"] = status(503)
    connect(connectd, shop)
    assert refusal(ask(connectd)) == "credentials_failed"
    del shop.faults["/oauth/token"]
    assert refusal(ask(connectd)) == "credentials_failed" and len(shop.asked_for("/oauth/token")) == 1
    assert connectd.admin("POST", "/connections/shop/rotate", {"secret": shop.tokens.connection_secret()}).status == 200
    works(connectd)
    connectd.admin("DELETE", "/connections/shop")
    shop.faults["/oauth/token"] = status(503)
    connect(connectd, shop)
    assert refusal(ask(connectd)) == "credentials_failed"
    del shop.faults["/oauth/token"]
    connectd.admin("DELETE", "/connections/shop")
    connect(connectd, shop)
    works(connectd)


def test_a_token_url_that_is_not_safe(connectd, shop):
    """Private networks are closed to the token endpoint too, and http is refused."""
    auth = {**shop.tokens.connection_auth(shop.url), "token_url": shop.url.replace("https", "http") + "/oauth/token"}
    connectd.add("shop", shop.url, ALLOW, ca_pem=shop.ca_pem, auth=auth, secret=shop.tokens.connection_secret(), expect=400)
    connectd.add("shop", shop.url, ALLOW, ca_pem=shop.ca_pem, auth=shop.tokens.connection_auth(shop.url), secret=shop.tokens.connection_secret(),
                 private=["10.0.0.0/8"])
    assert refusal(ask(connectd)) in ("upstream_unsafe", "credentials_failed")
    assert not shop.asked


# ---- kill -9 ----

class Step:
    """A moment at the token server: reached is set when it is there, go lets it continue."""

    def __init__(self):
        self.reached, self.go = threading.Event(), threading.Event()

    def __call__(self):
        self.reached.set()
        self.go.wait(20)


def kill_all(connectd):
    """The service and, as a crash of the machine would, the refresh that it started."""
    connectd.kill()
    for pid in connectd.helpers():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not connectd.helpers(), "the refresh to be gone")


@pytest.fixture
def fresh():
    """connectd of this test alone: it is killed."""
    with Connectd() as c:
        yield c


@pytest.mark.parametrize("step", ["before", "between", "after"])
def test_kill_of_connectd_while_a_refresh_is_under_way(fresh, shop, step):
    """Before the server has looked at it, when the new token is given and not sent, when it is sent: after the restart the next call
    has the new token, and no old one was ever used again."""
    moment = Step()
    setattr(shop.tokens, step, moment)
    connect(fresh, shop)
    caller = threading.Thread(target=lambda: quietly(fresh))
    caller.start()
    assert moment.reached.wait(10)
    fresh.kill()
    caller.join(20)
    fresh.start()
    setattr(shop.tokens, step, lambda: None)
    second = threading.Thread(target=works, args=(fresh,))
    second.start()                                      # it comes while the first refresh still waits for its answer
    moment.go.set()
    second.join(30)
    works(fresh)
    unharmed(shop, 1)


def quietly(connectd):
    """A call that may be cut off."""
    try:
        ask(connectd)
    except OSError:
        pass
    except Exception as problem:                        # pylint: disable=broad-except
        assert "RemoteDisconnected" in repr(problem), repr(problem)


def test_kill_of_both_before_the_server_looked_loses_nothing(fresh, shop):
    moment = Step()
    connect(fresh, shop)
    shop.tokens.answer = lambda handler, asked: moment()        # it never answers this one, and never saw it
    caller = threading.Thread(target=lambda: quietly(fresh))
    caller.start()
    assert moment.reached.wait(10)
    kill_all(fresh)
    caller.join(20)
    shop.tokens.answer = None
    moment.go.set()
    fresh.start()
    works(fresh)
    unharmed(shop, 1)


def test_kill_right_after_an_answer_the_new_token_is_on_disk(fresh, shop):
    """The new refresh token is on disk before the access token is used: killed while the upstream looks at the call."""
    connect(fresh, shop)
    moment = Step()
    shop.faults["/orders"] = lambda handler, asked: (moment(), handler.ordinary(asked))
    caller = threading.Thread(target=lambda: quietly(fresh))
    caller.start()
    assert moment.reached.wait(10)
    kill_all(fresh)
    moment.go.set()
    caller.join(20)
    del shop.faults["/orders"]
    fresh.start()
    shop.tokens.forget_access()
    works(fresh)
    unharmed(shop, 2)


@pytest.mark.slow
@pytest.mark.limit(300)
def test_kill_at_random_moments(fresh, shop):
    """50 times: a call that needs a refresh, connectd killed somewhere in it, and the next call works."""
    connect(fresh, shop)
    for n in range(50):
        shop.tokens.forget_access()
        caller = threading.Thread(target=lambda: quietly(fresh))
        caller.start()
        time.sleep(n * 0.002)                           # the moment is what is tried here
        fresh.kill()
        caller.join(20)
        fresh.start()
        works(fresh)
        assert not shop.tokens.revoked and not shop.tokens.refused, f"round {n}"


def test_stopping_waits_for_no_refresh_and_loses_none(fresh, shop):
    moment = Step()
    shop.tokens.between = moment
    connect(fresh, shop)
    caller = threading.Thread(target=lambda: quietly(fresh))
    caller.start()
    assert moment.reached.wait(10)
    stopper = threading.Thread(target=fresh.stop)
    stopper.start()
    moment.go.set()
    stopper.join(20)
    caller.join(20)
    shop.tokens.between = lambda: None
    fresh.start()
    works(fresh)
    unharmed(shop, 1)
