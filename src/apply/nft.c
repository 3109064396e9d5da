/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "apply/nft.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "apply/nft_impl.h"
#include "apply/nft_read.h"
#include "base/mem.h"
#include "sys/clock.h"
#include "sys/log.h"

enum {
	/* Of one transaction: the longest commit stays near 20 ms. */
	CHUNK_SERVICES = 500,
	CHUNK_B = 2 << 20,
	ELEMENT_B = 40, /* of a slot, about */
	BUFFER_KEPT_B = 1 << 20,
	/* So often refused with a fresh shadow: the table is beyond repair. */
	REFUSED_MAX = 2,
};

struct nft *
nft_new(void)
{
	struct nft *nft = mem_new(struct nft);

	nft->rs = ruleset_new();
	nft->sums = nft_sums_new();
	nft->is_stale = true;
	return nft;
}

static void
close_sockets(struct nft *nft)
{
	nl_close(nft->nl);
	nl_close(nft->verify_nl);
	local_routes_free(nft->routes);
	conntrack_free(nft->conntrack);
	nft->nl = NULL;
	nft->verify_nl = NULL;
	nft->routes = NULL;
	nft->conntrack = NULL;
}

static int
ask_for_nf_tables(struct nft *nft, struct err *err)
{
	int rc = nft_read_generation(nft->nl, &nft->generation);

	if (rc == -EPERM)
		return err_set(err, rc,
		    "nft: not permitted; give the process CAP_NET_ADMIN");
	if (rc < 0)
		return err_set(err, rc,
		    "nft: the kernel has no nf_tables (%s); load the module "
		    "nf_tables",
		    strerror(-rc));
	return 0;
}

int
nft_open(struct nft *nft, struct err *err)
{
	int rc;

	if (nft->nl)
		return 0;
	rc = nl_open(NETLINK_NETFILTER, &nft->nl, err);
	if (rc == 0)
		rc = nl_open(NETLINK_NETFILTER, &nft->verify_nl, err);
	if (rc == 0)
		rc = local_routes_new(&nft->routes, err);
	if (rc == 0)
		rc = conntrack_new(&nft->conntrack, err);
	if (rc == 0)
		rc = ask_for_nf_tables(nft, err);
	if (rc < 0)
		close_sockets(nft);
	return rc;
}

void
nft_free(struct nft *nft)
{
	if (!nft)
		return;
	close_sockets(nft);
	nft_sums_free(nft->sums);
	ruleset_free(nft->rs);
	nft_batch_fini(&nft->batch);
	free(nft);
}

void
nft_each_service(const struct nft *nft,
    void (*fn)(void *arg, const char *key, const struct frontend *frontends,
	size_t n_frontends),
    void *arg)
{
	ruleset_each_service(nft->rs, fn, arg);
}

bool
nft_has_address(const struct nft *nft, const struct addr *addr)
{
	return ruleset_has_address(nft->rs, addr);
}

int
nft_stage(struct nft *nft, const char *key, const struct frontend *frontends,
    size_t n, struct err *err)
{
	return ruleset_stage(nft->rs, key, frontends, n, err);
}

const struct nft_stats *
nft_stats(const struct nft *nft)
{
	return &nft->stats;
}

static int
explain(const struct nft *nft, const struct nl_refusal *refusal,
    struct err *err)
{
	unsigned int type = refusal->type & 0xff;
	int rc = refusal->code;

	if (rc == -EPERM)
		return err_set(err, rc,
		    "nft: not permitted; another program owns table inet "
		    "%s, or CAP_NET_ADMIN is missing",
		    NFT_TABLE);
	if (rc == -EMSGSIZE)
		return err_set(err, rc,
		    "nft: %zu octets do not fit the socket; raise "
		    "net.core.wmem_max or give the process CAP_NET_ADMIN in "
		    "the first user namespace",
		    nft->batch.buf.n);
	if (refusal->seq != 0 && (rc == -ENOENT || rc == -EOPNOTSUPP) &&
	    (type == NFT_MSG_NEWRULE || type == NFT_MSG_NEWCHAIN ||
		type == NFT_MSG_NEWSET))
		return err_set(err, rc,
		    "nft: the kernel lacks something the rules need (%s); "
		    "load the modules nf_conntrack, nf_nat, nft_ct, nft_nat, "
		    "nft_masq, nft_hash, nft_objref, nft_fib_inet and "
		    "nft_reject_inet",
		    strerror(-rc));
	return err_set(err, rc,
	    "nft: transaction of %zu elements refused: %s%s%s (message %u); "
	    "it is repeated from a fresh reading",
	    nft->batch.n_elements, strerror(-rc), refusal->text[0] ? ", " : "",
	    refusal->text, type);
}

