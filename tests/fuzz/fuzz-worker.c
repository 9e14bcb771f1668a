/* fuzz-worker.c -- a peer of the worker: its bytes, through the accept loop, the path and a store, to the answer.
 *
 * Pieces of the input are sent one after the other, each once the answer to the one before is there; what stands between
 * them is the text "{{next}}". What comes back is FastCGI to the last byte, answers no more often than was asked, and
 * holds nobody's documents unless a token of theirs was sent: seeds hold good ones, which never expire. */
#include "tests/fuzz/gate.h"

#include "fcgi-app/accept.h"
#include "tests/lib/tmpstore.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NEXT "{{next}}"
#define STILL_MS 4                     /* what is not answered by then waits for more bytes */
#define END_MS 5000

static struct sockaddr_un address = { .sun_family = AF_UNIX };

static void start(void)
{
	struct server_options o = { .threads = 1, .peers_max = 16, .calls_max = 16 };
	static struct server *server;
	static struct gate *volatile gate;             /* the worker's as long as the process lives */
	struct why why = { "" };
	sigset_t all, before;

	if (server)
		return;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/fcgi.sock", fuzz_dir());
	gate = gate_make();
	o.path = gate->path;
	o.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	REQUIRE(bind(o.listener, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(o.listener, 16) == 0);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	REQUIRE(server_start(&o, &server, &why) == RC_OK);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ---- sending ---- */

static bool next_piece(struct span *rest, struct span *ret)
{
	const char *at = rest->size ? memmem(rest->data, rest->size, NEXT, strlen(NEXT)) : NULL;
	size_t size = at ? (size_t)(at - (const char *)rest->data) : rest->size, skip = at ? strlen(NEXT) : 0;

	if (rest->size == 0)
		return false;
	*ret = span_of(rest->data, size);
	*rest = span_of((const char *)rest->data + size + skip, rest->size - size - skip);
	return true;
}

/* ---- receiving ---- */

/* Has the last byte of an END_REQUEST come? */
static size_t ends(struct span s)
{
	size_t count = 0;

	while (s.size >= 8) {
		const uint8_t *h = s.data;
		size_t whole = 8 + ((size_t)h[4] << 8 | h[5]) + h[6];

		if (whole > s.size)
			break;
		count += h[1] == 3;
		s = span_of(h + whole, s.size - whole);
	}
	return count;
}

/* false: the peer has closed. */
static bool receive(int fd, struct buf *into, size_t until, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char bytes[65536];

	while (ends(buf_span(into)) < until) {
		ssize_t n;

		if (poll(&p, 1, ms) == 0)
			return true;
		n = recv(fd, bytes, sizeof(bytes), 0);
		if (n <= 0)
			return false;
		buf_add(into, bytes, (size_t)n);
	}
	return true;
}

static void check_answers(struct span s, size_t asked)
{
	size_t ended = 0;
	bool begun = false;

	while (s.size) {
		const uint8_t *h = s.data;
		size_t content, whole;

		REQUIRE(s.size >= 8);
		content = (size_t)h[4] << 8 | h[5];
		whole = 8 + content + h[6];
		REQUIRE(whole <= s.size && h[0] == 1 && (h[1] == 3 || h[1] == 6));
		if (h[1] == 6 && content) {
			REQUIRE(begun || (content > 12 && memcmp(h + 8, "Status: ", 8) == 0));
			begun = true;
		}
		if (h[1] == 3) {
			REQUIRE(begun && content == 8 && h[12] == 0);
			begun = false;
			ended++;
		}
		s = span_of(h + whole, s.size - whole);
	}
	REQUIRE(!begun && ended <= asked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum visitor visitors[] = { VISITOR_ALEX, VISITOR_JORDAN };
	struct span sent = span_of(data, size), rest = sent, piece;
	struct buf got = BUF_INIT;
	size_t asked = 0;
	bool open = true;
	int fd;

	start();
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	REQUIRE(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	while (open && next_piece(&rest, &piece)) {
		open = send(fd, piece.data, piece.size, MSG_NOSIGNAL) == (ssize_t)piece.size;
		asked++;
		if (rest.size && open)
			open = receive(fd, &got, asked, STILL_MS);
	}
	shutdown(fd, SHUT_WR);
	REQUIRE(!receive(fd, &got, SIZE_MAX, END_MS));
	close(fd);
	check_answers(buf_span(&got), asked);
	for (size_t i = 0; i < ARRAY_LEN(visitors); i++)
		REQUIRE(!gate_shows(buf_span(&got), visitors[i]) || gate_holds(sent, visitors[i]) || gate_shows(sent, visitors[i]));
	buf_done(&got);
	return 0;
}
