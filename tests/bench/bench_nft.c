/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench_nft eipd|raw|text SERVICES BACKENDS: the table of so many Services, in
 * a network namespace that has none yet.
 *
 * eipd: the applier, as the daemon uses it.  raw: the same messages, put
 * together beforehand; what is measured is the kernel.  It works inside the
 * system calls, so times are of CPU, and others on the machine do not count.
 * Both print by tabs: elements, milliseconds of the load and of its longest transaction, medians
 * in microseconds of one Service added and of one backend lost, milliseconds
 * of reading all back.  text: an equal table for nft -f, without counters.
 */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <libnftnl/common.h>

#include "apply/nft_impl.h"
#include "apply/nft_read.h"
#include "bench.h"

enum {
	BACKENDS_MAX = 32,
	ROUNDS = 200,
	CHUNK_ELEMENTS = 4000, /* as in a pass of the daemon */
	CHUNK_SERVICES = 100
};

struct bench {
	unsigned int n_services;
	unsigned int n_backends;
	struct nft *nft; /* eipd */
	struct ruleset *rs; /* raw, text */
	struct nl *nl;
	struct nft_batch batch;
	char open_set[NFT_NAME_B]; /* text */
	size_t n_elements;
	int64_t load_ns;
	int64_t longest_ns;
	struct samples add;
	struct samples lose;
	int64_t read_ns;
};

/* ---- Services ---- */

struct wish {
	char key[64];
	struct backend backends[BACKENDS_MAX];
	struct frontend frontend;
};

static void
wish_for(struct wish *w, unsigned int i, unsigned int n_backends)
{
	*w = (struct wish){ 0 };
	snprintf(w->key, sizeof(w->key), "prod/namespace-%u/service-%u", i % 50,
	    i);
	for (unsigned int j = 0; j < n_backends; j++)
		w->backends[j] =
		    (struct backend){ .addr = bench_addr("10.0.0.1",
					  i % 1000 * BACKENDS_MAX + j),
			    .port = (uint16_t)(30000 + i % 2768),
			    .weight = 1,
			    .node = "",
			    .probe = "" };
	w->frontend = (struct frontend){ .addr = bench_addr("100.64.0.0", i),
		.protocol = IP_PROTOCOL_TCP,
		.port = 80,
		.is_masqueraded = true,
		.backends = w->backends,
		.n_backends = n_backends,
		.n_usable = n_backends };
}

static void
check(int rc, const struct err *err)
{
	bench_need(rc == 0, err->text);
}

static unsigned int
chunk(const struct bench *b)
{
	return MIN((unsigned int)CHUNK_SERVICES,
	    CHUNK_ELEMENTS / (b->n_backends * 16) + 1);
}

/* ---- eipd ---- */

static void
stage(struct bench *b, unsigned int i, unsigned int n_backends)
{
	struct err err = { 0 };
	struct wish w;

	wish_for(&w, i, n_backends);
	check(nft_stage(b->nft, w.key, &w.frontend, 1, &err), &err);
}

static void
commit(struct bench *b)
{
	struct err err = { 0 };
	int64_t began = bench_cpu_ns();

	check(nft_commit(b->nft, &err), &err);
	b->longest_ns = MAX(b->longest_ns, bench_cpu_ns() - began);
}

static int64_t
one(struct bench *b, unsigned int i, unsigned int n_backends)
{
	int64_t began = bench_cpu_ns();

	stage(b, i, n_backends);
	commit(b);
	return bench_cpu_ns() - began;
}

static void
open_nft(struct bench *b)
{
	struct err err = { 0 };

	b->nft = nft_new();
	check(nft_load(b->nft, &err), &err);
}

static void
run_eipd(struct bench *b)
{
	unsigned int step = chunk(b);
	int64_t began;

	open_nft(b);
	began = bench_cpu_ns();
	for (unsigned int i = 0; i < b->n_services; i++) {
		stage(b, i, b->n_backends);
		if ((i + 1) % step == 0)
			commit(b);
	}
	commit(b);
	b->load_ns = bench_cpu_ns() - began;
	b->n_elements = nft_stats(b->nft)->operations;
	for (unsigned int r = 0; r < ROUNDS; r++)
		samples_add(&b->add, one(b, b->n_services + r, b->n_backends));
	for (unsigned int r = 0; r < ROUNDS; r++)
		samples_add(&b->lose, one(b, r, b->n_backends - 1));
	nft_free(b->nft);
	began = bench_cpu_ns();
	open_nft(b);
	b->read_ns = bench_cpu_ns() - began;
	nft_free(b->nft);
}

