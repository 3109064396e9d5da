/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/http_error.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

static void
describe_connect(const struct http_error_info *i, struct err *err)
{
	if (i->os_errno == ECONNREFUSED) {
		err_set(err, -ECONNREFUSED,
		    "the connection to the server %s was refused - did you specify the right host or port?",
		    i->host);
		return;
	}
	err_set(err, -ENETUNREACH,
	    "unable to connect to the server %s: %s; check the network and the kubeconfig's server",
	    i->host, i->os_errno ? strerror((int)i->os_errno) : i->detail);
}

static void
describe_verify(const struct http_error_info *i, struct err *err)
{
	/* curl itself compares the name, and has no number for it. */
	if (strstr(i->detail, "subject name")) {
		err_set(err, -EKEYREJECTED,
		    "unable to connect to the server %s: x509: certificate is valid for other names, not for this one (%s); set tls-server-name in the kubeconfig or use a name of the certificate",
		    i->host, i->detail);
		return;
	}
	switch (i->verify_result) {
	case 9:
	case 10:
		err_set(err, -EKEYEXPIRED,
		    "unable to connect to the server %s: x509: certificate has expired or is not yet valid; check the clocks, renew the server's certificate",
		    i->host);
		return;
	default:
		err_set(err, -EKEYREJECTED,
		    "unable to connect to the server %s: x509: certificate signed by unknown authority; put the cluster's CA into certificate-authority-data of the kubeconfig",
		    i->host);
		return;
	}
}

static void
describe_timeout(const struct http_error_info *i, struct err *err)
{
	if (i->is_connected)
		err_set(err, -ETIMEDOUT,
		    "no complete answer from the server %s in time", i->host);
	else
		err_set(err, -ETIMEDOUT,
		    "unable to connect to the server: dial tcp %s: i/o timeout; check the network and the kubeconfig's server",
		    i->host);
}

static void
describe_tls(const struct http_error_info *i, struct err *err)
{
	if (strstr(i->detail, "wrong version number"))
		err_set(err, -EPROTO,
		    "unable to connect to the server %s: it gave an HTTP response to an HTTPS client; write http:// in the kubeconfig's server or use its TLS port",
		    i->host);
	else
		err_set(err, -EPROTO,
		    "unable to connect to the server %s: TLS handshake: %s",
		    i->host, i->detail);
}

/* Texts without a cause of their own: host, then curl's words. */
static const struct {
	int code;
	int error;
	const char *text;
} plain[] = {
	{ CURLE_COULDNT_RESOLVE_PROXY, -ENOENT,
	    "the proxy's name cannot be resolved; check proxy-url in the kubeconfig" },
	{ CURLE_SSL_CERTPROBLEM, -EINVAL,
	    "the client certificate or its key cannot be used; check client-certificate and client-key in the kubeconfig" },
	{ CURLE_SSL_CACERT_BADFILE, -EINVAL,
	    "the certificate authority cannot be used; check certificate-authority in the kubeconfig" },
	{ CURLE_GOT_NOTHING, -ECONNRESET,
	    "the server closed the connection without an answer" },
	{ CURLE_RECV_ERROR, -ECONNRESET, "the connection was lost" },
	{ CURLE_SEND_ERROR, -ECONNRESET, "the connection was lost" },
	{ CURLE_PARTIAL_FILE, -ECONNRESET,
	    "the connection was lost within an answer" },
	{ CURLE_WEIRD_SERVER_REPLY, -EPROTO, "that is no HTTP server" },
	{ CURLE_UNSUPPORTED_PROTOCOL, -EPROTO, "that is no HTTP server" },
};

void
http_error_describe(int code, const struct http_error_info *i, struct err *err)
{
	if (i->is_too_big) {
		err_set(err, -E2BIG,
		    "the answer of the server %s is larger than %zu octets",
		    i->host, i->body_max_b);
		return;
	}
	if (code == CURLE_COULDNT_CONNECT) {
		describe_connect(i, err);
		return;
	}
	if (code == CURLE_COULDNT_RESOLVE_HOST) {
		err_set(err, -ENOENT,
		    "unable to connect to the server: dial tcp: lookup %s: no such host; check the kubeconfig's server and DNS",
		    i->host);
		return;
	}
	if (code == CURLE_PEER_FAILED_VERIFICATION) {
		describe_verify(i, err);
		return;
	}
	if (code == CURLE_OPERATION_TIMEDOUT) {
		describe_timeout(i, err);
		return;
	}
	if (code == CURLE_SSL_CONNECT_ERROR) {
		describe_tls(i, err);
		return;
	}
	for (size_t n = 0; n < ARRAY_LEN(plain); n++) {
		if (plain[n].code != code)
			continue;
		err_set(err, plain[n].error, "server %s: %s (%s)", i->host,
		    plain[n].text, i->detail);
		return;
	}
	err_set(err, -EIO, "server %s: %s", i->host,
	    *i->detail ? i->detail : curl_easy_strerror((CURLcode)code));
}
