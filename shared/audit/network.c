/* network.c -- what of a sender's address is recorded, and what of it is counted. */
#include "audit/audit.h"

#include <arpa/inet.h>

struct prefix { size_t bytes; const char *suffix; };     /* what is kept, and how that is written */

/* Fills bytes in network order. Returns the family, 0 for what is no address. An IPv4-mapped address (RFC 4291 2.5.5.2)
 * is the IPv4 one: else a dual-stack listener would give every IPv4 sender the same /56. */
static int address_parse(struct span address, uint8_t bytes[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char text[INET6_ADDRSTRLEN];

	if (address.size == 0 || address.size >= sizeof(text) || memchr(address.data, '\0', address.size))
		return 0;
	memcpy(text, address.data, address.size);
	text[address.size] = '\0';
	if (inet_pton(AF_INET, text, bytes) == 1)
		return AF_INET;
	if (inet_pton(AF_INET6, text, bytes) != 1)
		return 0;
	if (memcmp(bytes, mapped, sizeof(mapped)) != 0)
		return AF_INET6;
	memmove(bytes, bytes + sizeof(mapped), 4);
	return AF_INET;
}

static void network_text(char out[REMOTE_MAX], struct span address, struct prefix v4, struct prefix v6)
{
	uint8_t bytes[16] = { 0 };
	int family = address_parse(address, bytes);
	struct prefix keep = family == AF_INET ? v4 : v6;

	out[0] = '\0';
	if (family == 0)
		return;
	memset(bytes + keep.bytes, 0, sizeof(bytes) - keep.bytes);
	if (inet_ntop(family, bytes, out, REMOTE_MAX - 4))      /* 45 bytes at most, so the suffix fits */
		memcpy(out + strlen(out), keep.suffix, strlen(keep.suffix) + 1);
}

static const struct prefix v4_network = { 3, "/24" }, v4_host = { 4, "" }, v6_network = { 7, "/56" };

void audit_network(char out[REMOTE_MAX], struct span address)
{
	network_text(out, address, v4_network, v6_network);
}

void audit_source(char out[REMOTE_MAX], struct span address)
{
	network_text(out, address, v4_host, v6_network);
}
