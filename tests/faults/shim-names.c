/* shim-names.c -- a name server that changes its mind, and no way out: below rebind.example every second answer is this
 * machine, and nothing but loopback is connected to. Preloaded. */
#include "tests/faults/shim.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define PUBLIC "93.184.216.34"

static int ends_with(const char *name, const char *end)
{
	size_t size = strlen(name), end_size = strlen(end);

	return size >= end_size && strcmp(name + size - end_size, end) == 0;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	static atomic_uint asked;
	struct addrinfo *last;
	int e;

	if (!name || !ends_with(name, "rebind.example"))
		return REAL(getaddrinfo)(name, service, hints, ret);
	if (strcmp(name, "both.rebind.example") != 0)
		return REAL(getaddrinfo)(atomic_fetch_add(&asked, 1) % 2 ? "127.0.0.1" : PUBLIC, service, hints, ret);
	e = REAL(getaddrinfo)(PUBLIC, service, hints, ret);
	if (e)
		return e;
	for (last = *ret; last->ai_next; last = last->ai_next)
		;
	return REAL(getaddrinfo)("127.0.0.1", service, hints, &last->ai_next);
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
	const struct sockaddr_in *in = (const void *)address;

	if (address->sa_family == AF_INET && ntohl(in->sin_addr.s_addr) >> 24 != 127) {
		errno = ECONNREFUSED;
		return -1;
	}
	return REAL(connect)(fd, address, size);
}
