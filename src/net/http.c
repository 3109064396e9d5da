/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The multi handle tells which sockets and which timeout it wants; the loop
 * calls it back.  What curl forbids inside its callbacks (starting, removing
 * handles) never happens there: finished transfers are collected afterwards.
 */
#include "net/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/mono.h"
#include "base/str.h"
#include "net/http_endpoint.h"
#include "net/http_error.h"
#include "sys/loop.h"

enum {
	CONNECT_TIMEOUT_MS = 10000,
	USER_TIMEOUT_MS = 30000,
	KEEPALIVE_IDLE_S = 30,
	KEEPALIVE_INTERVAL_S = 10,
	UPLOAD_BUFFER_B = 16 << 10, /* curl takes no less */
	CONNECTIONS_MAX = 64,
	RETRY_AFTER_MAX_S = 3600,
};

struct sock {
	struct http *http;
	struct sock *next;
	struct loop_fd *lfd;
	int fd;
};

struct http {
	struct loop *loop;
	CURLM *multi;
	struct loop_timer *timer;
	struct sock *socks;
	struct sock *dead_socks; /* freed after the callbacks of this turn */
	struct http_request *requests;
	bool is_reaping;
	bool is_closing;
};

struct http_request {
	struct http *http;
	struct http_request *next;
	struct http_endpoint *endpoint;
	struct http_request_conf conf; /* strings inside are not kept */
	CURL *easy;
	struct curl_slist *headers;
	struct curl_slist *connect_to;
	struct str body;
	struct loop_timer *idle_timer;
	mono_t last_rx;
	struct http_response response;
	char content_type[128];
	char error[CURL_ERROR_SIZE];
	bool is_too_big;
	bool is_held;
	bool is_paused; /* by curl, because it is held */
};

static void http_collect(struct http *http);

static void
on_sock(void *arg, unsigned int ready)
{
	struct sock *s = arg;
	struct http *http = s->http;
	int running;
	int flags = 0;

	if (ready & LOOP_READ)
		flags |= CURL_CSELECT_IN;
	if (ready & LOOP_WRITE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(http->multi, s->fd, flags, &running);
	http_collect(http);
}

static void
on_timer(void *arg)
{
	struct http *http = arg;
	int running;

	curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	http_collect(http);
}

static void
socks_free(struct sock *s)
{
	while (s) {
		struct sock *next = s->next;

		loop_fd_free(s->lfd);
		free(s);
		s = next;
	}
}

static void
on_reap(void *arg)
{
	struct http *http = arg;
	struct sock *s = http->dead_socks;

	http->dead_socks = NULL;
	http->is_reaping = false;
	socks_free(s);
	if (http->is_closing)
		free(http);
}

/* The socket may be the one whose event is being handled. */
static void
sock_remove(struct http *http, struct sock *s)
{
	struct sock **at = &http->socks;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	loop_fd_want(s->lfd, 0);
	s->next = http->dead_socks;
	http->dead_socks = s;
	if (http->is_reaping)
		return;
	http->is_reaping = true;
	loop_defer(http->loop, on_reap, http);
}

static int
on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *sockp)
{
	struct http *http = arg;
	struct sock *s = sockp;
	unsigned int want = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (s)
			sock_remove(http, s);
		curl_multi_assign(http->multi, fd, NULL);
		return 0;
	}
	if (!s) {
		s = mem_new(struct sock);
		s->http = http;
		s->fd = fd;
		s->lfd = loop_fd_new(http->loop, fd, on_sock, s);
		s->next = http->socks;
		http->socks = s;
		curl_multi_assign(http->multi, fd, s);
	}
	if (what & CURL_POLL_IN)
		want |= LOOP_READ;
	if (what & CURL_POLL_OUT)
		want |= LOOP_WRITE;
	loop_fd_want(s->lfd, want);
	return 0;
}

static int
on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct http *http = arg;

	(void)multi;
	if (timeout_ms < 0)
		loop_timer_disarm(http->timer);
	else
		loop_timer_arm(http->timer, timeout_ms * MONO_MS);
	return 0;
}

struct http *
http_new(struct loop *loop)
{
	struct http *http = mem_new(struct http);

	http->loop = loop;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	http->multi = curl_multi_init();
	if (!http->multi)
		abort();
	http->timer = loop_timer_new(loop, on_timer, http);
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_PIPELINING,
	    (long)CURLPIPE_NOTHING);
	curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS,
	    (long)CONNECTIONS_MAX);
	return http;
}

static void
request_free(struct http_request *r)
{
	struct http *http = r->http;
	struct http_request **at = &http->requests;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	curl_multi_remove_handle(http->multi, r->easy);
	curl_easy_cleanup(r->easy);
	curl_slist_free_all(r->headers);
	curl_slist_free_all(r->connect_to);
	loop_timer_free(r->idle_timer);
	str_fini(&r->body);
	http_endpoint_unref(r->endpoint);
	free(r);
}

