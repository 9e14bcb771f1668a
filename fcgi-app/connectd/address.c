/* address.c -- which addresses of the network a connection may reach. */
#include "fcgi-app/connectd/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* IANA's special-purpose registries, as far as they are not globally reachable. */
static const struct network not_public_4[] = {
	{ AF_INET, { 0 }, 8 },                  /* this network, 0.0.0.0: Linux connects it to itself */
	{ AF_INET, { 10 }, 8 },
	{ AF_INET, { 100, 64 }, 10 },           /* shared by carriers (CGNAT) */
	{ AF_INET, { 127 }, 8 },
	{ AF_INET, { 169, 254 }, 16 },          /* link-local: the metadata services of clouds */
	{ AF_INET, { 172, 16 }, 12 },
	{ AF_INET, { 192, 0, 0 }, 24 },
	{ AF_INET, { 192, 0, 2 }, 24 },
	{ AF_INET, { 192, 88, 99 }, 24 },       /* 6to4 relays */
	{ AF_INET, { 192, 168 }, 16 },
	{ AF_INET, { 198, 18 }, 15 },
	{ AF_INET, { 198, 51, 100 }, 24 },
	{ AF_INET, { 203, 0, 113 }, 24 },
	{ AF_INET, { 224 }, 4 },                /* multicast */
	{ AF_INET, { 240 }, 4 },                /* reserved, and broadcast */
};

/* All that is global unicast lies here: loopback, unspecified, unique local, link-local, multicast, IPv4-mapped,
 * IPv4-compatible and both NAT64 prefixes lie outside. */
static const struct network global_6 = { AF_INET6, { 0x20 }, 3 };
static const struct network not_public_6[] = {
	{ AF_INET6, { 0x20, 0x01 }, 23 },               /* protocol assignments: Teredo, benchmarks, ORCHID */
	{ AF_INET6, { 0x20, 0x01, 0x0d, 0xb8 }, 32 },
	{ AF_INET6, { 0x20, 0x02 }, 16 },               /* 6to4: an IPv4 address inside */
	{ AF_INET6, { 0x3f, 0xff }, 20 },
};

static bool prefix_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

static bool within(const struct network *n, int family, const uint8_t *at)
{
	return n->family == family && prefix_equal(n->address, at, n->bits);
}

static bool within_any(const struct network *list, size_t count, int family, const uint8_t *at)
{
	for (size_t i = 0; i < count; i++)
		if (within(&list[i], family, at))
			return true;
	return false;
}

/* false: neither IPv4 nor IPv6. */
static bool bytes_of(const struct sockaddr *a, uint8_t out[16])
{
	if (a->sa_family == AF_INET)
		memcpy(out, &((const struct sockaddr_in *)(const void *)a)->sin_addr, 4);
	else if (a->sa_family == AF_INET6)
		memcpy(out, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, 16);
	else
		return false;
	return true;
}

bool address_public(const struct sockaddr *a)
{
	uint8_t at[16] = { 0 };

	if (!bytes_of(a, at))
		return false;
	if (a->sa_family == AF_INET)
		return !within_any(not_public_4, ARRAY_LEN(not_public_4), AF_INET, at);
	return within(&global_6, AF_INET6, at) && !within_any(not_public_6, ARRAY_LEN(not_public_6), AF_INET6, at);
}

bool address_permitted(const struct sockaddr *a, const struct network *networks, size_t count)
{
	uint8_t at[16] = { 0 };

	if (!bytes_of(a, at))
		return false;
	return address_public(a) || within_any(networks, count, a->sa_family, at);
}

/* No sign, no space, no leading zero: one spelling a number. */
static bool bits_parse(const char *text, unsigned most, unsigned *ret)
{
	size_t digits = strspn(text, "0123456789");

	if (digits < 1 || digits > 3 || text[digits] || (digits > 1 && text[0] == '0'))
		return false;
	*ret = (unsigned)strtoul(text, NULL, 10);
	return *ret <= most;
}

static bool nothing_behind(const struct network *n)
{
	unsigned bytes = n->family == AF_INET ? 4 : 16;

	for (unsigned bit = n->bits; bit < bytes * 8; bit++)
		if (n->address[bit / 8] >> (7 - bit % 8) & 1)
			return false;
	return true;
}

bool network_parse(const char *text, struct network *ret)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t size = slash ? (size_t)(slash - text) : strlen(text);
	unsigned most;

	if (size >= sizeof(address))
		return false;
	memcpy(address, text, size);
	address[size] = '\0';
	*ret = (struct network){ .family = strchr(address, ':') ? AF_INET6 : AF_INET };
	most = ret->family == AF_INET ? 32 : 128;
	ret->bits = most;
	return inet_pton(ret->family, address, ret->address) == 1 && (!slash || bits_parse(slash + 1, most, &ret->bits)) &&
		nothing_behind(ret);
}
