/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shell around kube_watch: one stream per resource, fed in slices so that
 * a long list never holds up the loop, and a kubeconfig that is read again
 * every minute, at a 401 and when told to.
 */
#include "source/kube.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "net/http.h"
#include "source/kube_unary.h"
#include "source/kube_watch.h"
#include "source/kubeconfig.h"
#include "sys/clock.h"
#include "sys/denied.h"
#include "sys/log.h"
#include "sys/loop.h"

/* Of decoding in one callback. */
#define SLICE_US (5 * MONO_MS)
#define CONFIG_US (60 * MONO_S)
#define CONFIG_AWAITED_US (5 * MONO_S)
#define CONFIG_MIN_US (1 * MONO_S)
/* Two missed bookmarks. */
#define WATCH_IDLE_US (150 * MONO_S)
/* The server ends a watch itself before that: timeoutSeconds <= 600. */
#define WATCH_MAX_US (630 * MONO_S)
#define LIST_IDLE_US (65 * MONO_S)

enum {
	/* Octets that wait to be decoded.  A list's server may be made to
	 * wait, a slow reader of a watch is thrown out. */
	LIST_BACKLOG_B = 256 << 10,
	WATCH_BACKLOG_B = 16 << 20,
	KEEP_BUFFER_B = 512 << 10,
};

struct stream {
	struct kube *kube;
	struct kube_watch watch;
	struct http_request *request; /* NULL: none open */
	struct loop_timer *timer;
	struct str buf; /* octets to be decoded, from `off` on */
	size_t off;
	bool is_ended; /* and then `end` */
	bool is_idle;
	struct err end;
	char shown[480]; /* the problem as last logged */
	bool was_synced;
};

struct kube {
	struct loop *loop;
	struct http *http;
	struct kube_unary *unary;
	struct http_endpoint *endpoint; /* NULL: no kubeconfig yet */
	char *name;
	char *path;
	char *context;
	char *user_agent;
	struct sink sink;
	void (*on_change)(void *arg);
	void *arg;
	struct kubeconfig config;
	struct err config_err;
	mono_t config_read;
	struct loop_timer *config_timer;
	struct loop_timer *work_timer;
	size_t turn; /* the stream that is served next */
	bool is_answering; /* a stream was given its 200 just now */
	struct stream streams[OBJECT__COUNT];
	bool is_connected;
	bool is_synced;
	mono_t stale_since;
	char message[600];
};

static void stream_apply(struct stream *s, const struct kube_watch_todo *todo);

/* -- status --------------------------------------------------------------- */

static void
show_stream(struct stream *s)
{
	const struct kube_watch *w = &s->watch;
	const char *name = s->kube->name;

	if (w->is_synced && !s->was_synced)
		log_info("kube %s: %s synced%s", name,
		    kube_watch_resource(w->kind),
		    w->is_absent ? ", not installed" : "");
	s->was_synced = w->is_synced;
	if (strcmp(s->shown, w->problem) == 0)
		return;
	if (*w->problem)
		log_warn("kube %s: %s", name, w->problem);
	snprintf(s->shown, sizeof(s->shown), "%s", w->problem);
}

static void
summarise(const struct kube *k, bool *is_connected, bool *is_synced,
    char message[600])
{
	*is_connected = k->endpoint != NULL;
	*is_synced = k->endpoint != NULL;
	message[0] = '\0';
	if (k->config_err.code)
		snprintf(message, 600, "%s%s", k->config_err.text,
		    k->endpoint ? " (the last good kubeconfig stays in use)"
				: "");
	for (size_t i = 0; i < OBJECT__COUNT; i++) {
		const struct kube_watch *w = &k->streams[i].watch;

		*is_connected &= w->is_connected;
		*is_synced &= w->is_synced;
		if (!message[0])
			snprintf(message, 600, "%s", w->problem);
	}
}

static void
refresh(struct kube *k)
{
	bool is_connected;
	bool is_synced;
	char message[600];

	for (size_t i = 0; i < OBJECT__COUNT; i++)
		show_stream(&k->streams[i]);
	summarise(k, &is_connected, &is_synced, message);
	if (is_connected == k->is_connected && is_synced == k->is_synced &&
	    strcmp(message, k->message) == 0)
		return;
	if (is_connected && !k->is_connected) {
		log_notice("kube %s: connected to %s", k->name,
		    k->config.server);
		k->stale_since = 0;
	} else if (!is_connected && k->is_connected) {
		log_notice("kube %s: connection lost, the last state stays: %s",
		    k->name, message);
		k->stale_since = loop_now(k->loop);
	}
	if (is_synced && !k->is_synced)
		log_notice("kube %s: first sync done", k->name);
	k->is_connected = is_connected;
	k->is_synced = is_synced;
	snprintf(k->message, sizeof(k->message), "%s", message);
	k->on_change(k->arg);
}

