/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "apply/nft_read.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "apply/nft_rule.h"
#include "base/str.h"

enum {
	TRIES = 5,
	REQUEST_B = 512,
	CHAINS_MAX = 1 << 16, /* of a table that is still ours */
	/* Newer than the headers of Debian 12. */
	SET_COUNT_ATTR = 20,
};

struct request {
	_Alignas(struct nlmsghdr) uint8_t buf[REQUEST_B];
};

static struct nlmsghdr *
request(struct request *req, unsigned int type)
{
	return nftnl_nlmsg_build_hdr((char *)req->buf, (uint16_t)type,
	    NFPROTO_INET, 0, 0);
}

static bool
is_string(const struct nlattr *attr, const char *want)
{
	return attr && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0 &&
	    strcmp(mnl_attr_get_str(attr), want) == 0;
}

static bool
copy_name(const struct nlattr *attr, char out[NFT_NAME_B])
{
	if (!attr || mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0)
		return false;
	/* A longer name than ours is another's, and shows as such. */
	snprintf(out, NFT_NAME_B, "%s", mnl_attr_get_str(attr));
	return true;
}

static uint32_t
get_be32(const struct nlattr *attr)
{
	uint32_t v = 0;

	(void)nl_get(attr, &v, sizeof(v));
	return ntohl(v);
}

static int
on_generation(void *arg, const struct nlmsghdr *h)
{
	const struct nlattr *attrs[NFTA_GEN_MAX + 1];
	uint32_t *out = arg;

	nl_parse(h, sizeof(struct nfgenmsg), attrs, ARRAY_LEN(attrs));
	*out = get_be32(attrs[NFTA_GEN_ID]);
	return 0;
}

int
nft_read_generation(struct nl *nl, uint32_t *out)
{
	struct request req;

	return nl_request(nl, request(&req, NFT_MSG_GETGEN), on_generation,
	    out);
}

/* The text of a comment in a list of (type, length, value); NULL if none. */
static const char *
find_comment(const struct nlattr *attr, uint8_t type)
{
	const uint8_t *p;
	size_t left;

	if (!attr)
		return NULL;
	p = mnl_attr_get_payload(attr);
	left = mnl_attr_get_payload_len(attr);
	while (left >= 2 && p[1] <= left - 2) {
		if (p[0] == type && p[1] > 0 && p[1 + p[1]] == '\0' &&
		    memchr(p + 2, '\0', p[1]) == p + 1 + p[1])
			return (const char *)p + 2;
		left -= 2 + (size_t)p[1];
		p += 2 + p[1];
	}
	return NULL;
}

static int
on_table(void *arg, const struct nlmsghdr *h)
{
	const struct nlattr *attrs[NFTA_TABLE_MAX + 1];
	enum nft_table_state *out = arg;
	const char *comment;

	nl_parse(h, sizeof(struct nfgenmsg), attrs, ARRAY_LEN(attrs));
	comment =
	    find_comment(attrs[NFTA_TABLE_USERDATA], NFTNL_UDATA_TABLE_COMMENT);
	if (!comment || !str_starts_with(comment, NFT_LAYOUT_FAMILY))
		*out = NFT_TABLE_STATE_FOREIGN;
	else if (strcmp(comment, NFT_LAYOUT) != 0 ||
	    (get_be32(attrs[NFTA_TABLE_FLAGS]) & NFT_TABLE_F_DORMANT))
		*out = NFT_TABLE_STATE_OLD;
	else
		*out = NFT_TABLE_STATE_OURS;
	return 0;
}

int
nft_read_table(struct nl *nl, enum nft_table_state *out)
{
	struct request req;
	struct nlmsghdr *h = request(&req, NFT_MSG_GETTABLE);
	int rc;

	mnl_attr_put_strz(h, NFTA_TABLE_NAME, NFT_TABLE);
	rc = nl_request(nl, h, on_table, out);
	if (rc != -ENOENT)
		return rc;
	*out = NFT_TABLE_STATE_ABSENT;
	return 0;
}

static int
on_chain(void *arg, const struct nlmsghdr *h)
{
	const struct nlattr *attrs[NFTA_CHAIN_MAX + 1];
	const struct nlattr *hook[NFTA_HOOK_MAX + 1];
	struct nft_chain_shape chain;
	struct nft_shape *out = arg;

	nl_parse(h, sizeof(struct nfgenmsg), attrs, ARRAY_LEN(attrs));
	if (!is_string(attrs[NFTA_CHAIN_TABLE], NFT_TABLE) ||
	    !copy_name(attrs[NFTA_CHAIN_NAME], chain.name) ||
	    out->chains.n >= CHAINS_MAX)
		return 0;
	nl_parse_nested(attrs[NFTA_CHAIN_HOOK], hook, ARRAY_LEN(hook));
	chain.digest = nft_chain_digest(get_be32(hook[NFTA_HOOK_HOOKNUM]),
	    (int32_t)get_be32(hook[NFTA_HOOK_PRIORITY]),
	    get_be32(attrs[NFTA_CHAIN_POLICY]));
	vec_push(&out->chains, chain);
	return 0;
}

