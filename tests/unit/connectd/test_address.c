/* test_address.c -- no spelling of a private address passes for a public one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fcgi-app/connectd/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>
#include <sys/un.h>

/* As the connection would be made: what the resolver reads out of the text. */
static bool public_text(const char *text)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *found = NULL;
	bool public;

	if (getaddrinfo(text, "443", &hints, &found) != 0)
		fail_msg("%s is no address to the resolver", text);
	public = address_public(found->ai_addr);
	freeaddrinfo(found);
	return public;
}

static void all_are(const char *const *texts, size_t count, bool public)
{
	for (size_t i = 0; i < count; i++)
		if (public_text(texts[i]) != public)
			fail_msg("%s is %s", texts[i], public ? "refused" : "taken for public");
}

static void public_addresses_are_public(void **state)
{
	static const char *const texts[] = {
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
		"128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255",
		"192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2001:4860:4860::8888",
		"2a00:1450::", "2001:200::1", "2003::1",
	};

	(void)state;
	all_are(texts, ARRAY_LEN(texts), true);
}

static void addresses_of_no_public_host_are_refused(void **state)
{
	static const char *const texts[] = {
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1",
		"127.255.255.255", "169.254.169.254", "172.16.0.0", "172.31.255.255", "192.0.0.1", "192.0.2.1",
		"192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
		"239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fec0::1", "fc00::1", "fd12::1",
		"ff02::1", "2001:db8::1", "3fff::1", "100::1", "5f00::1",
	};

	(void)state;
	all_are(texts, ARRAY_LEN(texts), false);
}

static void ssrf_decimal_octal_and_hexadecimal_spellings_are_refused(void **state)
{
	static const char *const texts[] = {
		"2130706433", "017700000001", "0x7f000001", "0177.0.0.1", "0x7f.0.0.1", "127.1", "127.0.1", "0", "0x0",
		"2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "10.1", "192.168.1", "3232235777",
	};

	(void)state;
	all_are(texts, ARRAY_LEN(texts), false);
}

static void ssrf_ipv4_inside_ipv6_is_refused(void **state)
{
	static const char *const texts[] = {
		"::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1",
		"64:ff9b::8.8.8.8", "64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:7f00:1::",
	};

	(void)state;
	all_are(texts, ARRAY_LEN(texts), false);
}

static void another_family_is_refused(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/run/some.sock" };
	struct network all = { .family = AF_INET };

	(void)state;
	assert_false(address_public((struct sockaddr *)&un));
	assert_false(address_permitted((struct sockaddr *)&un, &all, 1));
}

static bool permitted(const char *address, const char *network)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct network n;

	assert_true(network_parse(network, &n));
	if (inet_pton(AF_INET, address, &in4.sin_addr) == 1)
		return address_permitted((struct sockaddr *)&in4, &n, 1);
	assert_int_equal(inet_pton(AF_INET6, address, &in6.sin6_addr), 1);
	return address_permitted((struct sockaddr *)&in6, &n, 1);
}

static void a_connections_networks_permit_what_lies_inside_and_nothing_else(void **state)
{
	(void)state;
	assert_true(permitted("127.0.0.1", "127.0.0.0/8"));
	assert_true(permitted("127.0.0.1", "127.0.0.1"));
	assert_false(permitted("127.0.0.2", "127.0.0.1"));
	assert_true(permitted("10.20.31.255", "10.20.16.0/20"));
	assert_false(permitted("10.20.32.0", "10.20.16.0/20"));
	assert_false(permitted("::1", "127.0.0.0/8"));
	assert_false(permitted("::ffff:127.0.0.1", "127.0.0.0/8"));
	assert_true(permitted("fd00::5", "fd00::/8"));
	assert_false(permitted("fe80::5", "fd00::/8"));
	assert_true(permitted("8.8.8.8", "fd00::/8"));
}

static void networks_have_one_spelling(void **state)
{
	static const char *const bad[] = {
		"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/+8", "10.0.0.0/ 8", "10.0.0.0/8x", "10/8",
		"10.0.0.1/8", "010.0.0.0/8", "0x7f000001", "2130706433", "fd00::/129", "fd00::1/8", "localhost", "::/0/0",
		"[::1]/128", "10.0.0.0/8/8", "fe80::1%lo", "10.0.0.0/-1", "10.0.0.0/4294967304",
	};
	static const char *const good[] = {
		"0.0.0.0/0", "::/0", "10.0.0.0/8", "192.168.1.128/25", "::1", "fd00::/8", "127.0.0.1/32",
	};
	struct network n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (network_parse(bad[i], &n))
			fail_msg("'%s' is taken for a network", bad[i]);
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (!network_parse(good[i], &n))
			fail_msg("'%s' is refused", good[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(public_addresses_are_public),
		cmocka_unit_test(addresses_of_no_public_host_are_refused),
		cmocka_unit_test(ssrf_decimal_octal_and_hexadecimal_spellings_are_refused),
		cmocka_unit_test(ssrf_ipv4_inside_ipv6_is_refused),
		cmocka_unit_test(another_family_is_refused),
		cmocka_unit_test(a_connections_networks_permit_what_lies_inside_and_nothing_else),
		cmocka_unit_test(networks_have_one_spelling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