void
http_free(struct http *http)
{
	if (!http)
		return;
	while (http->requests)
		request_free(http->requests);
	curl_multi_cleanup(http->multi);
	curl_global_cleanup();
	loop_timer_free(http->timer);
	socks_free(http->socks);
	http->socks = NULL;
	http->is_closing = true;
	if (!http->is_reaping)
		free(http);
}

/* -- requests ------------------------------------------------------------- */

static int
on_curl_sockopt(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	unsigned int timeout_ms = USER_TIMEOUT_MS;

	(void)arg;
	(void)purpose;
	/* A silent peer is noticed while something is unacknowledged; best
	 * effort, keepalive and the idle timer are there as well. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms,
	    sizeof(timeout_ms));
	return CURL_SOCKOPT_OK;
}

static void
read_response(struct http_request *r)
{
	curl_off_t after_s = 0;
	char *type = NULL;

	curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &r->response.status);
	curl_easy_getinfo(r->easy, CURLINFO_CONTENT_TYPE, &type);
	curl_easy_getinfo(r->easy, CURLINFO_RETRY_AFTER, &after_s);
	r->content_type[0] = '\0';
	if (type)
		strncat(r->content_type, type, sizeof(r->content_type) - 1);
	r->response.content_type = r->content_type;
	r->response.retry_after_us =
	    (int64_t)MIN(MAX(after_s, 0), RETRY_AFTER_MAX_S) * MONO_S;
}

/* curl gives one header line a call; the empty one ends the block.  1xx and
 * a proxy's answer to CONNECT have blocks of their own. */
static size_t
on_curl_header(char *data, size_t size, size_t n, void *arg)
{
	struct http_request *r = arg;
	size_t size_b = size * n;

	r->last_rx = loop_now(r->http->loop);
	if (size_b > 2 || (size_b > 0 && data[0] != '\r' && data[0] != '\n'))
		return size_b;
	read_response(r);
	if (r->response.status < 200)
		return size_b;
	if (r->conf.on_response)
		r->conf.on_response(r->conf.arg, &r->response);
	return size_b;
}

static size_t
on_curl_data(char *data, size_t size, size_t n, void *arg)
{
	struct http_request *r = arg;
	size_t size_b = size * n;

	/* Not the socket is held: curl reads on without its being ready. */
	if (r->is_held) {
		r->is_paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	r->last_rx = loop_now(r->http->loop);
	if (r->conf.is_stream) {
		r->conf.on_data(r->conf.arg, data, size_b);
		return size_b;
	}
	if (size_b > r->conf.body_max_b - r->body.n) {
		r->is_too_big = true;
		return 0;
	}
	str_add_n(&r->body, data, size_b);
	return size_b;
}

static void
request_finish(struct http_request *r, const struct http_result *result)
{
	void (*on_done)(void *, const struct http_result *) = r->conf.on_done;

	on_done(r->conf.arg, result);
	request_free(r);
}

static void
on_idle(void *arg)
{
	struct http_request *r = arg;
	int64_t quiet_us = loop_now(r->http->loop) - r->last_rx;
	struct http_result result = { .is_idle = true, .body = "" };

	if (quiet_us < r->conf.idle_timeout_us) {
		loop_timer_arm(r->idle_timer,
		    r->conf.idle_timeout_us - quiet_us);
		return;
	}
	read_response(r);
	result.response = r->response;
	err_set(&result.err, -ETIMEDOUT,
	    "no answer from the server %s for %lld s", r->endpoint->host,
	    (long long)(r->conf.idle_timeout_us / MONO_S));
	request_finish(r, &result);
}

static void
request_done(struct http_request *r, CURLcode code)
{
	struct http_result result = { .body = str_get(&r->body),
		.body_b = r->body.n };
	struct http_error_info info = { .host = r->endpoint->host,
		.detail = r->error,
		.body_max_b = r->conf.body_max_b,
		.is_too_big = r->is_too_big };
	curl_off_t connect_us = 0;

	read_response(r);
	result.response = r->response;
	if (code != CURLE_OK) {
		curl_easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &info.os_errno);
		curl_easy_getinfo(r->easy, CURLINFO_SSL_VERIFYRESULT,
		    &info.verify_result);
		curl_easy_getinfo(r->easy, CURLINFO_APPCONNECT_TIME_T,
		    &connect_us);
		info.is_connected = connect_us > 0;
		http_error_describe(code, &info, &result.err);
	}
	request_finish(r, &result);
}

static void
http_collect(struct http *http)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(http->multi, &left))) {
		struct http_request *r = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &r);
		request_done(r, msg->data.result);
	}
}

static void
add_header(struct http_request *r, const char *name, const char *value)
{
	struct str line = { 0 };

	if (!value)
		return;
	str_printf(&line, "%s: %s", name, value);
	r->headers = curl_slist_append(r->headers, line.s);
	explicit_bzero(line.s, line.n); /* it may be a token */
	str_fini(&line);
}

