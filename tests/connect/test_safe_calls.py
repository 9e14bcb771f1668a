"""What postern-connectd does with an upstream that is slow, broken, hostile or not where it should be: the right code, in bounded
time and memory, and other connections unharmed."""
import threading
import time
import zlib

import pytest

from lib.connectd import Connectd, refusal
from lib.programs import wait_until
from lib.standin import Reply, Standin, closed_port
from lib.upstream import Authority
from lib.upstream import Upstream as Shop

pytestmark = pytest.mark.tree("plain")
OK = Reply(200, [("Content-Type", "application/json")], b'{"ok":true}')
ALLOW = ["GET /x", "HEAD /x", "PUT /x", "DELETE /x", "POST /x", "PATCH /x"]
STATUS = {"upstream_unreachable": 502, "upstream_unsafe": 502, "answer_too_large": 502, "upstream_timeout": 504, "connection_busy": 503}
MB = 1 << 20


class Upstream(Standin):
    """Answers with what .say gives for the n-th request of a test (from 0)."""

    def __init__(self, **how):
        self.say, self.over = lambda n: OK, threading.Event()
        super().__init__(self.answer, **how)

    def answer(self, _):
        return self.say(len(self.asked) - 1)

    def begin(self):
        self.over.set()                     # ends what still hangs from the test before
        self.over = threading.Event()
        self.say = lambda n: OK
        self.asked.clear()

    def hang(self, *pieces):
        """A reply that sends these pieces and then nothing, until the test is over."""
        over = self.over

        def reply(sock):
            for piece in pieces:
                sock.sendall(piece)
            over.wait(30)
        return reply

    def pour(self, head, piece, pause=0.0):
        """A reply that sends head and then this piece for ever."""
        over = self.over

        def reply(sock):
            sock.sendall(head)
            while not over.wait(pause):
                sock.sendall(piece)
        return reply

    def __exit__(self, *what):
        self.over.set()
        super().__exit__(*what)


@pytest.fixture(scope="module")
def service():
    with Upstream() as up, Upstream() as calm, Connectd() as c:
        c.upstream, c.calm = up, calm
        c.add("shop", up.url, ALLOW)
        c.add("calm", calm.url, ALLOW)
        c.add("narrow", up.url, ALLOW, concurrency=2)
        yield c


@pytest.fixture
def connectd(service):
    service.upstream.begin()
    service.calm.begin()
    yield service
    service.upstream.over.set()


def must(answer, code):
    assert (refusal(answer), answer.status) == (code, STATUS[code]), str(answer)


class Clock:
    """with Clock(3): what is done in there takes less than so many seconds."""

    def __init__(self, limit):
        self.limit = limit

    def __enter__(self):
        self.start = time.monotonic()

    def __exit__(self, kind, *_):
        taken = time.monotonic() - self.start
        assert kind or taken < self.limit, f"it took {taken:.1f} s, not less than {self.limit}"


# ---- where a call may go ----

@pytest.mark.parametrize("host", [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1", "127.255.255.254", "localhost", "LOCALHOST", "0.0.0.0", "0",
    "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "10.0.0.1", "172.16.0.1",
    "192.168.0.1", "169.254.169.254", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "[ff02::1]",
    "255.255.255.255", "240.0.0.1", "⑫7.0.0.1", "127。0。0。1"])
def test_ssrf_an_address_that_is_not_public(connectd, host):
    """Not taken by the admin socket, or refused when it connects; never tried: a refused connection would say unreachable."""
    port = connectd.upstream.url.rsplit(":", 1)[1]
    connectd.admin("DELETE", "/connections/ssrf")
    settings = {"provider": "ssrf", "base_url": f"http://{host}:{port}", "http": True, "sites": ["acme"], "allow": ["GET /x"], "auth": {"type": "none"}}
    added = connectd.admin("PUT", "/connections/ssrf", settings)
    if added.status == 400:
        assert added.json["error"] == "connection_invalid" and added.json["detail"], str(added)
    else:
        with Clock(5):
            must(connectd.call("GET", "x", "ssrf", Postern_Timeout_Ms=3000, Retries=0), "upstream_unsafe")
    assert not connectd.upstream.asked