void
kube_get_status(const struct kube *k, struct kube_status *out)
{
	*out = (struct kube_status){ .name = k->name,
		.is_connected = k->is_connected,
		.is_synced = k->is_synced,
		.stale_since = k->stale_since,
		.message = k->message,
		.server = k->endpoint ? kubeconfig_server_id(&k->config) : 0 };
	for (size_t i = 0; i < OBJECT__COUNT; i++) {
		const struct kube_watch *w = &k->streams[i].watch;

		out->watches[i] = (struct kube_watch_status){
			.kind = w->kind,
			.is_synced = w->is_synced,
			.is_connected = w->is_connected,
			.last_event = w->last_event,
			.events = w->events,
			.restarts = w->restarts,
			.problem = w->problem,
		};
		out->last_event = MAX(out->last_event, w->last_event);
	}
}

/* -- streams -------------------------------------------------------------- */

static size_t
backlog(const struct stream *s)
{
	return s->buf.n - s->off;
}

static void
hold_if_behind(struct stream *s)
{
	size_t limit_b =
	    kube_watch_is_list(&s->watch) ? LIST_BACKLOG_B : WATCH_BACKLOG_B;

	if (s->request)
		http_hold(s->request, backlog(s) > limit_b);
}

static void
on_stream_response(void *arg, const struct http_response *response)
{
	struct stream *s = arg;

	kube_watch_on_response(&s->watch, response->status,
	    response->retry_after_us, loop_now(s->kube->loop));
	s->kube->is_answering |= response->status == 200;
	loop_timer_arm(s->kube->work_timer, 0);
}

static void
on_stream_data(void *arg, const char *data, size_t size_b)
{
	struct stream *s = arg;

	if (s->off > s->buf.n / 2) {
		memmove(s->buf.s, s->buf.s + s->off, backlog(s));
		s->buf.n -= s->off;
		s->off = 0;
	}
	str_add_n(&s->buf, data, size_b);
	hold_if_behind(s);
	loop_timer_arm(s->kube->work_timer, 0);
}

static void
on_stream_done(void *arg, const struct http_result *result)
{
	struct stream *s = arg;

	s->request = NULL;
	s->is_ended = true;
	s->is_idle = result->is_idle;
	s->end = result->err;
	loop_timer_arm(s->kube->work_timer, 0);
}

static void
stream_clear(struct stream *s)
{
	s->off = 0;
	s->is_ended = false;
	if (s->buf.cap > KEEP_BUFFER_B)
		str_fini(&s->buf);
	else
		str_clear(&s->buf);
}

static void
stream_close(struct stream *s)
{
	http_cancel(s->request);
	s->request = NULL;
	stream_clear(s);
}

static void
stream_open(struct stream *s)
{
	struct kube *k = s->kube;
	bool is_list = kube_watch_is_list(&s->watch);
	struct http_request_conf conf = {
		.method = "GET",
		.path = kube_watch_path(&s->watch),
		.accept =
		    "application/json;drop=metadata.managedFields, application/json",
		.timeout_us = is_list ? 0 : WATCH_MAX_US,
		.idle_timeout_us = is_list ? LIST_IDLE_US : WATCH_IDLE_US,
		.is_stream = true,
		.on_response = on_stream_response,
		.on_data = on_stream_data,
		.on_done = on_stream_done,
		.arg = s,
	};

	s->request = http_start(k->http, k->endpoint, &conf);
}

static void
kick_waiting(struct kube *k, bool is_anyhow)
{
	for (size_t i = 0; i < OBJECT__COUNT; i++) {
		struct stream *s = &k->streams[i];
		struct kube_watch_todo todo = { 0 };

		kube_watch_kick(&s->watch, is_anyhow, loop_now(k->loop), &todo);
		stream_apply(s, &todo);
	}
}

static void
stream_apply(struct stream *s, const struct kube_watch_todo *todo)
{
	struct kube *k = s->kube;
	mono_t since = loop_now(k->loop) - k->config_read;

	if (todo->stop)
		stream_close(s);
	if (todo->want_credentials)
		loop_timer_arm(k->config_timer,
		    since < CONFIG_MIN_US ? CONFIG_MIN_US - since : 0);
	if (todo->start || todo->arm_us)
		loop_timer_disarm(s->timer);
	if (todo->start)
		stream_open(s);
	if (todo->arm_us)
		loop_timer_arm(s->timer, todo->arm_us);
}

static void
on_stream_timer(void *arg)
{
	struct stream *s = arg;
	struct kube_watch_todo todo = { 0 };

	kube_watch_on_timer(&s->watch, loop_now(s->kube->loop), &todo);
	stream_apply(s, &todo);
}