/* 0: it is no rule of ours. */
static uint64_t
find_digest(const struct nlattr *userdata)
{
	uint8_t ours[2 + sizeof(uint64_t)];
	uint64_t digest;

	if (!nl_get(userdata, ours, sizeof(ours)) ||
	    ours[0] != NFT_RULE_DIGEST_TYPE || ours[1] != sizeof(digest))
		return 0;
	memcpy(&digest, ours + 2, sizeof(digest));
	return digest;
}

static int
on_rule(void *arg, const struct nlmsghdr *h)
{
	const struct nlattr *attrs[NFTA_RULE_MAX + 1];
	struct nft_chain_shape *chain;
	struct nft_shape *out = arg;
	char name[NFT_NAME_B];
	uint64_t digest;

	nl_parse(h, sizeof(struct nfgenmsg), attrs, ARRAY_LEN(attrs));
	if (!is_string(attrs[NFTA_RULE_TABLE], NFT_TABLE) ||
	    !copy_name(attrs[NFTA_RULE_CHAIN], name))
		return 0;
	digest = find_digest(attrs[NFTA_RULE_USERDATA]);
	chain = nft_shape_chain(out, name);
	if (chain)
		chain->digest = nft_mix(chain->digest, &digest, sizeof(digest));
	return 0;
}

static int
on_set(void *arg, const struct nlmsghdr *h)
{
	const struct nlattr *attrs[SET_COUNT_ATTR + 1];
	const struct nlattr *desc[NFTA_SET_DESC_MAX + 1];
	struct nft_set_shape set = { .count = -1 };
	struct nft_shape *out = arg;

	nl_parse(h, sizeof(struct nfgenmsg), attrs, ARRAY_LEN(attrs));
	if (!is_string(attrs[NFTA_SET_TABLE], NFT_TABLE) ||
	    !copy_name(attrs[NFTA_SET_NAME], set.name) ||
	    out->sets.n >= CHAINS_MAX)
		return 0;
	nl_parse_nested(attrs[NFTA_SET_DESC], desc, ARRAY_LEN(desc));
	set.key_len = get_be32(attrs[NFTA_SET_KEY_LEN]);
	set.data_len = get_be32(attrs[NFTA_SET_DATA_LEN]);
	set.size = get_be32(desc[NFTA_SET_DESC_SIZE]);
	if (attrs[SET_COUNT_ATTR])
		set.count = get_be32(attrs[SET_COUNT_ATTR]);
	vec_push(&out->sets, set);
	return 0;
}

static int
dump(struct nl *nl, unsigned int type, unsigned int table_attr, nl_fn fn,
    struct nft_shape *out)
{
	struct request req;
	struct nlmsghdr *h = request(&req, type);

	mnl_attr_put_strz(h, (uint16_t)table_attr, NFT_TABLE);
	return nl_dump(nl, h, fn, out);
}

int
nft_read_shape(struct nl *nl, struct nft_shape *out)
{
	int rc = -EINTR;

	for (int i = 0; i < TRIES && rc == -EINTR; i++) {
		vec_clear(&out->chains);
		vec_clear(&out->sets);
		rc =
		    dump(nl, NFT_MSG_GETCHAIN, NFTA_CHAIN_TABLE, on_chain, out);
		if (rc == 0)
			rc = dump(nl, NFT_MSG_GETRULE, NFTA_RULE_TABLE, on_rule,
			    out);
		if (rc == 0)
			rc = dump(nl, NFT_MSG_GETSET, NFTA_SET_TABLE, on_set,
			    out);
	}
	return rc;
}

struct reading {
	const struct ruleset_op *like;
	ruleset_op_fn fn;
	void *arg;
};

static bool
copy_data(const struct nlattr *attr, uint8_t *out, size_t max, uint8_t *out_n)
{
	const struct nlattr *attrs[NFTA_DATA_MAX + 1];
	size_t n;

	nl_parse_nested(attr, attrs, ARRAY_LEN(attrs));
	if (!attrs[NFTA_DATA_VALUE])
		return false;
	n = mnl_attr_get_payload_len(attrs[NFTA_DATA_VALUE]);
	if (n > max)
		return false;
	memcpy(out, mnl_attr_get_payload(attrs[NFTA_DATA_VALUE]), n);
	*out_n = (uint8_t)n;
	return true;
}

/* Of an element that counts: the Service's key, out of the name of its
 * counter; NULL if that is not ours, or of the other kind. */
static const char *
find_counted(const struct nlattr *object, enum ruleset_set set,
    char key[NFT_OBJECT_NAME_B])
{
	unsigned int kind = set == RULESET_SET_ACCT ? RULESET_COUNTER_ACCT
						    : RULESET_COUNTER_CONN;

	if (!object || mnl_attr_validate(object, MNL_TYPE_NUL_STRING) < 0 ||
	    nft_table_parse_counter(mnl_attr_get_str(object), key) != kind)
		return NULL;
	return key;
}