def test_ssrf_only_the_networks_that_are_named_are_open(connectd):
    connectd.admin("DELETE", "/connections/ssrf")
    connectd.add("ssrf", connectd.upstream.url, ["GET /x"], private=["10.0.0.0/8", "::1/128", "127.0.0.2/32"])
    must(connectd.call("GET", "x", "ssrf"), "upstream_unsafe")
    assert not connectd.upstream.asked


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_ssrf_a_redirect_is_not_followed(connectd, status):
    connectd.upstream.say = lambda n: Reply(status, [("Location", connectd.calm.url + "/x")], b"")
    must(connectd.call("GET", "x"), "upstream_unsafe")
    assert not connectd.calm.asked


@pytest.mark.parametrize("url", ["http://{}", "HTTP://{}", "ftp://{}", "file:///etc/passwd", "gopher://{}", "https://user:pass@{}", "https://{}?a=b", "https://{}#a",
                                 "https://", "//{}", "{}", "https://{}/a/../b", "https://{} x", "https://{}\r\nX: y", "unix:///run/x", "https://a@{}"])
def test_ssrf_a_scheme_or_url_that_may_not_be(connectd, url):
    host = connectd.upstream.url.split("//")[1]
    answer = connectd.add("scheme", url.format(host), ["GET /x"], http=False, expect=400)
    assert answer.json["error"] == "connection_invalid" and answer.json["detail"], str(answer)
    assert connectd.admin("GET", "/connections/scheme").status == 404


def test_connection_refused(connectd):
    connectd.admin("DELETE", "/connections/gone")
    connectd.add("gone", f"http://127.0.0.1:{closed_port()}", ["GET /x"])
    with Clock(8):
        must(connectd.call("GET", "x", "gone"), "upstream_unreachable")


def test_a_name_that_does_not_resolve(connectd):
    connectd.admin("DELETE", "/connections/gone")
    connectd.add("gone", "http://no-such-host.invalid", ["GET /x"])
    with Clock(8):
        answer = connectd.call("GET", "x", "gone", Postern_Timeout_Ms=3000)
    assert refusal(answer) in ("upstream_unreachable", "upstream_timeout"), str(answer)


# ---- time ----