static void
stream_end(struct stream *s, mono_t now)
{
	struct kube_watch_todo todo = { 0 };

	stream_clear(s);
	kube_watch_on_end(&s->watch, &s->end, s->is_idle, now, &todo);
	stream_apply(s, &todo);
}

/* Until the deadline or the end of what is there; true if more is left. */
static bool
stream_work(struct stream *s, mono_t deadline)
{
	mono_t now = loop_now(s->kube->loop);

	while (backlog(s) && now < deadline) {
		struct kube_watch_todo todo = { 0 };

		s->off += kube_watch_on_data(&s->watch, s->buf.s + s->off,
		    backlog(s), now, &todo);
		stream_apply(s, &todo);
		now = loop_now(s->kube->loop);
	}
	hold_if_behind(s);
	if (backlog(s))
		return true;
	if (s->is_ended)
		stream_end(s, now);
	else
		stream_clear(s);
	return false;
}

static void
on_work(void *arg)
{
	struct kube *k = arg;
	mono_t deadline = loop_now(k->loop) + SLICE_US;
	bool is_more = false;

	for (size_t i = 0; i < OBJECT__COUNT; i++) {
		struct stream *s = &k->streams[k->turn];

		k->turn = (k->turn + 1) % OBJECT__COUNT;
		is_more |= stream_work(s, deadline);
	}
	if (is_more)
		loop_timer_arm(k->work_timer, 0);
	if (k->is_answering)
		kick_waiting(k, false);
	k->is_answering = false;
	refresh(k);
}

/* -- kubeconfig ----------------------------------------------------------- */

/* Regular files only, and never waiting: the path comes from a file too. */
static int
read_file(void *arg, const char *path, char **text, size_t *size_b,
    struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char *buf = NULL;
	ssize_t n;
	int rc;

	(void)arg;
	if (fd < 0) {
		rc = -errno;
		return err_set(err, rc, "open %s: %s%s", path, strerror(-rc),
		    denied_reading(rc, path));
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		rc = err_set(err, -EINVAL, "%s is no regular file", path);
		goto out;
	}
	buf = mem_alloc(KUBECONFIG_FILE_MAX_B + 1);
	n = read(fd, buf, KUBECONFIG_FILE_MAX_B + 1);
	if (n < 0) {
		rc = err_set(err, -errno, "read %s: %s", path, strerror(errno));
	} else if (n > KUBECONFIG_FILE_MAX_B) {
		rc = err_set(err, -E2BIG, "%s is larger than 1 MiB", path);
	} else {
		buf[n] = '\0';
		*text = buf;
		*size_b = (size_t)n;
		buf = NULL;
		rc = 0;
	}
out:
	free(buf);
	close(fd);
	return rc;
}

static int
make_endpoint(const struct kube *k, const struct kubeconfig *c,
    struct http_endpoint **out, struct err *err)
{
	struct http_endpoint_conf conf = {
		.url = c->server,
		.user_agent = k->user_agent,
		.ca_pem = c->ca_pem,
		.cert_pem = c->cert_pem,
		.key_pem = c->key_pem,
		.tls_server_name = c->tls_server_name,
		.proxy = c->proxy,
		.username = c->username,
		.password = c->password,
		.headers = c->headers,
		.n_headers = c->n_headers,
		.is_insecure = c->is_insecure,
		.no_compression = c->no_compression,
	};
	int rc = http_endpoint_new(&conf, out, err);

	if (rc == 0)
		http_endpoint_set_token(*out, c->token);
	return rc;
}

static void
begin_all(struct kube *k, bool is_new_server)
{
	for (size_t i = 0; i < OBJECT__COUNT; i++) {
		struct stream *s = &k->streams[i];
		struct kube_watch_todo todo = { 0 };

		kube_watch_begin(&s->watch, is_new_server, loop_now(k->loop),
		    &todo);
		stream_apply(s, &todo);
	}
}

/* Takes `config`. */
static int
adopt(struct kube *k, struct kubeconfig *config, struct err *err)
{
	struct http_endpoint *old = k->endpoint;
	struct http_endpoint *endpoint = NULL;
	bool is_new_token = false;
	bool is_new_server;

	if (old && kubeconfig_same_but_token(&k->config, config)) {
		if (!str_eq(k->config.token, config->token)) {
			log_info("kube %s: new token", k->name);
			http_endpoint_set_token(old, config->token);
			is_new_token = true;
		}
		kubeconfig_fini(&k->config);
		k->config = *config;
		if (is_new_token)
			kick_waiting(k, false);
		return 0;
	}
	if (make_endpoint(k, config, &endpoint, err) < 0) {
		kubeconfig_fini(config);
		return err->code;
	}
	is_new_server = !old || !kubeconfig_same_server(&k->config, config);
	log_info("kube %s: context %s server %s user %s", k->name,
	    config->context, config->server,
	    config->user ? config->user : "none");
	k->endpoint = endpoint;
	kube_unary_set_endpoint(k->unary, endpoint, NULL);
	http_endpoint_unref(old);
	kubeconfig_fini(&k->config);
	k->config = *config;
	begin_all(k, is_new_server);
	return 0;
}