static int
on_elements(void *arg, const struct nlmsghdr *h)
{
	const struct nlattr *attrs[NFTA_SET_ELEM_LIST_MAX + 1];
	const struct reading *reading = arg;
	const struct nlattr *list;
	const struct nlattr *each;

	nl_parse(h, sizeof(struct nfgenmsg), attrs, ARRAY_LEN(attrs));
	list = attrs[NFTA_SET_ELEM_LIST_ELEMENTS];
	if (!list)
		return 0;
	for (each = nl_next_nested(list, NULL); each;
	     each = nl_next_nested(list, each)) {
		const struct nlattr *elem[NFTA_SET_ELEM_MAX + 1];
		struct ruleset_op op = *reading->like;
		char key[NFT_OBJECT_NAME_B];

		nl_parse_nested(each, elem, ARRAY_LEN(elem));
		if (!copy_data(elem[NFTA_SET_ELEM_KEY], op.key, sizeof(op.key),
			&op.key_len))
			continue;
		(void)copy_data(elem[NFTA_SET_ELEM_DATA], op.data,
		    sizeof(op.data), &op.data_len);
		op.comment = find_comment(elem[NFTA_SET_ELEM_USERDATA],
		    NFTNL_UDATA_SET_ELEM_COMMENT);
		if (elem[NFTA_SET_ELEM_OBJREF])
			op.comment = find_counted(elem[NFTA_SET_ELEM_OBJREF],
			    op.set, key);
		reading->fn(reading->arg, &op);
	}
	return 0;
}

static int
on_counter(void *arg, const struct nlmsghdr *h)
{
	const struct reading *reading = arg;
	struct ruleset_op op = *reading->like;
	struct nft_counter counter;

	if (!nft_read_counter(h, &counter))
		return 0;
	op.key_len = 1;
	op.key[0] = (uint8_t)counter.kind;
	op.data_len = sizeof(counter.count);
	memcpy(op.data, &counter.count, sizeof(counter.count));
	op.comment = counter.key;
	reading->fn(reading->arg, &op);
	return 0;
}

static uint64_t
get_be64(const struct nlattr *attr)
{
	uint64_t v = 0;

	(void)nl_get(attr, &v, sizeof(v));
	return be64toh(v);
}

bool
nft_read_counter(const struct nlmsghdr *h, struct nft_counter *out)
{
	const struct nlattr *attrs[NFTA_OBJ_MAX + 1];
	const struct nlattr *data[NFTA_COUNTER_MAX + 1];

	nl_parse(h, sizeof(struct nfgenmsg), attrs, ARRAY_LEN(attrs));
	if (!is_string(attrs[NFTA_OBJ_TABLE], NFT_TABLE) ||
	    get_be32(attrs[NFTA_OBJ_TYPE]) != NFT_OBJECT_COUNTER ||
	    !attrs[NFTA_OBJ_NAME] ||
	    mnl_attr_validate(attrs[NFTA_OBJ_NAME], MNL_TYPE_NUL_STRING) < 0)
		return false;
	out->kind =
	    nft_table_parse_counter(mnl_attr_get_str(attrs[NFTA_OBJ_NAME]),
		out->key);
	if (out->kind == RULESET_COUNTER__COUNT)
		return false;
	nl_parse_nested(attrs[NFTA_OBJ_DATA], data, ARRAY_LEN(data));
	out->count.packets = get_be64(data[NFTA_COUNTER_PACKETS]);
	out->count.bytes = get_be64(data[NFTA_COUNTER_BYTES]);
	return true;
}

int
nft_read_counters_start(struct nl *nl)
{
	struct request req;
	struct nlmsghdr *h = request(&req, NFT_MSG_GETOBJ);

	mnl_attr_put_strz(h, NFTA_OBJ_TABLE, NFT_TABLE);
	mnl_attr_put_u32(h, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
	return nl_dump_start(nl, h);
}

int
nft_read_counters(struct nl *nl, ruleset_op_fn fn, void *arg)
{
	struct ruleset_op like = { .set = RULESET_SET_COUNTER };
	struct reading reading = { .like = &like, .fn = fn, .arg = arg };
	int rc = nft_read_counters_start(nl);

	if (rc < 0)
		return rc;
	do {
		rc = nl_dump_step(nl, on_counter, &reading);
	} while (rc > 0);
	return rc;
}

int
nft_read_elements_start(struct nl *nl, const struct ruleset_op *like)
{
	char name[NFT_NAME_B];
	struct request req;
	struct nlmsghdr *h = request(&req, NFT_MSG_GETSETELEM);

	nft_table_set_name(like->set, like->family, like->class, like->shard,
	    name);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, name);
	return nl_dump_start(nl, h);
}

int
nft_read_elements_step(struct nl *nl, const struct ruleset_op *like,
    ruleset_op_fn fn, void *arg)
{
	struct reading reading = { .like = like, .fn = fn, .arg = arg };

	return nl_dump_step(nl, on_elements, &reading);
}

int
nft_read_elements(struct nl *nl, const struct ruleset_op *like,
    ruleset_op_fn fn, void *arg)
{
	int rc = nft_read_elements_start(nl, like);

	if (rc < 0)
		return rc;
	do {
		rc = nft_read_elements_step(nl, like, fn, arg);
	} while (rc > 0);
	return rc;
}