/* ---- raw ---- */

static void
wish_stage(struct bench *b, unsigned int i, unsigned int n_backends)
{
	struct err err = { 0 };
	struct wish w;

	wish_for(&w, i, n_backends);
	check(ruleset_stage(b->rs, w.key, &w.frontend, 1, &err), &err);
}

/* Everything staged as one transaction; the time the kernel takes. */
static int64_t
send_staged(struct bench *b)
{
	struct nl_refusal refusal;
	int64_t began;

	nft_batch_begin(&b->batch, b->nl);
	ruleset_begin(b->rs, SIZE_MAX, SIZE_MAX);
	ruleset_diff(b->rs, bench_put_op, &b->batch);
	ruleset_done(b->rs);
	ruleset_clear_flushes(b->rs);
	ruleset_clear_moved(b->rs);
	began = bench_cpu_ns();
	bench_need(nft_batch_commit(&b->batch, &refusal) == 0, refusal.text);
	began = bench_cpu_ns() - began;
	b->longest_ns = MAX(b->longest_ns, began);
	return began;
}

static void
make_table(struct bench *b)
{
	struct nft_table_sizes sizes;
	struct nl_refusal refusal;
	uint32_t size = MAX(2 * b->n_services, 16384u);

	for (size_t i = 0; i < RULESET_SET__COUNT; i++)
		sizes.of[i][0] = sizes.of[i][1] = size;
	nft_batch_begin(&b->batch, b->nl);
	nft_table_make(&b->batch, &sizes, NULL);
	bench_need(nft_batch_commit(&b->batch, &refusal) == 0, refusal.text);
}

static int
ignore(void *arg, const struct nlmsghdr *h)
{
	(void)arg;
	(void)h;
	return 0;
}

static void
read_raw(struct bench *b)
{
	struct nft_shape shape = { 0 };
	const struct nft_set_shape *set;

	bench_need(nft_read_shape(b->nl, &shape) == 0, "table");
	VEC_FOREACH (set, &shape.sets) {
		char buf[MNL_NLMSG_HDRLEN + 256];
		struct nlmsghdr *h = nftnl_nlmsg_build_hdr(buf,
		    NFT_MSG_GETSETELEM, NFPROTO_INET, 0, 0);

		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, set->name);
		bench_need(nl_dump(b->nl, h, ignore, NULL) == 0, set->name);
	}
	nft_shape_fini(&shape);
}

static void
run_raw(struct bench *b)
{
	unsigned int step = chunk(b);
	struct err err = { 0 };
	int64_t began;

	check(nl_open(NETLINK_NETFILTER, &b->nl, &err), &err);
	b->rs = ruleset_new();
	make_table(b);
	for (unsigned int i = 0; i < b->n_services; i++) {
		wish_stage(b, i, b->n_backends);
		if ((i + 1) % step != 0 && i + 1 < b->n_services)
			continue;
		b->load_ns += send_staged(b);
		b->n_elements += b->batch.n_elements;
	}
	for (unsigned int r = 0; r < ROUNDS; r++) {
		wish_stage(b, b->n_services + r, b->n_backends);
		samples_add(&b->add, send_staged(b));
	}
	for (unsigned int r = 0; r < ROUNDS; r++) {
		wish_stage(b, r, b->n_backends - 1);
		samples_add(&b->lose, send_staged(b));
	}
	began = bench_cpu_ns();
	read_raw(b);
	b->read_ns = bench_cpu_ns() - began;
	ruleset_free(b->rs);
	nft_batch_fini(&b->batch);
	nl_close(b->nl);
}

/* ---- text ---- */

