/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel: net/nl.h in front of a model of nf_tables; of the local routing
 * table (kernel_route.c) and of conntrack (kernel_flow.c).
 *
 * Objects are kept as the attributes that made them and given back so; only
 * names and element keys are looked into.  A transaction works on a copy of
 * the table that becomes the table at its end, or not at all.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>

#include "apply/local_route.h"
#include "apply/nft_read.h"
#include "kernel_impl.h"
#include "net/nl.h"
#include "sim.h"

enum {
	KEY_B = 32,
	ANSWER_B = 4096,
	BATCH_MAX_B = 1 << 20,
	SET_COUNT_ATTR = 20,
};

struct nl {
	int bus;
	uint32_t seq;
	_Alignas(struct nlmsghdr) uint8_t dump[ANSWER_B]; /* begun */
	uint32_t after; /* that entry it goes on */
};

/* Attributes as they came; shared by copies of the table. */
struct attrs {
	unsigned int users;
	size_t n;
	uint8_t b[];
};

struct element {
	uint8_t key[KEY_B]; /* padded: all of a set have one length */
	struct attrs *attrs;
};

struct object_row {
	unsigned int type; /* NFT_MSG_NEW* */
	char name[NFT_NAME_B]; /* of a rule: its chain's */
	struct attrs *attrs;
	size_t size; /* of a set */
	VEC(struct element) elements;
};

struct table {
	VEC(struct object_row) rows; /* the table itself is the first */
};

static struct table table;
static uint32_t generation = 1;
static uint64_t transactions;
uint64_t kernel_changes;
static struct {
	int code;
	unsigned int times;
	bool loses_answer;
	unsigned int interrupted; /* dumps */
} fault;

/* ---- the table ---- */

static struct attrs *
attrs_new(const void *p, size_t n)
{
	struct attrs *attrs = mem_alloc(sizeof(*attrs) + n);

	attrs->users = 1;
	attrs->n = n;
	memcpy(attrs->b, p, n);
	return attrs;
}

static void
attrs_unref(struct attrs *attrs)
{
	if (--attrs->users == 0)
		free(attrs);
}

static void
table_fini(struct table *t)
{
	for (size_t i = 0; i < t->rows.n; i++) {
		struct object_row *row = &t->rows.v[i];

		for (size_t j = 0; j < row->elements.n; j++)
			attrs_unref(row->elements.v[j].attrs);
		vec_fini(&row->elements);
		attrs_unref(row->attrs);
	}
	vec_fini(&t->rows);
}

static struct table
table_copy(const struct table *from)
{
	struct table t = { 0 };

	for (size_t i = 0; i < from->rows.n; i++) {
		struct object_row row = from->rows.v[i];

		row.attrs->users++;
		row.elements.v = mem_dup(row.elements.v,
		    row.elements.n * sizeof(*row.elements.v));
		row.elements.cap = row.elements.n;
		for (size_t j = 0; j < row.elements.n; j++)
			row.elements.v[j].attrs->users++;
		vec_push(&t.rows, row);
	}
	return t;
}

static struct object_row *
find_row(struct table *t, unsigned int type, const char *name)
{
	for (size_t i = 0; i < t->rows.n; i++)
		if (t->rows.v[i].type == type &&
		    strcmp(t->rows.v[i].name, name) == 0)
			return &t->rows.v[i];
	return NULL;
}

