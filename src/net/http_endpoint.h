/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * http_endpoint: the inside of an endpoint, for net/http alone; made and
 * changed through net/http.h.
 */
#ifndef EIPD_NET_HTTP_ENDPOINT_H
#define EIPD_NET_HTTP_ENDPOINT_H

#include <curl/curl.h>
#include <stdbool.h>

struct http_endpoint {
	unsigned int refs;
	bool is_tls;
	bool is_insecure;
	bool no_compression;
	char *base_url; /* what curl connects to by name */
	char *host; /* "host:port", for messages and the Host header */
	char *connect_to; /* NULL: as base_url says */
	char *user_agent;
	char *ca_pem;
	char *cert_pem;
	char *key_pem;
	char *proxy;
	char *username;
	char *password;
	char *token;
	struct curl_slist *headers;
};

#endif
