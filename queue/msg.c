/*
 * msg.c - every message in the queue, by ID (a hash table) and by the time it
 * is due (a binary heap).
 *
 * Way 4 of 8.  From: queue/scan.c.  To: queue/active.c.
 */
#include <stdlib.h>
#include <string.h>

#include "deadline.h"
#include "queue.h"

struct queue Q;

/* FNV-1a: IDs are ours, nobody outside can choose them to collide. */
static unsigned
id_hash(const char *id)
{
	uint32_t h = 2166136261u;

	while (*id != '\0')
		h = (h ^ (unsigned char)*id++) * 16777619u;
	return h;
}

static void
index_grow(void)
{
	unsigned cap = Q.index_cap == 0 ? 1024 : Q.index_cap * 2;
	struct msg **table = xcalloc(cap, sizeof(*table));

	for (unsigned i = 0; i < Q.index_cap; i++)
		for (struct msg *m = Q.index[i], *next; m != NULL; m = next) {
			unsigned slot = id_hash(m->id) & (cap - 1);

			next = m->next_hash;
			m->next_hash = table[slot];
			table[slot] = m;
		}
	free(Q.index);
	Q.index = table;
	Q.index_cap = cap;
}

struct msg *
msg_find(const char *id)
{
	struct msg *m;

	if (Q.index_cap == 0)
		return NULL;
	m = Q.index[id_hash(id) & (Q.index_cap - 1)];
	while (m != NULL && strcmp(m->id, id) != 0)
		m = m->next_hash;
	return m;
}

/* ---- the heap: heap[1] is due first; of several, the one that came first ---- */

static bool
is_before(const struct msg *a, const struct msg *b)
{
	return a->due != b->due ? a->due < b->due :
	    memcmp(a->id, b->id, ID_LEN) < 0;
}

static void
heap_put(unsigned slot, struct msg *m)
{
	Q.heap[slot] = m;
	m->slot = slot;
}

static void
heap_up(unsigned slot)
{
	struct msg *m = Q.heap[slot];

	for (; slot > 1 && is_before(m, Q.heap[slot / 2]); slot /= 2)
		heap_put(slot, Q.heap[slot / 2]);
	heap_put(slot, m);
}

static void
heap_down(unsigned slot)
{
	struct msg *m = Q.heap[slot];
	unsigned child;

	while ((child = slot * 2) <= Q.heap_n) {
		if (child < Q.heap_n &&
		    is_before(Q.heap[child + 1], Q.heap[child]))
			child++;
		if (!is_before(Q.heap[child], m))
			break;
		heap_put(slot, Q.heap[child]);
		slot = child;
	}
	heap_put(slot, m);
}

static void
heap_insert(struct msg *m)
{
	if (Q.heap_n + 1 >= Q.heap_cap) {
		Q.heap_cap = Q.heap_cap == 0 ? 1024 : Q.heap_cap * 2;
		Q.heap = xreallocarray(Q.heap, Q.heap_cap, sizeof(*Q.heap));
	}
	heap_put(++Q.heap_n, m);
	heap_up(Q.heap_n);
}

static void
heap_remove(struct msg *m)
{
	unsigned slot = m->slot;
	struct msg *last = Q.heap[Q.heap_n--];

	m->slot = 0;
	if (last == m)
		return;
	heap_put(slot, last);
	heap_up(slot);
	heap_down(last->slot);
}

struct msg *
msg_add(const char *id, int64_t size, int64_t due)
{
	struct msg *m = msg_find(id);
	unsigned slot;

	if (m != NULL)
		return m;
	if (Q.index_n >= Q.index_cap)
		index_grow();
	m = xcalloc(1, sizeof(*m));
	strlcpy(m->id, id, sizeof(m->id));
	m->size = size;
	m->due = due;
	m->seen = Q.scan;
	m->fresh = true;
	Q.fresh++;
	slot = id_hash(id) & (Q.index_cap - 1);
	m->next_hash = Q.index[slot];
	Q.index[slot] = m;
	Q.index_n++;
	ages_add(id_usec(id));
	heap_insert(m);
	return m;
}

void
msg_due(struct msg *m, int64_t due)
{
	m->due = due;
	if (m->slot == 0) {
		heap_insert(m);
		return;
	}
	heap_up(m->slot);
	heap_down(m->slot);
}

struct msg *
msg_pop_due(int64_t now)
{
	struct msg *m;

	if (Q.heap_n == 0 || Q.heap[1]->due > now)
		return NULL;
	m = Q.heap[1];
	heap_remove(m);
	return m;
}

void
msg_taken(struct msg *m)
{
	if (m->slot != 0)
		heap_remove(m);
}

int64_t
msg_next_due(void)
{
	return Q.heap_n == 0 ? INT64_MAX : Q.heap[1]->due;
}

void
msg_begun(struct msg *m)
{
	Q.fresh -= m->fresh;
	m->fresh = false;
}

void
msg_forget(struct msg *m)
{
	struct msg **p = &Q.index[id_hash(m->id) & (Q.index_cap - 1)];

	msg_begun(m);
	free(m->last_words);
	sched_unpark_msg(m);
	if (m->slot != 0)
		heap_remove(m);
	while (*p != m)
		p = &(*p)->next_hash;
	*p = m->next_hash;
	Q.index_n--;
	ages_remove(id_usec(m->id));
	free(m);
}

void
msg_each(void (*fn)(struct msg *, void *), void *arg)
{
	for (unsigned i = 0; i < Q.index_cap; i++)
		for (struct msg *m = Q.index[i], *next; m != NULL; m = next) {
			next = m->next_hash;
			fn(m, arg);
		}
}
