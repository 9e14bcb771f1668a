/* What of an address is recorded and what is counted. */
#include "audit/audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void assert_address(const char *address, const char *network, const char *source)
{
	char out[REMOTE_MAX];

	memset(out, 'x', sizeof(out));
	audit_network(out, span_str(address));
	assert_string_equal(out, network);
	memset(out, 'x', sizeof(out));
	audit_source(out, span_str(address));
	assert_string_equal(out, source);
}

static void ipv4_is_recorded_by_24_bits_and_counted_whole(void **state)
{
	(void)state;
	assert_address("203.0.113.7", "203.0.113.0/24", "203.0.113.7");
	assert_address("255.255.255.255", "255.255.255.0/24", "255.255.255.255");
	assert_address("0.0.0.0", "0.0.0.0/24", "0.0.0.0");
}

static void ipv6_is_recorded_and_counted_by_56_bits(void **state)
{
	(void)state;
	assert_address("2001:db8:1:2fff:a:b:c:d", "2001:db8:1:2f00::/56", "2001:db8:1:2f00::/56");
	assert_address("2001:DB8::1", "2001:db8::/56", "2001:db8::/56");
	assert_address("::1", "::/56", "::/56");
	assert_address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ff00::/56",
		       "ffff:ffff:ffff:ff00::/56");
}

static void ipv4_mapped_addresses_are_ipv4(void **state)
{
	(void)state;
	assert_address("::ffff:203.0.113.7", "203.0.113.0/24", "203.0.113.7");
	assert_address("::ffff:cb00:7107", "203.0.113.0/24", "203.0.113.7");
	assert_address("::fffe:203.0.113.7", "::/56", "::/56");
}

static void anything_else_is_one_shared_source(void **state)
{
	static const char *const others[] = {
		"", "unix:", "203.0.113", "203.0.113.7 ", " 203.0.113.7", "203.0.113.256", "203.0.113.7/24", "[::1]",
		"localhost", "fe80::1%eth0", "1", "::ffff:203.0.113.7.",
		"2001:db8:1:2fff:a:b:c:d:e:f:1:2:3:4:5:6:7:8:9:a:b:c:d:e:f:0:1:2:3:4",
	};
	char out[REMOTE_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_address(others[i], "", "");
	audit_source(out, span_of("10.0.0.1\0x", 10));
	assert_string_equal(out, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4_is_recorded_by_24_bits_and_counted_whole),
		cmocka_unit_test(ipv6_is_recorded_and_counted_by_56_bits),
		cmocka_unit_test(ipv4_mapped_addresses_are_ipv4),
		cmocka_unit_test(anything_else_is_one_shared_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
