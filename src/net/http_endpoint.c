/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/http_endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "net/http.h"

/* The name that is verified goes into the URL; where to connect and what the
 * server is called go beside it. */
static void
endpoint_rename(struct http_endpoint *e, CURLU *u, const char *name)
{
	struct str to = { 0 };
	char *part = NULL;

	str_printf(&to, "::%s", e->host);
	e->connect_to = str_steal(&to);
	curl_url_set(u, CURLUPART_HOST, name, 0);
	if (curl_url_get(u, CURLUPART_URL, &part, 0) == CURLUE_OK) {
		free(e->base_url);
		e->base_url = mem_strdup(part);
	}
	curl_free(part);
}

static int
endpoint_url(struct http_endpoint *e, const struct http_endpoint_conf *conf,
    struct err *err)
{
	CURLU *u = curl_url();
	char *host = NULL;
	char *port = NULL;
	char *scheme = NULL;
	struct str text = { 0 };
	size_t n;
	int rc = -EINVAL;

	if (!u || curl_url_set(u, CURLUPART_URL, conf->url, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) !=
		CURLUE_OK ||
	    (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0)) {
		err_set(err, rc,
		    "\"%.200s\" is no URL of an API server; write it as https://host:port",
		    conf->url);
		goto out;
	}
	str_printf(&text, "%s:%s", host, port);
	e->host = str_steal(&text);
	e->is_tls = strcmp(scheme, "https") == 0;
	e->base_url = mem_strdup(conf->url);
	if (conf->tls_server_name && e->is_tls)
		endpoint_rename(e, u, conf->tls_server_name);
	for (n = strlen(e->base_url); n > 0 && e->base_url[n - 1] == '/'; n--)
		e->base_url[n - 1] = '\0';
	rc = 0;
out:
	curl_free(host);
	curl_free(port);
	curl_free(scheme);
	curl_url_cleanup(u);
	return rc;
}

int
http_endpoint_new(const struct http_endpoint_conf *conf,
    struct http_endpoint **out, struct err *err)
{
	struct http_endpoint *e = mem_new(struct http_endpoint);
	int rc;

	e->refs = 1;
	rc = endpoint_url(e, conf, err);
	if (rc < 0) {
		http_endpoint_unref(e);
		return rc;
	}
	e->is_insecure = conf->is_insecure;
	e->no_compression = conf->no_compression;
	e->user_agent = mem_strdup(conf->user_agent);
	e->ca_pem = mem_strdup(conf->ca_pem);
	e->cert_pem = mem_strdup(conf->cert_pem);
	e->key_pem = mem_strdup(conf->key_pem);
	e->proxy = mem_strdup(conf->proxy);
	e->username = mem_strdup(conf->username);
	e->password = mem_strdup(conf->password);
	for (size_t i = 0; i < conf->n_headers; i++)
		e->headers = curl_slist_append(e->headers, conf->headers[i]);
	*out = e;
	return 0;
}

static void
secret_free(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

void
http_endpoint_unref(struct http_endpoint *e)
{
	if (!e || --e->refs > 0)
		return;
	free(e->base_url);
	free(e->host);
	free(e->connect_to);
	free(e->user_agent);
	free(e->ca_pem);
	free(e->cert_pem);
	secret_free(e->key_pem);
	free(e->proxy);
	free(e->username);
	secret_free(e->password);
	secret_free(e->token);
	curl_slist_free_all(e->headers);
	free(e);
}

void
http_endpoint_set_token(struct http_endpoint *e, const char *token)
{
	char *copy = mem_strdup(token);

	secret_free(e->token);
	e->token = copy;
}