/* Not so: what passes by itself (before Linux 6.2 a chain is busy for a while
 * after the element that led to it went), and what is about us. */
static bool
is_about_table(int rc)
{
	switch (-rc) {
	case EAGAIN:
	case EBUSY:
	case EINTR:
	case EMSGSIZE:
	case ENOBUFS:
	case ENOMEM:
	case EPERM:
		return false;
	default:
		return true;
	}
}

int
nft_send(struct nft *nft, struct err *err)
{
	struct nl_refusal refusal;
	mono_t begin = clock_mono();
	int rc = nft_batch_commit(&nft->batch, &refusal);

	nft->stats.last_commit_us = clock_mono() - begin;
	if (rc < 0) {
		nft->stats.errors++;
		nft->is_stale = true;
		if (is_about_table(rc))
			nft->n_refused++;
		return explain(nft, &refusal, err);
	}
	/* Each transaction counts one, and 0 is skipped. */
	if (++nft->generation == 0)
		nft->generation = 1;
	nft->n_refused = 0;
	nft->stats.commits++;
	nft->stats.operations += nft->batch.n_elements;
	if (nft->batch.buf.cap_b > BUFFER_KEPT_B)
		nft_batch_fini(&nft->batch);
	return 0;
}

/* Whose element it is: what it counts with, or its comment. */
static void
put_name(struct nft_element *element, const struct ruleset_op *op,
    char counter[NFT_OBJECT_NAME_B])
{
	if (op->set != RULESET_SET_ACCT && op->set != RULESET_SET_CONN) {
		element->comment = op->comment;
		return;
	}
	nft_table_counter_name(op->set == RULESET_SET_ACCT
		? RULESET_COUNTER_ACCT
		: RULESET_COUNTER_CONN,
	    op->comment, counter);
	element->object = counter;
}

void
nft_put_op(struct nft_batch *batch, const char *set,
    const struct ruleset_op *op)
{
	struct nft_element element = { .set = set,
		.key = op->key,
		.key_len = op->key_len };
	char counter[NFT_OBJECT_NAME_B];

	if (op->set == RULESET_SET_SHARD) {
		nft_table_make_shard(batch, op->class, op->shard, NULL);
		return;
	}
	if (op->set == RULESET_SET_COUNTER) {
		nft_table_put_counter(batch, op);
		return;
	}
	if (!op->is_delete) {
		element.data = op->data_len ? op->data : NULL;
		element.data_len = op->data_len;
		put_name(&element, op, counter);
	}
	nft_batch_element(batch,
	    op->is_delete ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM, &element);
}

static void
on_op(void *arg, const struct ruleset_op *op)
{
	struct nft *nft = arg;
	const char *set = NULL;

	if (op->set == RULESET_SET_SHARD) {
		nft_count_shard(nft, op->class, op->shard);
	} else if (op->set != RULESET_SET_COUNTER) {
		struct nft_sum *sum = nft_sums_get(nft->sums, op);

		if (!op->is_garbage)
			nft_sum_apply(sum, op);
		set = nft_sum_name(sum);
	}
	nft_put_op(&nft->batch, set, op);
}

/* The kernel raises a limit at the end of a transaction: it goes ahead. */
static int
make_room(struct nft *nft, size_t n_new, struct err *err)
{
	bool is_needed = false;

	nft_batch_begin(&nft->batch, nft->nl);
	for (size_t i = 0; i < NFT_TABLE_BASE_SETS * 2; i++) {
		unsigned int v6 = i % 2;
		struct ruleset_op op = { .set = nft_table_base_sets[i / 2],
			.family = v6 ? FAMILY_IPV6 : FAMILY_IPV4 };
		uint32_t *size = &nft->sizes.of[op.set][v6];
		size_t want =
		    (size_t)nft_sums_get(nft->sums, &op)->count + n_new;

		if (want <= *size)
			continue;
		*size = (uint32_t)MIN(want * 2, UINT32_MAX / 4);
		nft_table_grow(&nft->batch, op.set, op.family, *size);
		is_needed = true;
	}
	return is_needed ? nft_send(nft, err) : 0;
}

