/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "ctl/metrics.h"
#include "ctl/request.h"
#include "net/httpd.h"
#include "net/listen.h"
#include "sys/log.h"
#include "sys/loop.h"

#define WRITE_SLICE_US (2 * MONO_MS)
/* The text of many Services is large, and only for who waits for it. */
#define FORGET_US MONO_S

struct listener {
	struct conf_listen at;
	int fd;
};

/* The two servers share nothing: whoever fills the http port's connections
 * does not keep the operator out. */
struct ctl_server {
	struct loop *loop;
	const struct ctl_state *state;
	struct httpd *control;
	struct httpd *http;
	char *socket; /* NULL: not open */
	bool is_elsewhere; /* it is not where it is to be */
	char *group;
	int socket_fd;
	struct stat socket_file; /* as made, to know it again */
	struct listener listeners[CONF_LISTEN_MAX];
	size_t n_listeners;
	size_t n_wanted; /* of them, by the configuration */
	bool openelb_metrics;
	struct ctl_metrics *metrics;
	struct loop_timer *writer; /* of metrics */
	struct loop_timer *forgetter;
	char node_name[256];
};

static void
forget_rest(void *rest)
{
	ctl_rest_free(rest);
}

/* False: in the next turn of the loop. */
static bool
finish(struct ctl_server *server, struct httpd_conn *conn,
    struct ctl_answer *answer)
{
	mono_t end = loop_now(server->loop) + WRITE_SLICE_US;
	struct ctl_rest *rest = answer->rest;

	while (rest->step(rest)) {
		if (loop_now(server->loop) < end)
			continue;
		httpd_wait(conn, rest, forget_rest);
		return false;
	}
	*answer = rest->answer;
	rest->answer.body = (struct str){ 0 };
	ctl_rest_free(rest);
	return true;
}

static void
handle(struct ctl_server *server, struct httpd_conn *conn,
    const struct httpd_request *request, bool is_control)
{
	struct ctl_request req = { .state = server->state,
		.metrics = server->metrics,
		.now = loop_now(server->loop),
		.since = request->since,
		.method = request->method,
		.path = request->path,
		.query = request->query,
		.body = request->body,
		.body_b = request->body_b,
		.is_control = is_control,
		.openelb_metrics = server->openelb_metrics,
		.node_name = server->node_name };
	struct ctl_answer answer = { .rest = request->rest };

	if (!answer.rest)
		ctl_handle(&req, &answer);
	if (answer.rest && !finish(server, conn, &answer))
		return;
	if (answer.is_later) {
		httpd_wait(conn, NULL, NULL);
		loop_timer_arm(server->writer, 0);
		return;
	}
	if (answer.is_stream) {
		if (httpd_reply_stream(conn, answer.content_type))
			return;
		ctl_fail(&answer, 503, "too many readers of %s", req.path);
	}
	httpd_reply(conn, answer.status, answer.content_type, &answer.body,
	    answer.allow);
}

static void
on_control(void *arg, struct httpd_conn *conn,
    const struct httpd_request *request)
{
	handle(arg, conn, request, true);
}

static void
on_http(void *arg, struct httpd_conn *conn, const struct httpd_request *request)
{
	handle(arg, conn, request, false);
}

static void
on_writer(void *arg)
{
	struct ctl_server *server = arg;
	mono_t end = loop_now(server->loop) + WRITE_SLICE_US;

	if (!ctl_metrics_is_writing(server->metrics))
		return;
	while (ctl_metrics_step(server->metrics)) {
		if (loop_now(server->loop) < end)
			continue;
		loop_timer_arm(server->writer, 0);
		return;
	}
	ctl_server_retry(server);
	loop_timer_arm(server->forgetter, FORGET_US);
}

static void
on_forgetter(void *arg)
{
	ctl_metrics_forget(((struct ctl_server *)arg)->metrics);
}

struct ctl_server *
ctl_server_new(struct loop *loop, const struct ctl_state *state)
{
	struct ctl_server *server = mem_new(struct ctl_server);

	server->loop = loop;
	server->state = state;
	server->socket_fd = -1;
	server->metrics = ctl_metrics_new(state);
	server->writer = loop_timer_new(loop, on_writer, server);
	server->forgetter = loop_timer_new(loop, on_forgetter, server);
	server->control = httpd_new(loop, on_control, server);
	server->http = httpd_new(loop, on_http, server);
	httpd_on_error(server->control, ctl_error_body, CTL_JSON);
	httpd_on_error(server->http, ctl_error_body, CTL_JSON);
	if (gethostname(server->node_name, sizeof(server->node_name) - 1) < 0)
		server->node_name[0] = '\0';
	return server;
}

static bool
is_socket_file_ours(const struct ctl_server *server)
{
	struct stat st;

	return lstat(server->socket, &st) == 0 &&
	    st.st_ino == server->socket_file.st_ino &&
	    st.st_dev == server->socket_file.st_dev;
}

static void
close_socket(struct ctl_server *server)
{
	if (!server->socket)
		return;
	httpd_unlisten(server->control, server->socket_fd);
	server->socket_fd = -1;
	if (is_socket_file_ours(server))
		unlink(server->socket);
	free(server->socket);
	free(server->group);
	server->socket = NULL;
	server->group = NULL;
}

