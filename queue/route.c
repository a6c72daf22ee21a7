/*
 * route.c - is this a way for `facteur reroute`?  Asked by the tool, before it
 * says what it would do, and by the queue manager, which believes nobody.
 *
 * From: queue/qadmin_act.c, queue/control_act.c.
 */
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "qadmin.h"

bool
is_route(const char *s)
{
	const char *colon = strrchr(s, ':'), *why;
	size_t len;

	if (strcmp(s, "-") == 0)
		return true;
	if (colon == NULL || colon == s)
		return false;
	len = (size_t)(colon - s);
	(void)strtonum(colon + 1, 1, 65535, &why);
	if (why != NULL || colon[1] < '0' || colon[1] > '9')
		return false;
	if (s[0] == '[')
		return len > 3 && s[len - 1] == ']' && len < 50 &&
		    strspn(s + 1, "0123456789abcdefABCDEF:.") == len - 2;
	return is_hostname(s, len);
}