@pytest.mark.parametrize("pieces", [[], [b"HTTP/1.1 200"], [b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"],
                                    [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b"stalled"],
                                    [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nstall"]],
                         ids=["slow", "status line", "headers", "body", "chunk"])
def test_an_upstream_that_stalls(connectd, pieces):
    connectd.upstream.say = lambda n: connectd.upstream.hang(*pieces)
    with Clock(2.5):
        must(connectd.call("GET", "x", Postern_Timeout_Ms=500), "upstream_timeout")


@pytest.mark.parametrize("head, piece", [(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"), (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
                                         (b"", b"HTTP/1.1 100 Continue\r\n\r\n")], ids=["body", "headers", "continue"])
def test_an_upstream_that_drips(connectd, head, piece):
    """Each byte in time, the whole never: the limit is on the call, not on the next byte."""
    connectd.upstream.say = lambda n: connectd.upstream.pour(head, piece, 0.05)
    with Clock(2.5):
        must(connectd.call("GET", "x", Postern_Timeout_Ms=500), "upstream_timeout")


# ---- size ----

def gzip_bomb(megabytes):
    """So many megabytes of zeros, a thousandth of that on the wire: one deflate block after a full flush, over and over."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(4 * MB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + block * (megabytes // 4)


@pytest.mark.parametrize("head, piece", [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n", bytes(65536)), (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", bytes(65536)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + bytes(65536) + b"\r\n"),
    (b"HTTP/1.1 500 No\r\nConnection: close\r\n\r\n", bytes(65536))], ids=["length", "until close", "chunked", "of an error"])
def test_an_answer_of_10_gb(connectd, head, piece):
    connectd.upstream.say = lambda n: connectd.upstream.pour(head, piece)
    with Clock(5):
        must(connectd.call("GET", "x"), "answer_too_large")
    assert connectd.peak() < 128 * MB


@pytest.mark.parametrize("piece", [b"X-Long: " + b"a" * 1000 + b"\r\n", b"a" * 4096], ids=["many", "one"])
def test_headers_without_end(connectd, piece):
    connectd.upstream.say = lambda n: connectd.upstream.pour(b"HTTP/1.1 200 OK\r\nX-A: ", piece)
    with Clock(8):
        answer = connectd.call("GET", "x", Postern_Timeout_Ms=3000)
    assert refusal(answer) in ("upstream_unreachable", "answer_too_large", "upstream_timeout"), str(answer)
    assert connectd.peak() < 128 * MB


def test_a_gzip_bomb(connectd):
    bomb = gzip_bomb(200)
    assert len(bomb) < 250000
    connectd.upstream.say = lambda n: Reply(200, [("Content-Encoding", "gzip"), ("Content-Type", "application/json")], bomb)
    with Clock(5):
        answer = connectd.call("GET", "x")
    assert refusal(answer) in ("answer_too_large", "upstream_unreachable"), str(answer)
    assert connectd.peak() < 128 * MB


@pytest.mark.parametrize("size, limit, passes", [(1000, 1000, True), (1001, 1000, False), (MB, 1 << 40, True), (MB + 1, 1 << 40, False),
                                                 (262144, None, True), (262145, None, False)])
def test_the_limit_of_an_answer_is_what_was_asked_for(connectd, size, limit, passes):
    connectd.upstream.say = lambda n: Reply(200, [("Content-Type", "text/plain")], b"x" * size)
    answer = connectd.call("GET", "x", Postern_Answer_Max=limit)
    if passes:
        assert answer.status == 200 and len(answer.body) == size, str(answer)
    else:
        must(answer, "answer_too_large")


# ---- broken answers ----

@pytest.mark.parametrize("reply", [
    b"", b"\0\0\0\0", b"garbage\r\n\r\n", b"<html>no status line</html>", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nno chunk\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!"], ids=lambda reply: ascii(reply[:40]))
def test_a_broken_answer(connectd, reply):
    connectd.upstream.say = lambda n: reply
    with Clock(8):
        must(connectd.call("GET", "x"), "upstream_unreachable")


@pytest.mark.parametrize("value", ["text/plain\x01", "text/\x7fplain", "text/plain\x1b[31m", "x" * 5000, "é"], ids=ascii)
def test_a_header_that_is_not_plain_does_not_come_back(connectd, value):
    connectd.upstream.say = lambda n: (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: " + value.encode() + b"\r\nETag: "
                                       + value.encode() + b"\r\nContent-Length: 2\r\n\r\nok")
    answer = connectd.call("GET", "x")
    assert value not in str(answer.headers) and all(text.isascii() and text.isprintable() for _, text in answer.headers), str(answer)


# ---- retries ----

@pytest.mark.parametrize("method, headers, tries", [
    ("GET", {}, 3), ("HEAD", {}, 3), ("PUT", {}, 3), ("DELETE", {}, 3), ("POST", {}, 1), ("PATCH", {}, 1), ("GET", {"Retries": 0}, 1),
    ("GET", {"Retries": 1}, 2), ("POST", {"Retries": 2}, 1), ("POST", {"Nango_Proxy_Idempotency_Key": "k"}, 3),
    ("PATCH", {"Nango_Proxy_Idempotency_Key": "k"}, 3), ("POST", {"Idempotency_Key": "not passed on"}, 1)], ids=str)
def test_only_what_may_be_repeated_is_repeated(connectd, method, headers, tries):
    """The upstream hangs up each time; a key that the upstream never sees makes nothing repeatable."""
    connectd.upstream.say = lambda n: None
    with Clock(6):
        answer = connectd.call(method, "x", body="{}" if method in ("PUT", "POST", "PATCH") else None, **headers)
    assert answer.status == 502 and (method == "HEAD" or refusal(answer) == "upstream_unreachable"), str(answer)
    assert len(connectd.upstream.asked) == tries


def test_a_retry_that_succeeds_is_the_answer(connectd):
    connectd.upstream.say = lambda n: OK if n == 2 else Reply(503, [], b"later")
    answer = connectd.call("GET", "x")
    assert (answer.status, answer.body, len(connectd.upstream.asked)) == (200, OK.body, 3), str(answer)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_an_answer_that_is_final_is_not_asked_for_again(connectd, status):
    connectd.upstream.say = lambda n: Reply(status, [], b"no")
    assert connectd.call("GET", "x").status == status
    assert len(connectd.upstream.asked) == 1


@pytest.mark.parametrize("sent, came", [("5", "5"), ("0", "0"), ("3600", "3600"), ("86400", "3600"), ("Fri, 31 Dec 2100 23:59:59 GMT", "3600"),
                                        ("99999999999999999999", "3600"), ("9" * 60, "3600"), ("-1", None), ("soon", None), ("1e9", None)])
def test_retry_after_is_clamped_and_not_waited_for(connectd, sent, came):
    """What is no number of seconds may become any that is allowed, or nothing."""
    connectd.upstream.say = lambda n: Reply(429, [("Retry-After", sent)], b"slowly")
    with Clock(2):
        answer = connectd.call("GET", "x", Retries=0)
    assert answer.status == 429 and answer.body == b"slowly"
    said = answer.header("Retry-After")
    if came:
        assert said == came, str(answer)
    else:
        assert said is None or 0 <= int(said) <= 3600, str(answer)


# ---- how many at once ----

def test_one_slow_shop_takes_nothing_from_the_others(connectd):
    """Its cap is 2: the third call at once is refused, another connection is served, and afterwards it is free again."""
    connectd.upstream.say = lambda n: connectd.upstream.hang(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
    slow = [threading.Thread(target=connectd.call, args=("GET", "x", "narrow"), kwargs={"Postern_Timeout_Ms": 2000, "Retries": 0}) for _ in range(2)]
    for thread in slow:
        thread.start()
    wait_until(lambda: len(connectd.upstream.asked) == 2, "both slow calls to be under way")
    with Clock(1.5):
        must(connectd.call("GET", "x", "narrow", Postern_Timeout_Ms=2000), "connection_busy")
        assert connectd.call("GET", "x", "calm").status == 200
    for thread in slow:
        thread.join(10)
    assert len(connectd.upstream.asked) == 2
    connectd.upstream.begin()
    assert connectd.call("GET", "x", "narrow").status == 200


def test_many_clients_that_say_nothing_do_not_stop_it(connectd):
    """Connections that are opened and left: the next call is served all the same."""
    import socket
    idle = []
    try:
        for _ in range(100):
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(5)
            s.connect(str(connectd.socket))
            s.sendall(b"GET /proxy/x HTTP/1.1\r\nHost: x\r\n")
            idle.append(s)
        with Clock(5):
            assert connectd.call("GET", "x", "calm").status == 200
    finally:
        for s in idle:
            s.close()


# ---- TLS ----

@pytest.fixture(scope="module")
def places(tmp_path_factory):
    home = tmp_path_factory.mktemp("tls")
    return home, Authority(home)


def over_tls(connectd, places, ca=True, by_name=False, **how):
    """The answer of a call over TLS to an upstream made so, and the upstream."""
    home, authority = places
    with Shop(home, **{"authority": authority, **how}) as shop:
        connectd.admin("DELETE", "/connections/tls")
        url = shop.named_url if by_name else shop.url
        connectd.add("tls", url.replace("http:", "https:"), ["GET /orders"], ca_pem=authority.pem if ca else None,
                     private=["127.0.0.0/8", "::1/128"])
        with Clock(8):
            return connectd.call("GET", "orders", "tls"), shop


@pytest.mark.parametrize("by_name", [False, True])
def test_tls_with_the_authority_that_the_connection_names(connectd, places, by_name):
    answer, shop = over_tls(connectd, places, by_name=by_name)
    assert answer.status == 200 and len(answer.json["orders"]) == 3 and len(shop.asked) == 1, str(answer)


@pytest.mark.parametrize("how", [{"expired": True}, {"names": ("DNS:other.example", "IP:127.0.0.9")}, {"names": ("DNS:*.localhost",)}, {"ca": False},
                                 {"authority": None}, {"tls": False}],
                         ids=["expired", "wrong host", "wildcard", "not in the system", "unknown authority", "no tls"])
def test_tls_that_proves_nothing(connectd, places, how):
    """No byte of a request leaves, credential or not."""
    answer, shop = over_tls(connectd, places, **how)
    must(answer, "upstream_unreachable")
    assert not shop.asked
