/*
 * who_cache.c - authd's answers, remembered for a moment.
 *
 * Privilege: facteur-lookup, in resolve's server.  What is remembered decides
 * only what is accepted and where it waits; launch asks authd itself before it
 * becomes anybody.
 * Way 2 and 5 of 8.  From: resolve_serve.c.  To: who.c.
 */
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "deadline.h"
#include "who_cache.h"

void
who_cache_init(struct who_cache *c, const struct config *cfg)
{
	memset(c->slot, 0, sizeof(c->slot));
	who_init(&c->who, cfg);
}

static void
forget(struct who_slot *s)
{
	free(s->asked);
	s->asked = NULL;
	mailbox_release(&s->box);
}

void
who_cache_release(struct who_cache *c)
{
	for (size_t i = 0; i < WHO_SLOTS; i++)
		forget(&c->slot[i]);
	who_release(&c->who);
}

/* FNV-1a.  Who finds two addresses for one slot makes authd work, no more. */
static struct who_slot *
slot_of(struct who_cache *c, const char *address)
{
	uint32_t h = 2166136261u;

	while (*address != '\0')
		h = (h ^ (unsigned char)*address++) * 16777619u;
	return &c->slot[h & (WHO_SLOTS - 1)];
}

static void
copy(struct mailbox *to, const struct mailbox *from)
{
	to->address = xstrdup(from->address);
	to->home = xstrdup(from->home);
	to->uid = from->uid;
	to->gid = from->gid;
	to->until = from->until;
}

enum who_result
who_cache_ask(void *cache, const char *address, struct mailbox *out,
    struct buf *why)
{
	struct who_cache *c = cache;
	struct who_slot *s = slot_of(c, address);
	enum who_result result;

	if (s->asked != NULL && strcmp(s->asked, address) == 0 &&
	    now_ms() < s->box.until) {
		mailbox_release(out);
		copy(out, &s->box);
		return WHO_USER;
	}
	result = who_ask(&c->who, address, out, why);
	if (result == WHO_USER) {
		forget(s);
		s->asked = xstrdup(address);
		out->until = now_ms() + WHO_KEEP_MS;
		copy(&s->box, out);
	}
	return result;
}