/* Conntrack and routes follow what the kernel has now. */
static void
take_results(struct nft *nft)
{
	const struct ruleset_flush *flushes;
	const struct ruleset_moved *moved;
	size_t n;

	ruleset_done(nft->rs);
	flushes = ruleset_flushes(nft->rs, &n);
	conntrack_queue(nft->conntrack, flushes, n);
	ruleset_clear_flushes(nft->rs);
	moved = ruleset_moved(nft->rs, &n);
	for (size_t i = 0; i < n; i++)
		local_routes_want(nft->routes, &moved[i].addr,
		    moved[i].is_owned);
	ruleset_clear_moved(nft->rs);
}

static void
on_count(void *arg, const struct ruleset_op *op)
{
	ruleset_load_count(arg, op);
}

/* A new table in place of the old one, with everything, at one instant.  What
 * the old one has counted is not needed badly enough to fail without. */
static int
commit_new_table(struct nft *nft, struct err *err)
{
	int rc = nft_read_counters(nft->nl, on_count, nft->rs);

	if (rc < 0)
		log_warn("nft: counters of Services begin at zero: %s",
		    strerror(-rc));
	ruleset_begin(nft->rs, SIZE_MAX, SIZE_MAX);
	nft_sums_clear(nft->sums);
	nft->sizes = nft_sizes_for(nft);
	nft_batch_begin(&nft->batch, nft->nl);
	nft_table_delete(&nft->batch);
	nft_table_make(&nft->batch, &nft->sizes, NULL);
	ruleset_diff(nft->rs, on_op, nft);
	rc = nft_send(nft, err);
	if (rc < 0)
		return rc;
	nft->must_replace = false;
	/* Nothing moves out of a new table: what the old one had is asked for
	 * again, or not. */
	local_routes_want_none(nft->routes);
	take_results(nft);
	return 0;
}

static int
commit_chunk(struct nft *nft, struct err *err)
{
	size_t max_b = MIN(CHUNK_B, nl_batch_max_b(nft->nl));
	size_t n = ruleset_begin(nft->rs, CHUNK_SERVICES, max_b / ELEMENT_B);
	int rc = make_room(nft, n, err);

	if (rc < 0)
		return rc;
	nft_batch_begin(&nft->batch, nft->nl);
	ruleset_diff(nft->rs, on_op, nft);
	if (nft->batch.n_elements > 0)
		rc = nft_send(nft, err);
	if (rc < 0)
		return rc;
	take_results(nft);
	return 0;
}

int
nft_commit(struct nft *nft, struct err *err)
{
	int rc;

	if (nft->is_stale) {
		rc = nft_load(nft, err);
		if (rc < 0)
			return rc;
	}
	if (nft->n_refused >= REFUSED_MAX && !nft->must_replace) {
		log_warn("nft: table refused changes times=%u, it is made anew",
		    nft->n_refused);
		ruleset_load_lost(nft->rs);
		nft->must_replace = true;
	}
	if (nft->must_replace) {
		rc = commit_new_table(nft, err);
		if (rc < 0)
			return rc;
		nft->stats.restored++;
	}
	while (ruleset_is_dirty(nft->rs)) {
		rc = commit_chunk(nft, err);
		if (rc < 0)
			return rc;
	}
	return local_routes_commit(nft->routes, err);
}

bool
nft_flush_flows(struct nft *nft, int64_t budget_us, bool is_settled)
{
	/* With nothing wanted, as after nft_remove_all(), no flow is ours. */
	bool is_known = (!nft->is_stale && !nft->must_replace) ||
	    ruleset_totals(nft->rs).n_frontends == 0;

	return nft->conntrack &&
	    conntrack_step(nft->conntrack, budget_us, nft->rs,
		is_settled && is_known);
}

int
nft_remove_all(struct nft *nft, struct err *err)
{
	enum nft_table_state state;
	int rc = nft_open(nft, err);

	if (rc < 0)
		return rc;
	rc = nft_read_table(nft->nl, &state);
	if (rc < 0)
		return err_set(err, rc, "nft: reading table: %s",
		    strerror(-rc));
	if (state != NFT_TABLE_STATE_ABSENT) {
		nft_batch_begin(&nft->batch, nft->nl);
		nft_table_delete(&nft->batch);
		rc = nft_send(nft, err);
		if (rc < 0)
			return rc;
	}
	/* It went as a whole; what is left is to forget its flows. */
	ruleset_stage_none(nft->rs);
	ruleset_begin(nft->rs, SIZE_MAX, SIZE_MAX);
	take_results(nft);
	nft->is_stale = true;
	rc = local_routes_load(nft->routes, err);
	if (rc == 0)
		rc = local_routes_commit(nft->routes, err);
	return rc;
}