/* The old one stays until the new one is there: who asked for it by a reload
 * is not locked out. */
static int
open_socket(struct ctl_server *server, const struct conf *conf, struct err *err)
{
	int fd;
	int rc;

	server->is_elsewhere =
	    server->socket && strcmp(server->socket, conf->socket) != 0;
	if (server->socket && !server->is_elsewhere) {
		if (is_socket_file_ours(server))
			return 0;
		log_warn("control socket: someone removed %s, it is made anew",
		    conf->socket);
		close_socket(server);
	}
	rc = listen_unix(conf->socket, &fd, err);
	if (rc < 0)
		return rc;
	close_socket(server);
	server->is_elsewhere = false;
	server->socket_fd = fd;
	server->socket = mem_strdup(conf->socket);
	if (lstat(server->socket, &server->socket_file) < 0)
		server->socket_file = (struct stat){ 0 };
	httpd_listen(server->control, server->socket_fd);
	log_info("control socket: listening path=%s", conf->socket);
	return 0;
}

static int
give_socket(struct ctl_server *server, const struct conf *conf, struct err *err)
{
	int rc;

	if (str_eq(server->group, conf->socket_group))
		return 0;
	rc = listen_unix_group(conf->socket, conf->socket_group, err);
	if (rc < 0)
		return rc;
	free(server->group);
	server->group = mem_strdup(conf->socket_group);
	return 0;
}

static bool
same_listen(const struct conf_listen *a, const struct conf_listen *b)
{
	return a->port == b->port && addr_eq(&a->addr, &b->addr);
}

static bool
conf_wants(const struct conf *conf, const struct conf_listen *at)
{
	for (size_t i = 0; i < conf->n_http; i++)
		if (same_listen(&conf->http[i], at))
			return true;
	return false;
}

static int
open_listener(struct ctl_server *server, const struct conf_listen *at,
    struct err *err)
{
	struct listener l = { .at = *at };
	char text[ADDR_TEXT_B];
	int rc;

	for (size_t i = 0; i < server->n_listeners; i++)
		if (same_listen(&server->listeners[i].at, at))
			return 0;
	rc = listen_tcp(&at->addr, at->port, &l.fd, err);
	if (rc < 0)
		return rc;
	server->listeners[server->n_listeners++] = l;
	httpd_listen(server->http, l.fd);
	log_info("http: listening address=%s port=%u",
	    addr_text(&at->addr, text), at->port);
	return 0;
}

/* The unwanted ones go first: a new one may need their port. */
static int
open_listeners(struct ctl_server *server, const struct conf *conf,
    struct err *err)
{
	size_t kept = 0;
	int rc = 0;

	for (size_t i = 0; i < server->n_listeners; i++) {
		if (conf_wants(conf, &server->listeners[i].at))
			server->listeners[kept++] = server->listeners[i];
		else
			httpd_unlisten(server->http, server->listeners[i].fd);
	}
	server->n_listeners = kept;
	server->n_wanted = conf->n_http;
	for (size_t i = 0; i < conf->n_http; i++) {
		struct err *first = rc < 0 ? NULL : err;
		int one = open_listener(server, &conf->http[i], first);

		rc = rc < 0 ? rc : one;
	}
	return rc;
}

int
ctl_server_listen(struct ctl_server *server, const struct conf *conf,
    struct err *err)
{
	struct err http_err = { 0 };
	int rc = open_socket(server, conf, err);
	int http_rc = open_listeners(server, conf, &http_err);

	server->openelb_metrics = conf->openelb_metrics;
	if (rc == 0 && http_rc < 0)
		rc = err_set(err, http_rc, "%s", http_err.text);
	if (server->socket && !server->is_elsewhere) {
		struct err group_err = { 0 };
		int group_rc = give_socket(server, conf, &group_err);

		if (rc == 0 && group_rc < 0)
			rc = err_set(err, group_rc, "%s", group_err.text);
	}
	return rc;
}

bool
ctl_server_is_open(const struct ctl_server *server)
{
	return server->socket && !server->is_elsewhere &&
	    is_socket_file_ours(server) &&
	    server->n_listeners == server->n_wanted;
}

void
ctl_server_free(struct ctl_server *server)
{
	if (!server)
		return;
	close_socket(server);
	httpd_free(server->control);
	httpd_free(server->http);
	loop_timer_free(server->writer);
	loop_timer_free(server->forgetter);
	ctl_metrics_free(server->metrics);
	free(server);
}

void
ctl_server_retry(struct ctl_server *server)
{
	httpd_retry(server->control);
	httpd_retry(server->http);
}

void
ctl_server_event(struct ctl_server *server, const char *kind,
    const char *subject, const char *text)
{
	struct str line = { 0 };
	struct jsonw json;

	if (!httpd_has_streams(server->control) &&
	    !httpd_has_streams(server->http))
		return;
	jsonw_begin(&json, &line);
	jsonw_object(&json, NULL);
	jsonw_time(&json, "time", server->state->now(server->state->arg));
	jsonw_str(&json, "kind", kind);
	jsonw_str(&json, "subject", subject);
	jsonw_str(&json, "text", text);
	jsonw_object_end(&json);
	str_add(&line, "\n");
	httpd_broadcast(server->control, line.s, line.n);
	httpd_broadcast(server->http, line.s, line.n);
	str_fini(&line);
}
