/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "apply/nft_foreign.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "net/nl.h"

enum {
	TRIES = 5,
	REQUEST_B = 64,
};

static const char *
family_word(uint8_t family)
{
	switch (family) {
	case NFPROTO_INET:
		return "inet";
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	default:
		return NULL; /* bridges and devices forward no packets of ours */
	}
}

static bool
is_number(const struct nlattr *attr, uint32_t want)
{
	uint32_t value;

	return nl_get(attr, &value, sizeof(value)) && ntohl(value) == want;
}

static int
on_chain(void *arg, const struct nlmsghdr *h)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(h);
	const struct nlattr *attrs[NFTA_CHAIN_MAX + 1];
	const struct nlattr *hook[NFTA_HOOK_MAX + 1];
	struct str *out = arg;

	nl_parse(h, sizeof(*nfg), attrs, ARRAY_LEN(attrs));
	nl_parse_nested(attrs[NFTA_CHAIN_HOOK], hook, ARRAY_LEN(hook));
	if (!family_word(nfg->nfgen_family) ||
	    !is_number(hook[NFTA_HOOK_HOOKNUM], NF_INET_FORWARD) ||
	    !is_number(attrs[NFTA_CHAIN_POLICY], NF_DROP) ||
	    !attrs[NFTA_CHAIN_TABLE] ||
	    mnl_attr_validate(attrs[NFTA_CHAIN_TABLE], MNL_TYPE_NUL_STRING) ||
	    !attrs[NFTA_CHAIN_NAME] ||
	    mnl_attr_validate(attrs[NFTA_CHAIN_NAME], MNL_TYPE_NUL_STRING))
		return 0;
	str_printf(out, "%s%s %s %s", out->n ? ", " : "",
	    family_word(nfg->nfgen_family),
	    mnl_attr_get_str(attrs[NFTA_CHAIN_TABLE]),
	    mnl_attr_get_str(attrs[NFTA_CHAIN_NAME]));
	return 0;
}

int
nft_foreign_drops(struct str *out, struct err *err)
{
	struct nl *nl;
	int rc = nl_open(NETLINK_NETFILTER, &nl, err);

	if (rc < 0)
		return rc;
	rc = -EINTR;
	for (int i = 0; i < TRIES && rc == -EINTR; i++) {
		_Alignas(struct nlmsghdr) uint8_t buf[REQUEST_B];

		str_clear(out);
		rc = nl_dump(nl,
		    nftnl_nlmsg_build_hdr((char *)buf, NFT_MSG_GETCHAIN,
			NFPROTO_UNSPEC, 0, 0),
		    on_chain, out);
	}
	nl_close(nl);
	if (rc < 0)
		return err_set(err, rc, "nf_tables does not answer: %s",
		    strerror(-rc));
	return 0;
}
