/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "apply/totals.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netlink.h>

#include "apply/nft_read.h"
#include "base/table.h"
#include "net/nl.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/loop.h"

#define SLICE_US (2 * MONO_MS)
#define WAIT_US MONO_S

enum {
	/* Every change of the table while it is read is a reason to read it
	 * again: something may have been passed over. */
	PASSES_MAX = 3,
	ENTRIES_MAX = 1 << 20,
};

struct entry {
	char *key;
	struct service_totals totals;
	uint32_t reading; /* that saw it last */
	UT_hash_handle hh;
};

struct totals {
	struct loop *loop;
	struct loop_timer *slice; /* the next one of the dump */
	struct loop_timer *deadline; /* who waits gets what there is */
	void (*on_read)(void *arg);
	void *arg;
	struct nl *nl; /* NULL: to be opened */
	struct entry *entries;
	uint32_t reading;
	int n_passes;
	bool is_reading;
	bool has_failed; /* and that was logged */
	mono_t began; /* of the reading under way */
	mono_t read; /* when the last one that ended had begun */
};

static struct entry *
entry_get(struct totals *totals, const char *key)
{
	struct entry *entry;

	HASH_FIND_STR(totals->entries, key, entry);
	if (entry || HASH_COUNT(totals->entries) >= ENTRIES_MAX)
		return entry;
	entry = mem_new(struct entry);
	entry->key = mem_strdup(key);
	HASH_ADD_KEYPTR(hh, totals->entries, entry->key, strlen(entry->key),
	    entry);
	return entry;
}

/* Those that were not there in this reading. */
static void
drop_old(struct totals *totals)
{
	struct entry *entry;
	struct entry *next;

	for (entry = totals->entries; entry; entry = next) {
		next = entry->hh.next;
		if (entry->reading == totals->reading)
			continue;
		HASH_DEL(totals->entries, entry);
		free(entry->key);
		free(entry);
	}
}

static int
on_counter(void *arg, const struct nlmsghdr *h)
{
	struct totals *totals = arg;
	struct nft_counter counter;
	struct entry *entry;

	if (!nft_read_counter(h, &counter))
		return 0;
	entry = entry_get(totals, counter.key);
	if (!entry)
		return 0;
	entry->reading = totals->reading;
	if (counter.kind == RULESET_COUNTER_CONN) {
		entry->totals.connections = counter.count.packets;
	} else {
		entry->totals.packets = counter.count.packets;
		entry->totals.bytes = counter.count.bytes;
	}
	return 0;
}

/* A socket in the middle of a dump is of no use for the next one. */
static void
fail(struct totals *totals, const char *why)
{
	if (!totals->has_failed)
		log_err("nft: counters of Services cannot be read, the last "
			"ones are shown: %s",
		    why);
	totals->has_failed = true;
	nl_close(totals->nl);
	totals->nl = NULL;
}

static void
finish(struct totals *totals, int rc)
{
	if (rc == 0)
		drop_old(totals);
	if (rc < 0 && rc != -EINTR) {
		fail(totals, strerror(-rc));
	} else if (totals->has_failed) {
		log_notice("nft: counters of Services can be read again");
		totals->has_failed = false;
	}
	totals->is_reading = false;
	totals->read = totals->began;
	loop_timer_disarm(totals->deadline);
	totals->on_read(totals->arg);
}

static void
on_slice(void *arg)
{
	struct totals *totals = arg;
	mono_t end = clock_mono() + SLICE_US;
	int rc;

	do {
		rc = nl_dump_step(totals->nl, on_counter, totals);
		if (rc == -EINTR && ++totals->n_passes < PASSES_MAX)
			rc =
			    nft_read_counters_start(totals->nl) == 0 ? 1 : -EIO;
	} while (rc > 0 && clock_mono() < end);
	if (rc > 0)
		loop_timer_arm(totals->slice, 0);
	else
		finish(totals, rc);
}

static void
on_deadline(void *arg)
{
	struct totals *totals = arg;

	totals->on_read(totals->arg);
}

struct totals *
totals_new(struct loop *loop, void (*on_read)(void *arg), void *arg)
{
	struct totals *totals = mem_new(struct totals);

	totals->loop = loop;
	totals->on_read = on_read;
	totals->arg = arg;
	totals->slice = loop_timer_new(loop, on_slice, totals);
	totals->deadline = loop_timer_new(loop, on_deadline, totals);
	return totals;
}

void
totals_free(struct totals *totals)
{
	if (!totals)
		return;
	totals->reading++;
	drop_old(totals);
	loop_timer_free(totals->slice);
	loop_timer_free(totals->deadline);
	nl_close(totals->nl);
	free(totals);
}

static int
start(struct totals *totals)
{
	struct err err = { 0 };
	int rc = 0;

	totals->began = loop_now(totals->loop);
	if (!totals->nl)
		rc = nl_open(NETLINK_NETFILTER, &totals->nl, &err);
	if (rc == 0) {
		rc = nft_read_counters_start(totals->nl);
		err_set(&err, rc, "%s", strerror(-rc));
	}
	if (rc < 0) {
		fail(totals, err.text);
		return rc;
	}
	totals->reading++;
	totals->n_passes = 0;
	totals->is_reading = true;
	loop_timer_arm(totals->slice, 0);
	return 0;
}

bool
totals_read(struct totals *totals, mono_t since, mono_t *as_of)
{
	mono_t left = since + WAIT_US - loop_now(totals->loop);

	*as_of = MAX(totals->read, since);
	if (totals->read >= since || left <= 0)
		return true;
	if (!totals->is_reading && start(totals) < 0)
		return true;
	if (!loop_timer_is_armed(totals->deadline))
		loop_timer_arm(totals->deadline, left);
	return false;
}

const struct service_totals *
totals_get(const struct totals *totals, const char *key)
{
	const struct entry *entry;

	HASH_FIND_STR(totals->entries, key, entry);
	return entry ? &entry->totals : NULL;
}
