/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
	CONNECT_TIMEOUT_S = 5,
	TIMEOUT_S = 60
};

static size_t
on_data(char *data, size_t size_b, size_t n, void *arg)
{
	struct str *body = arg;
	size_t total_b = size_b * n;

	if (body->n + total_b > CLIENT_ANSWER_MAX_B)
		return 0; /* curl gives up */
	str_add_n(body, data, total_b);
	return total_b;
}

void
client_add_param(struct str *path, const char *name, const char *value)
{
	str_printf(path, "%s%s=", strchr(str_get(path), '?') ? "&" : "?", name);
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') || strchr("-._~", c))
			str_printf(path, "%c", c);
		else
			str_printf(path, "%%%02X", c);
	}
}

static int
unreachable(const struct client_request *request, CURLcode code, CURL *curl,
    struct err *err)
{
	const char *hint = "is eipd running?";
	const char *reason = curl_easy_strerror(code);
	long os_errno = 0;

	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_errno);
	if (code == CURLE_COULDNT_CONNECT) {
		/* curl does not say which one it was for a unix socket. */
		if (access(request->socket, R_OK | W_OK) < 0)
			os_errno = errno;
		if (os_errno)
			reason = strerror((int)os_errno);
		if (os_errno == EACCES || os_errno == EPERM)
			hint = "be root or a member of the socket's group";
	} else if (code == CURLE_OPERATION_TIMEDOUT) {
		hint = "eipd does not answer in time";
	} else if (code == CURLE_COULDNT_RESOLVE_HOST) {
		reason = "the path is too long";
		hint = "that of a socket has at most 107 octets";
	} else if (code == CURLE_WRITE_ERROR) {
		reason = "the answer is too large";
		hint = "ask for less";
	}
	return err_set(err, -ENOTCONN, "cannot reach eipd at %s: %s; %s",
	    request->socket, reason, hint);
}

static CURLcode
perform(CURL *curl, const struct client_request *request, const char *url,
    struct str *body)
{
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, request->socket);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT,
	    request->timeout_s ? (long)request->timeout_s : (long)TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
	if (request->body) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE,
		    (long)strlen(request->body));
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
	}
	return curl_easy_perform(curl);
}

int
client_ask(const struct client_request *request, struct str *body,
    struct err *err)
{
	struct curl_slist *headers = NULL;
	struct str url = { 0 };
	CURLcode code;
	long status = 0;
	CURL *curl;
	int rc;

	curl = curl_easy_init();
	if (!curl)
		return err_set(err, -ENOTCONN, "curl cannot be used");
	str_printf(&url, "http://localhost%s", request->path);
	headers = curl_slist_append(NULL, "Content-Type: application/json");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	code = perform(curl, request, str_get(&url), body);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	rc = code == CURLE_OK ? (int)status
			      : unreachable(request, code, curl, err);
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	str_fini(&url);
	return rc;
}