static void
set_headers(struct http_request *r, const struct http_request_conf *conf)
{
	const struct http_endpoint *e = r->endpoint;
	struct str bearer = { 0 };

	add_header(r, "Accept", conf->accept);
	add_header(r, "Content-Type", conf->body ? conf->content_type : NULL);
	if (e->connect_to)
		add_header(r, "Host", e->host);
	/* Nothing secret ever goes over plain HTTP. */
	if (e->is_tls && e->token) {
		str_printf(&bearer, "Bearer %s", e->token);
		add_header(r, "Authorization", bearer.s);
		explicit_bzero(bearer.s, bearer.n);
		str_fini(&bearer);
	}
	for (const struct curl_slist *h = e->headers; e->is_tls && h;
	     h = h->next)
		r->headers = curl_slist_append(r->headers, h->data);
	curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers);
}

static void
set_blob(CURL *easy, CURLoption option, char *text)
{
	struct curl_blob blob = { .data = text, .flags = CURL_BLOB_NOCOPY };

	if (!text)
		return;
	blob.len = strlen(text);
	curl_easy_setopt(easy, option, &blob);
}

/* The endpoint outlives the handle, so that nothing needs to be copied. */
static void
set_endpoint(struct http_request *r, const char *path)
{
	const struct http_endpoint *e = r->endpoint;
	struct str url = { 0 };
	CURL *easy = r->easy;

	str_printf(&url, "%s%s", e->base_url, path);
	curl_easy_setopt(easy, CURLOPT_URL, url.s);
	str_fini(&url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https,http");
	curl_easy_setopt(easy, CURLOPT_USERAGENT, e->user_agent);
	if (e->connect_to) {
		r->connect_to = curl_slist_append(NULL, e->connect_to);
		curl_easy_setopt(easy, CURLOPT_CONNECT_TO, r->connect_to);
	}
	if (e->proxy)
		curl_easy_setopt(easy, CURLOPT_PROXY, e->proxy);
	if (!e->is_tls)
		return;
	curl_easy_setopt(easy, CURLOPT_SSLVERSION,
	    (long)CURL_SSLVERSION_TLSv1_2);
	if (e->ca_pem) {
		set_blob(easy, CURLOPT_CAINFO_BLOB, e->ca_pem);
		curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	set_blob(easy, CURLOPT_SSLCERT_BLOB, e->cert_pem);
	set_blob(easy, CURLOPT_SSLKEY_BLOB, e->key_pem);
	if (e->is_insecure) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (e->username) {
		curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		curl_easy_setopt(easy, CURLOPT_USERNAME, e->username);
		curl_easy_setopt(easy, CURLOPT_PASSWORD, e->password);
	}
}

static void
set_request(struct http_request *r, const struct http_request_conf *conf)
{
	CURL *easy = r->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, r);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, r->error);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* Never wait for the resolver's thread: the loop would stall. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
	    (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
	    (long)CONNECT_TIMEOUT_MS);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
	    (long)(conf->timeout_us / MONO_MS));
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_IDLE_S);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL,
	    (long)KEEPALIVE_INTERVAL_S);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_curl_sockopt);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_curl_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, r);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_curl_data);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, r);
	/* Streams not: a compressed watch is a row of gzip members, of which
	 * curl reads the first one only, and a list is unpacked by curl at
	 * once, however long the peer would have to wait for us. */
	if (!conf->is_stream && !r->endpoint->no_compression)
		curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	if (conf->body) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE,
		    (long)strlen(conf->body));
		curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, conf->body);
		/* Each request under way has one: not 64 KiB. */
		curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE,
		    (long)UPLOAD_BUFFER_B);
	}
	if (strcmp(conf->method, "GET") != 0 || conf->body)
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, conf->method);
}

struct http_request *
http_start(struct http *http, struct http_endpoint *endpoint,
    const struct http_request_conf *conf)
{
	struct http_request *r = mem_new(struct http_request);

	r->http = http;
	r->endpoint = endpoint;
	endpoint->refs++;
	r->conf = *conf;
	r->response.content_type = "";
	r->last_rx = loop_now(http->loop);
	r->next = http->requests;
	http->requests = r;
	r->easy = curl_easy_init();
	if (!r->easy)
		abort();
	set_request(r, conf);
	set_endpoint(r, conf->path);
	set_headers(r, conf);
	if (conf->idle_timeout_us) {
		r->idle_timer = loop_timer_new(http->loop, on_idle, r);
		loop_timer_arm(r->idle_timer, conf->idle_timeout_us);
	}
	curl_multi_add_handle(http->multi, r->easy);
	return r;
}

void
http_cancel(struct http_request *request)
{
	if (request)
		request_free(request);
}

void
http_hold(struct http_request *request, bool is_held)
{
	request->is_held = is_held;
	if (is_held || !request->is_paused)
		return;
	request->is_paused = false;
	curl_easy_pause(request->easy, CURLPAUSE_CONT);
}
