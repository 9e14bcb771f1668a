#include "schema/schema-private.h"

static int compare_integers(json_int_t a, json_int_t b)
{
	return (a > b) - (a < b);
}

static int compare_reals(double a, double b)
{
	return (a > b) - (a < b);
}

/* A double cannot hold every 64-bit integer, so the real is taken apart instead of the integer being rounded.
 * jansson lets no NaN or infinity in. */
static int compare_integer_real(json_int_t a, double b)
{
	int whole;

	if (b >= 9223372036854775808.0)
		return -1;
	if (b < -9223372036854775808.0)
		return 1;
	whole = compare_integers(a, (json_int_t)b);
	return whole != 0 ? whole : compare_reals(0.0, b - (double)(json_int_t)b);
}

int number_compare(const json_t *a, const json_t *b)
{
	if (json_is_integer(a) && json_is_integer(b))
		return compare_integers(json_integer_value(a), json_integer_value(b));
	if (json_is_integer(a))
		return compare_integer_real(json_integer_value(a), json_real_value(b));
	if (json_is_integer(b))
		return -compare_integer_real(json_integer_value(b), json_real_value(a));
	return compare_reals(json_real_value(a), json_real_value(b));
}