/* Where it is, or would have to be. */
static size_t
element_place(const struct object_row *set, const struct element *key,
    bool *is_there)
{
	size_t low = 0;
	size_t high = set->elements.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (memcmp(set->elements.v[mid].key, key->key, KEY_B) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*is_there = low < set->elements.n &&
	    memcmp(set->elements.v[low].key, key->key, KEY_B) == 0;
	return low;
}

static int
change_element(struct object_row *set, const struct nlattr *nest, bool is_new)
{
	const struct nlattr *attrs[NFTA_SET_ELEM_MAX + 1];
	const struct nlattr *key[NFTA_DATA_MAX + 1];
	struct element e = { .attrs = NULL };
	bool is_there;
	size_t at;

	nl_parse_nested(nest, attrs, ARRAY_LEN(attrs));
	nl_parse_nested(attrs[NFTA_SET_ELEM_KEY], key, ARRAY_LEN(key));
	if (!key[NFTA_DATA_VALUE])
		return -EINVAL;
	if (mnl_attr_get_payload_len(key[NFTA_DATA_VALUE]) > KEY_B)
		return -EINVAL;
	memcpy(e.key, mnl_attr_get_payload(key[NFTA_DATA_VALUE]),
	    mnl_attr_get_payload_len(key[NFTA_DATA_VALUE]));
	at = element_place(set, &e, &is_there);
	if (!is_new) {
		if (!is_there)
			return -ENOENT;
		attrs_unref(set->elements.v[at].attrs);
		vec_remove(&set->elements, at);
		return 0;
	}
	if (is_there) {
		const struct attrs *old = set->elements.v[at].attrs;

		return old->n == mnl_attr_get_payload_len(nest) &&
			memcmp(old->b, mnl_attr_get_payload(nest), old->n) == 0
		    ? 0
		    : -EBUSY;
	}
	if (set->elements.n >= set->size)
		return -ENFILE;
	e.attrs = attrs_new(mnl_attr_get_payload(nest),
	    mnl_attr_get_payload_len(nest));
	vec_insert(&set->elements, at, e);
	return 0;
}

static int
change_elements(struct table *t, const struct nlmsghdr *h, bool is_new)
{
	const struct nlattr *attrs[NFTA_SET_ELEM_LIST_MAX + 1];
	const struct nlattr *each;
	struct object_row *set;

	nl_parse(h, sizeof(struct nfgenmsg), attrs, ARRAY_LEN(attrs));
	set = find_row(t, NFT_MSG_NEWSET,
	    mnl_attr_get_str(attrs[NFTA_SET_ELEM_LIST_SET]));
	if (!set)
		return -ENOENT;
	for (each = nl_next_nested(attrs[NFTA_SET_ELEM_LIST_ELEMENTS], NULL);
	     each;
	     each = nl_next_nested(attrs[NFTA_SET_ELEM_LIST_ELEMENTS], each)) {
		int rc = change_element(set, each, is_new);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static size_t
set_size(const struct nlattr *desc)
{
	const struct nlattr *attrs[NFTA_SET_DESC_MAX + 1];
	uint32_t size;

	nl_parse_nested(desc, attrs, ARRAY_LEN(attrs));
	return nl_get(attrs[NFTA_SET_DESC_SIZE], &size, sizeof(size))
	    ? ntohl(size)
	    : SIZE_MAX;
}

/* Tables, chains, rules, sets and whatever else has a name. */
static int
make_row(struct table *t, unsigned int type, const struct nlmsghdr *h)
{
	const struct nlattr *attrs[NFTA_SET_MAX + 1];
	struct object_row row = { .type = type };
	struct object_row *old;
	size_t skip = MNL_NLMSG_HDRLEN + sizeof(struct nfgenmsg);
	unsigned int at = type == NFT_MSG_NEWTABLE ? NFTA_TABLE_NAME
	    : type == NFT_MSG_NEWCHAIN		   ? NFTA_CHAIN_NAME
						   : 2;

	if ((type == NFT_MSG_NEWTABLE) != (t->rows.n == 0))
		return t->rows.n ? -EEXIST : -ENOENT;
	nl_parse(h, sizeof(struct nfgenmsg), attrs, ARRAY_LEN(attrs));
	if (!attrs[at])
		return -EINVAL;
	snprintf(row.name, sizeof(row.name), "%s", mnl_attr_get_str(attrs[at]));
	row.attrs = attrs_new((const uint8_t *)h + skip, h->nlmsg_len - skip);
	old = type == NFT_MSG_NEWRULE ? NULL : find_row(t, type, row.name);
	if (type == NFT_MSG_NEWSET)
		row.size = set_size(attrs[NFTA_SET_DESC]);
	if (!old) {
		vec_push(&t->rows, row);
		return 0;
	}
	attrs_unref(old->attrs); /* a set that grows */
	old->attrs = row.attrs;
	old->size = row.size;
	return 0;
}

static int
apply_message(struct table *t, const struct nlmsghdr *h)
{
	unsigned int type = h->nlmsg_type & 0xff;

	switch (type) {
	case NFT_MSG_DELTABLE:
		if (!t->rows.n)
			return -ENOENT;
		table_fini(t);
		return 0;
	case NFT_MSG_NEWSETELEM:
	case NFT_MSG_DELSETELEM:
		return change_elements(t, h, type == NFT_MSG_NEWSETELEM);
	default:
		return make_row(t, type, h);
	}
}

static void
table_changed(void)
{
	if (++generation == 0)
		generation = 1;
	kernel_changes++;
	kernel_flows_follow();
}

static int
transaction(const struct nl_buf *buf, struct nl_refusal *first)
{
	struct table t = table_copy(&table);
	const struct nlmsghdr *h = (const void *)buf->p;
	int left = (int)buf->n;

	transactions++;
	if (fault.times) {
		fault.times--;
		first->code = fault.code;
		check_kernel_refused();
	}
	for (; first->code == 0 && mnl_nlmsg_ok(h, left);
	     h = mnl_nlmsg_next(h, &left)) {
		if (h->nlmsg_type < NLMSG_MIN_TYPE ||
		    h->nlmsg_type == NFNL_MSG_BATCH_BEGIN ||
		    h->nlmsg_type == NFNL_MSG_BATCH_END)
			continue;
		first->code = apply_message(&t, h);
		first->type = h->nlmsg_type;
		first->seq = h->nlmsg_seq;
	}
	if (first->code < 0) {
		table_fini(&t);
		return first->code;
	}
	table_fini(&table);
	table = t;
	table_changed();
	check_transaction();
	if (fault.loses_answer) {
		fault.loses_answer = false;
		first->code = -ENOBUFS;
		first->seq = 0;
	}
	return first->code;
}

/* ---- what the daemon calls ---- */

struct answer {
	_Alignas(struct nlmsghdr) uint8_t buf[ANSWER_B];
};

static struct nlmsghdr *
begin(struct answer *a, unsigned int type)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(a->buf);

	h->nlmsg_type = (uint16_t)type;
	mnl_nlmsg_put_extra_header(h, sizeof(struct nfgenmsg));
	return h;
}

static void
add(struct nlmsghdr *h, const void *p, size_t n)
{
	if (h->nlmsg_len + n > ANSWER_B)
		abort();
	memcpy((uint8_t *)h + h->nlmsg_len, p, n);
	h->nlmsg_len += (uint32_t)n;
}

bool
kernel_find_data(const char *set, const void *key, size_t key_b, void *out,
    size_t out_b)
{
	const struct object_row *row = find_row(&table, NFT_MSG_NEWSET, set);
	const struct nlattr *attrs[NFTA_SET_ELEM_MAX + 1];
	const struct nlattr *data[NFTA_DATA_MAX + 1];
	struct element e = { .attrs = NULL };
	struct answer a;
	struct nlmsghdr *h = begin(&a, NFT_MSG_NEWSETELEM);
	bool is_there = false;
	size_t at;

	memcpy(e.key, key, key_b);
	at = row ? element_place(row, &e, &is_there) : 0;
	if (!is_there)
		return false;
	add(h, row->elements.v[at].attrs->b, row->elements.v[at].attrs->n);
	nl_parse(h, sizeof(struct nfgenmsg), attrs, ARRAY_LEN(attrs));
	nl_parse_nested(attrs[NFTA_SET_ELEM_DATA], data, ARRAY_LEN(data));
	return nl_get(data[NFTA_DATA_VALUE], out, out_b);
}

int
nl_open(int bus, struct nl **out, struct err *err)
{
	(void)err;
	*out = mem_new(struct nl);
	(*out)->bus = bus;
	return 0;
}

void
nl_close(struct nl *nl)
{
	free(nl);
}

uint32_t
nl_next_seq(struct nl *nl)
{
	if (++nl->seq == 0)
		nl->seq = 1;
	return nl->seq;
}

size_t
nl_batch_max_b(const struct nl *nl)
{
	return nl ? BATCH_MAX_B : 0;
}

int
nl_send_batch(struct nl *nl, const struct nl_buf *buf, struct nl_refusal *first,
    void (*fn)(void *arg, uint32_t seq, int code), void *arg)
{
	int rc;

	*first = (struct nl_refusal){ 0 };
	sim_operation("before a netlink batch");
	rc = nl->bus == NETLINK_ROUTE
	    ? kernel_change_routes(buf, first, fn, arg)
	    : transaction(buf, first);
	sim_operation("after a netlink batch");
	return rc;
}

int
nl_request(struct nl *nl, struct nlmsghdr *h, nl_fn fn, void *arg)
{
	struct answer a;
	struct nlmsghdr *out = begin(&a, h->nlmsg_type);
	struct object_row *row;

	(void)nl;
	if (h->nlmsg_type >> 8 == NFNL_SUBSYS_CTNETLINK)
		return kernel_ask_flows(h, fn, arg);
	switch (h->nlmsg_type & 0xff) {
	case NFT_MSG_GETGEN:
		mnl_attr_put_u32(out, NFTA_GEN_ID, htonl(generation));
		return fn(arg, out);
	case NFT_MSG_GETTABLE:
		row = find_row(&table, NFT_MSG_NEWTABLE, NFT_TABLE);
		if (!row)
			return -ENOENT;
		add(out, row->attrs->b, row->attrs->n);
		return fn(arg, out);
	default:
		return -EOPNOTSUPP;
	}
}

static int
dump_rows(unsigned int type, nl_fn fn, void *arg)
{
	for (size_t i = 0; i < table.rows.n; i++) {
		const struct object_row *row = &table.rows.v[i];
		struct answer a;
		struct nlmsghdr *out;
		int rc;

		if (row->type != type)
			continue;
		out = begin(&a, type);
		add(out, row->attrs->b, row->attrs->n);
		if (type == NFT_MSG_NEWSET)
			mnl_attr_put_u32(out, SET_COUNT_ATTR,
			    htonl((uint32_t)row->elements.n));
		rc = fn(arg, out);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int
dump_elements(const struct nlmsghdr *h, nl_fn fn, void *arg)
{
	const struct nlattr *attrs[NFTA_SET_ELEM_LIST_MAX + 1];
	const struct object_row *set;

	nl_parse(h, sizeof(struct nfgenmsg), attrs, ARRAY_LEN(attrs));
	set = find_row(&table, NFT_MSG_NEWSET,
	    mnl_attr_get_str(attrs[NFTA_SET_ELEM_LIST_SET]));
	if (!set)
		return -ENOENT;
	for (size_t i = 0; i < set->elements.n; i++) {
		const struct attrs *element = set->elements.v[i].attrs;
		struct answer a;
		struct nlmsghdr *out = begin(&a, NFT_MSG_NEWSETELEM);
		struct nlattr *list =
		    mnl_attr_nest_start(out, NFTA_SET_ELEM_LIST_ELEMENTS);
		struct nlattr *one = mnl_attr_nest_start(out, NFTA_LIST_ELEM);
		int rc;

		add(out, element->b, element->n);
		mnl_attr_nest_end(out, one);
		mnl_attr_nest_end(out, list);
		rc = fn(arg, out);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int
nl_dump(struct nl *nl, struct nlmsghdr *h, nl_fn fn, void *arg)
{
	if (nl->bus == NETLINK_ROUTE)
		return kernel_dump_routes(h, fn, arg);
	if (fault.interrupted) {
		fault.interrupted--;
		return -EINTR;
	}
	switch (h->nlmsg_type & 0xff) {
	case NFT_MSG_GETCHAIN:
		return dump_rows(NFT_MSG_NEWCHAIN, fn, arg);
	case NFT_MSG_GETRULE:
		return dump_rows(NFT_MSG_NEWRULE, fn, arg);
	case NFT_MSG_GETSET:
		return dump_rows(NFT_MSG_NEWSET, fn, arg);
	case NFT_MSG_GETSETELEM:
		return dump_elements(h, fn, arg);
	default:
		return -EOPNOTSUPP;
	}
}

int
nl_dump_start(struct nl *nl, struct nlmsghdr *h)
{
	memcpy(nl->dump, h, MIN(h->nlmsg_len, sizeof(nl->dump)));
	nl->after = 0;
	return 0;
}

/* There are no counters; elements come all in one step. */
int
nl_dump_step(struct nl *nl, nl_fn fn, void *arg)
{
	struct nlmsghdr *h = (void *)nl->dump;

	if (h->nlmsg_type >> 8 == NFNL_SUBSYS_CTNETLINK)
		return kernel_dump_flows(&nl->after, fn, arg);
	return (h->nlmsg_type & 0xff) == NFT_MSG_GETSETELEM
	    ? nl_dump(nl, h, fn, arg)
	    : 0;
}

/* ---- what the story does ---- */

void
kernel_refuse(int code, unsigned int times)
{
	fault.code = code;
	fault.times = times;
}

void
kernel_lose_answer(void)
{
	fault.loses_answer = true;
}

void
kernel_interrupt(unsigned int times)
{
	fault.interrupted = times;
}

void
kernel_heal(void)
{
	memset(&fault, 0, sizeof(fault));
	kernel_refuse_flows(0, 0);
}

void
kernel_lose_table(void)
{
	table_fini(&table);
	table_changed();
}

void
kernel_lose_element(uint32_t pick)
{
	size_t n = 0;

	for (size_t i = 0; i < table.rows.n; i++)
		n += table.rows.v[i].elements.n;
	pick = n ? pick % (uint32_t)n : 0;
	for (size_t i = 0; n && i < table.rows.n; i++) {
		struct object_row *row = &table.rows.v[i];

		if (pick >= row->elements.n) {
			pick -= (uint32_t)row->elements.n;
			continue;
		}
		attrs_unref(row->elements.v[pick].attrs);
		vec_remove(&row->elements, pick);
		break;
	}
	table_changed();
}

void
kernel_change_other(void)
{
	table_changed();
}

/* ---- what the checks see ---- */

uint64_t
kernel_transactions(void)
{
	return transactions;
}
