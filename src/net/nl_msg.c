/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nl_msg: buffers and attributes of netlink messages; no socket.
 */
#include "net/nl.h"

#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include "base/mem.h"

void *
nl_buf_reserve(struct nl_buf *buf, size_t want_b)
{
	if (buf->n + want_b > buf->cap_b) {
		buf->cap_b = (buf->n + want_b) * 2;
		buf->p = mem_resize(buf->p, buf->cap_b, 1);
	}
	return buf->p + buf->n;
}

void
nl_buf_fini(struct nl_buf *buf)
{
	free(buf->p);
	*buf = (struct nl_buf){ 0 };
}

static void
parse(const uint8_t *p, size_t size_b, const struct nlattr **out, size_t n)
{
	memset(out, 0, n * sizeof(*out));
	while (size_b >= sizeof(struct nlattr)) {
		const struct nlattr *attr =
		    (const struct nlattr *)(const void *)p;
		size_t step = MNL_ALIGN(attr->nla_len);

		if (attr->nla_len < sizeof(*attr) || attr->nla_len > size_b)
			return;
		if (mnl_attr_get_type(attr) < n)
			out[mnl_attr_get_type(attr)] = attr;
		if (step >= size_b)
			return;
		p += step;
		size_b -= step;
	}
}

void
nl_parse(const struct nlmsghdr *h, size_t header_b, const struct nlattr **out,
    size_t n)
{
	size_t skip = MNL_NLMSG_HDRLEN + MNL_ALIGN(header_b);

	if (h->nlmsg_len < skip)
		parse(NULL, 0, out, n);
	else
		parse((const uint8_t *)h + skip, h->nlmsg_len - skip, out, n);
}

void
nl_parse_nested(const struct nlattr *attr, const struct nlattr **out, size_t n)
{
	if (attr)
		parse(mnl_attr_get_payload(attr),
		    mnl_attr_get_payload_len(attr), out, n);
	else
		parse(NULL, 0, out, n);
}

const struct nlattr *
nl_next_nested(const struct nlattr *attr, const struct nlattr *prev)
{
	const uint8_t *begin = mnl_attr_get_payload(attr);
	const struct nlattr *next = (const struct nlattr *)(const void *)begin;
	size_t left = mnl_attr_get_payload_len(attr);

	if (prev) {
		size_t at = (size_t)((const uint8_t *)prev - begin) +
		    MNL_ALIGN(prev->nla_len);

		if (at >= left)
			return NULL;
		next = (const struct nlattr *)(const void *)(begin + at);
		left -= at;
	}
	if (left < sizeof(*next) || next->nla_len < sizeof(*next) ||
	    next->nla_len > left)
		return NULL;
	return next;
}

bool
nl_get(const struct nlattr *attr, void *out, size_t size_b)
{
	if (!attr || mnl_attr_get_payload_len(attr) < size_b)
		return false;
	memcpy(out, mnl_attr_get_payload(attr), size_b);
	return true;
}