static uint32_t
u32_at(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static unsigned int
u16_at(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

static void
print_op(void *arg, const struct ruleset_op *op)
{
	struct addr addr = bench_addr("0.0.0.0", 0);
	const uint8_t *data = op->data;
	struct bench *b = arg;
	char set[NFT_NAME_B];
	char text[ADDR_TEXT_B];

	if (op->set == RULESET_SET_SHARD || op->set == RULESET_SET_COUNTER ||
	    op->set == RULESET_SET_ACCT || op->set == RULESET_SET_CONN)
		return;
	nft_table_set_name(op->set, op->family, op->class, op->shard, set);
	/* One command for all that follow each other in one set. */
	if (strcmp(set, b->open_set) == 0) {
		printf(", ");
	} else {
		printf("%sadd element inet bench %s { ",
		    *b->open_set ? " }\n" : "", set);
		memcpy(b->open_set, set, sizeof(set));
	}
	if (op->set == RULESET_SET_EIP) {
		memcpy(addr.b, op->key, 4);
		printf("%s", addr_text(&addr, text));
	} else if (op->set == RULESET_SET_SVC) {
		memcpy(addr.b, op->key, 4);
		printf("%s . %u . %u comment \"%s\" : %u",
		    addr_text(&addr, text), op->key[4], u16_at(op->key + 8),
		    op->comment, u32_at(data));
	} else if (op->set == RULESET_SET_SLOTS) {
		printf("%u . %u : %u", u32_at(op->key), u32_at(op->key + 4),
		    u32_at(data));
	} else {
		memcpy(addr.b, data, 4);
		printf("%u : %s . %u", u32_at(op->key), addr_text(&addr, text),
		    u16_at(data + 4));
	}
}

/* The sets of the first shards; there are no more of them than Services. */
static void
print_sets(const struct bench *b)
{
	unsigned int class = b->n_backends <= 2 ? SLOTS_CLASS_16
	    : b->n_backends <= 8		? SLOTS_CLASS_64
						: SLOTS_CLASS_256;
	size_t n_shards = b->n_services / slots_per_shard(class) + 1;
	char slots[NFT_NAME_B];
	char backends[NFT_NAME_B];

	printf("add table inet bench\n"
	       "add set inet bench eip4 { type ipv4_addr; size %u; }\n"
	       "add map inet bench svc4 { type ipv4_addr . inet_proto . "
	       "inet_service : mark; size %u; }\n",
	    2 * b->n_services, 2 * b->n_services);
	for (size_t i = 0; i < n_shards; i++) {
		nft_table_set_name(RULESET_SET_SLOTS, FAMILY_NONE, class,
		    (unsigned int)i, slots);
		nft_table_set_name(RULESET_SET_BACKENDS, FAMILY_IPV4, class,
		    (unsigned int)i, backends);
		printf("add map inet bench %s { type mark . mark : mark; "
		       "size 32768; }\n"
		       "add map inet bench %s { type mark : ipv4_addr . "
		       "inet_service; size 32768; }\n",
		    slots, backends);
	}
}

static void
run_text(struct bench *b)
{
	b->rs = ruleset_new();
	print_sets(b);
	for (unsigned int i = 0; i < b->n_services; i++)
		wish_stage(b, i, b->n_backends);
	ruleset_begin(b->rs, SIZE_MAX, SIZE_MAX);
	ruleset_diff(b->rs, print_op, b);
	printf(" }\n");
	ruleset_done(b->rs);
	ruleset_free(b->rs);
}

int
main(int argc, char **argv)
{
	struct bench b = { 0 };

	bench_need(argc == 4, "arguments: eipd|raw|text SERVICES BACKENDS");
	b.n_services = bench_number(argv[2], 100000);
	b.n_backends = bench_number(argv[3], BACKENDS_MAX);
	bench_need(b.n_backends > 1 && b.n_services >= ROUNDS, "size");
	if (strcmp(argv[1], "text") == 0) {
		run_text(&b);
		return 0;
	}
	if (strcmp(argv[1], "raw") == 0)
		run_raw(&b);
	else
		run_eipd(&b);
	printf("%zu\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\n", b.n_elements,
	    (double)b.load_ns / 1e6, (double)b.longest_ns / 1e6,
	    samples_us(&b.add, 50), samples_us(&b.lose, 50),
	    (double)b.read_ns / 1e6);
	samples_fini(&b.add);
	samples_fini(&b.lose);
	return 0;
}
