/* member.c -- members of a line found as text, without parsing it: stored lines are canonical, so the text
 * `"site":"demo"` is in every line that has this member. It may be in others too. */
#include "audit/audit-private.h"

bool member_find(struct span *rest, struct span text)
{
	const char *end = (const char *)rest->data + rest->size;
	const char *found = memmem(rest->data, rest->size, text.data, text.size);

	if (!found)
		return false;
	found += text.size;
	*rest = span_of(found, (size_t)(end - found));
	return true;
}

/* A number too large for a time is as good as the greatest. */
static size_t read_number(struct span text, uint64_t *ret)
{
	const char *digits = text.data;
	size_t size = 0;

	*ret = 0;
	for (; size < text.size && digits[size] >= '0' && digits[size] <= '9'; size++)
		*ret = *ret > UINT64_MAX / 16 ? UINT64_MAX : *ret * 10 + (uint64_t)(digits[size] - '0');
	return size;
}

bool member_time(struct span *rest, uint64_t *ret)
{
	while (member_find(rest, span_str("\"time\":"))) {
		if (read_number(*rest, ret) > 0)
			return true;
	}
	return false;
}