/* What is wrong is not always one file's: the list is named then. */
static void
name_config(const char *path, struct err *err)
{
	if (!strstr(err->text, path))
		err_prefix(err, "kubeconfig %s", path);
}

static void
read_config(struct kube *k)
{
	struct kubeconfig config = { 0 };
	struct err err = { 0 };
	int rc;

	k->config_read = loop_now(k->loop);
	rc = kubeconfig_load(k->path, k->context, read_file, NULL, &config,
	    &err);
	if (rc == 0)
		rc = adopt(k, &config, &err);
	if (rc < 0)
		name_config(k->path, &err);
	if (rc < 0 && strcmp(err.text, k->config_err.text) != 0)
		log_err("kube %s: %s", k->name, err.text);
	if (rc == 0)
		err = (struct err){ 0 };
	k->config_err = err;
	if (!k->endpoint)
		kube_unary_set_endpoint(k->unary, NULL, &err);
	refresh(k);
	/* What cannot connect may be waiting for just this file. */
	loop_timer_arm(k->config_timer,
	    k->is_connected ? CONFIG_US : CONFIG_AWAITED_US);
}

static void
on_config_timer(void *arg)
{
	read_config(arg);
}

static void
on_unauthorized(void *arg)
{
	struct kube *k = arg;

	if (loop_now(k->loop) - k->config_read >= CONFIG_MIN_US)
		read_config(k);
}

uint64_t
kube_server(const struct kube_conf *conf, struct err *err)
{
	struct kubeconfig config = { 0 };
	uint64_t id;

	if (kubeconfig_load(conf->kubeconfig, conf->context, read_file, NULL,
		&config, err) < 0) {
		name_config(conf->kubeconfig, err);
		return 0;
	}
	id = kubeconfig_server_id(&config);
	kubeconfig_fini(&config);
	return id;
}

/* -- life ----------------------------------------------------------------- */

struct kube *
kube_new(struct loop *loop, const struct kube_conf *conf,
    const struct sink *sink, void (*on_change)(void *arg), void *arg)
{
	struct kube *k = mem_new(struct kube);

	k->loop = loop;
	k->name = mem_strdup(conf->name);
	k->path = mem_strdup(conf->kubeconfig);
	k->context = mem_strdup(conf->context);
	k->user_agent =
	    mem_strdup(conf->user_agent ? conf->user_agent : "eipd");
	k->sink = *sink;
	k->on_change = on_change;
	k->arg = arg;
	k->stale_since = loop_now(loop);
	k->http = http_new(loop);
	k->unary = kube_unary_new(loop, k->http, on_unauthorized, k);
	k->config_timer = loop_timer_new(loop, on_config_timer, k);
	k->work_timer = loop_timer_new(loop, on_work, k);
	for (size_t i = 0; i < OBJECT__COUNT; i++) {
		struct stream *s = &k->streams[i];

		s->kube = k;
		s->timer = loop_timer_new(loop, on_stream_timer, s);
		kube_watch_init(&s->watch, (enum object_kind)i, k->name,
		    &k->sink, clock_random());
		s->watch.was_present = conf->was_present[i];
	}
	/* From the loop: the caller does not have the result yet. */
	loop_timer_arm(k->config_timer, 0);
	return k;
}

void
kube_free(struct kube *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < OBJECT__COUNT; i++) {
		struct stream *s = &k->streams[i];

		http_cancel(s->request);
		loop_timer_free(s->timer);
		str_fini(&s->buf);
		kube_watch_fini(&s->watch);
	}
	kube_unary_free(k->unary);
	http_free(k->http);
	http_endpoint_unref(k->endpoint);
	kubeconfig_fini(&k->config);
	loop_timer_free(k->config_timer);
	loop_timer_free(k->work_timer);
	free(k->name);
	free(k->path);
	free(k->context);
	free(k->user_agent);
	free(k);
}

void
kube_reload(struct kube *k)
{
	read_config(k);
	kick_waiting(k, true);
}

void
kube_request(struct kube *k, const char *method, const char *path,
    const char *content_type, const char *body,
    void (*fn)(void *arg, const struct kube_reply *reply), void *arg)
{
	struct kube_unary_call call = { .method = method,
		.path = path,
		.content_type = content_type,
		.body = body,
		.fn = fn,
		.arg = arg };

	kube_unary_call(k->unary, &call);
}
