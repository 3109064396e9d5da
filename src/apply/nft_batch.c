/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "apply/nft_batch.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "base/mem.h"

enum {
	ELEMENT_MAX_B = 1024,
	/* The list is one attribute: 16 bits of length. */
	LIST_MAX_B = 60000,
};

void *
nft_must(void *made)
{
	if (!made)
		(void)mem_alloc(SIZE_MAX / 2); /* reports, and aborts */
	return made;
}

uint64_t
nft_mix(uint64_t h, const void *data, size_t n)
{
	const uint8_t *p = data;

	while (n > 0) {
		uint64_t word = 0;
		size_t step = MIN(n, sizeof(word));

		memcpy(&word, p, step);
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
		p += step;
		n -= step;
	}
	return h;
}

void
nft_batch_begin(struct nft_batch *batch, struct nl *nl)
{
	struct nlmsghdr *h;

	batch->nl = nl;
	batch->buf.n = 0;
	batch->open_at = 0;
	batch->n_elements = 0;
	h = nftnl_batch_begin(nl_buf_reserve(&batch->buf, NFT_OBJECT_MAX_B),
	    nl_next_seq(nl));
	batch->buf.n += h->nlmsg_len;
}

static void
put_len(struct nft_batch *batch, size_t at, size_t size_b)
{
	uint16_t len = (uint16_t)size_b;

	memcpy(batch->buf.p + at, &len, sizeof(len));
}

static void
close_elements(struct nft_batch *batch)
{
	uint32_t len = (uint32_t)(batch->buf.n - batch->open_at);

	if (batch->open_at == 0)
		return;
	put_len(batch, batch->list_at, batch->buf.n - batch->list_at);
	memcpy(batch->buf.p + batch->open_at, &len, sizeof(len));
	batch->open_at = 0;
}

struct nlmsghdr *
nft_batch_open(struct nft_batch *batch, int type, int flags)
{
	close_elements(batch);
	return nftnl_nlmsg_build_hdr(nl_buf_reserve(&batch->buf,
					 NFT_OBJECT_MAX_B),
	    (uint16_t)type, NFPROTO_INET, (uint16_t)flags,
	    nl_next_seq(batch->nl));
}

void
nft_batch_close(struct nft_batch *batch, const struct nlmsghdr *h)
{
	batch->buf.n += NLMSG_ALIGN(h->nlmsg_len);
}

/* The caller has reserved the room. */
static void
put(struct nft_batch *batch, unsigned int type, const void *data, size_t n)
{
	uint16_t head[2] = { (uint16_t)(n + sizeof(head)), (uint16_t)type };
	uint8_t *p = batch->buf.p + batch->buf.n;

	memcpy(p, head, sizeof(head));
	memcpy(p + sizeof(head), data, n);
	batch->buf.n += sizeof(head) + n;
	while (batch->buf.n % NLMSG_ALIGNTO != 0)
		batch->buf.p[batch->buf.n++] = 0;
}

static size_t
nest(struct nft_batch *batch, unsigned int type)
{
	uint16_t head[2] = { 0, (uint16_t)(type | NLA_F_NESTED) };
	size_t at = batch->buf.n;

	memcpy(batch->buf.p + at, head, sizeof(head));
	batch->buf.n += sizeof(head);
	return at;
}

static void
unnest(struct nft_batch *batch, size_t at)
{
	put_len(batch, at, batch->buf.n - at);
}

static void
open_elements(struct nft_batch *batch, int type, const char *set)
{
	struct nlmsghdr *h = nft_batch_open(batch, type,
	    type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0);
	size_t at = batch->buf.n;

	nft_batch_close(batch, h);
	put(batch, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE, sizeof(NFT_TABLE));
	put(batch, NFTA_SET_ELEM_LIST_SET, set, strlen(set) + 1);
	batch->list_at = nest(batch, NFTA_SET_ELEM_LIST_ELEMENTS);
	batch->open_at = at;
	batch->open_type = (uint16_t)type;
	snprintf(batch->open_set, sizeof(batch->open_set), "%s", set);
}

static void
put_data(struct nft_batch *batch, const struct nft_element *element)
{
	size_t data = nest(batch, NFTA_SET_ELEM_DATA);

	if (element->chain) {
		size_t verdict = nest(batch, NFTA_DATA_VERDICT);
		uint32_t code = htonl((uint32_t)NFT_GOTO);

		put(batch, NFTA_VERDICT_CODE, &code, sizeof(code));
		put(batch, NFTA_VERDICT_CHAIN, element->chain,
		    strlen(element->chain) + 1);
		unnest(batch, verdict);
	} else {
		put(batch, NFTA_DATA_VALUE, element->data, element->data_len);
	}
	unnest(batch, data);
}

static void
put_comment(struct nft_batch *batch, const char *comment)
{
	uint8_t tlv[256];
	size_t n = strlen(comment) + 1;

	if (n + 2 > sizeof(tlv))
		return;
	tlv[0] = NFTNL_UDATA_SET_ELEM_COMMENT;
	tlv[1] = (uint8_t)n;
	memcpy(tlv + 2, comment, n);
	put(batch, NFTA_SET_ELEM_USERDATA, tlv, n + 2);
}

void
nft_batch_element(struct nft_batch *batch, int type,
    const struct nft_element *element)
{
	size_t elem;
	size_t key;

	if (batch->open_at != 0 &&
	    (batch->open_type != type ||
		batch->buf.n - batch->list_at > LIST_MAX_B ||
		strcmp(batch->open_set, element->set) != 0))
		close_elements(batch);
	if (batch->open_at == 0)
		open_elements(batch, type, element->set);
	nl_buf_reserve(&batch->buf, ELEMENT_MAX_B);
	elem = nest(batch, NFTA_LIST_ELEM);
	key = nest(batch, NFTA_SET_ELEM_KEY);
	put(batch, NFTA_DATA_VALUE, element->key, element->key_len);
	unnest(batch, key);
	if (element->data || element->chain)
		put_data(batch, element);
	if (element->object)
		put(batch, NFTA_SET_ELEM_OBJREF, element->object,
		    strlen(element->object) + 1);
	if (element->comment)
		put_comment(batch, element->comment);
	unnest(batch, elem);
	batch->n_elements++;
}

int
nft_batch_commit(struct nft_batch *batch, struct nl_refusal *refusal)
{
	struct nlmsghdr *h;

	close_elements(batch);
	h = nftnl_batch_end(nl_buf_reserve(&batch->buf, NFT_OBJECT_MAX_B),
	    nl_next_seq(batch->nl));
	batch->buf.n += h->nlmsg_len;
	return nl_send_batch(batch->nl, &batch->buf, refusal, NULL, NULL);
}

void
nft_batch_fini(struct nft_batch *batch)
{
	nl_buf_fini(&batch->buf);
}
