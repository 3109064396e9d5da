/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench_http SERVER CA-FILE TOKEN-FILE IN-FLIGHT: sends the requests of
 * standard input with libcurl over one HTTP/2 connection, so many at a time.
 *
 * A request is a line: METHOD PATH CONTENT-TYPE BODY, by one blank each; the
 * body goes to the end of the line.  Prints the seconds from the first request
 * to the last answer, and the number of answers; any that is not 2xx ends the
 * program with its text.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "bench.h"

enum {
	IN_FLIGHT_MAX = 256,
	TOKEN_B = 8192
};

struct request {
	char *method;
	char *path;
	char *type;
	char *body;
};

struct slot {
	CURL *easy;
	struct curl_slist *headers;
	struct str answer;
};

struct client {
	const char *server;
	const char *ca_file;
	char authorization[TOKEN_B];
	VEC(struct request) requests;
	size_t next;
	size_t n_done;
	CURLM *multi;
	struct slot slots[IN_FLIGHT_MAX];
};

static size_t
on_answer(char *data, size_t size, size_t n, void *arg)
{
	struct slot *slot = arg;

	str_add_n(&slot->answer, data, size * n);
	return size * n;
}

static void
read_requests(struct client *c)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) > 0) {
		struct request r;
		char *save = NULL;
		char *copy;

		line[n - 1] = '\0';
		copy = mem_strdup(line);
		r.method = strtok_r(copy, " ", &save);
		r.path = strtok_r(NULL, " ", &save);
		r.type = strtok_r(NULL, " ", &save);
		r.body = save;
		bench_need(r.type && *r.body, "request line");
		vec_push(&c->requests, r);
	}
	free(line);
}

static void
set_up(struct client *c, struct slot *slot)
{
	slot->easy = curl_easy_init();
	bench_need(slot->easy, "libcurl");
	curl_easy_setopt(slot->easy, CURLOPT_CAINFO, c->ca_file);
	curl_easy_setopt(slot->easy, CURLOPT_HTTP_VERSION,
	    (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(slot->easy, CURLOPT_PIPEWAIT, 1L);
	curl_easy_setopt(slot->easy, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(slot->easy, CURLOPT_WRITEDATA, slot);
	curl_easy_setopt(slot->easy, CURLOPT_PRIVATE, slot);
}

static void
send_next(struct client *c, struct slot *slot)
{
	const struct request *r;
	char text[256];

	if (c->next == c->requests.n)
		return;
	r = &c->requests.v[c->next++];
	curl_slist_free_all(slot->headers);
	snprintf(text, sizeof(text), "Content-Type: %s", r->type);
	slot->headers = curl_slist_append(NULL, text);
	slot->headers = curl_slist_append(slot->headers, c->authorization);
	snprintf(text, sizeof(text), "%s%s", c->server, r->path);
	str_fini(&slot->answer);
	curl_easy_setopt(slot->easy, CURLOPT_URL, text);
	curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, slot->headers);
	curl_easy_setopt(slot->easy, CURLOPT_CUSTOMREQUEST, r->method);
	curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, r->body);
	curl_multi_add_handle(c->multi, slot->easy);
}

static void
take_answers(struct client *c)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(c->multi, &left))) {
		struct slot *slot;
		long status = 0;

		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &slot);
		curl_easy_getinfo(msg->easy_handle, CURLINFO_RESPONSE_CODE,
		    &status);
		if (status / 100 != 2) {
			fprintf(stderr, "%s %ld %s\n",
			    curl_easy_strerror(msg->data.result), status,
			    str_get(&slot->answer));
			exit(1);
		}
		curl_multi_remove_handle(c->multi, slot->easy);
		c->n_done++;
		send_next(c, slot);
	}
}

static void
read_token(struct client *c, const char *path)
{
	FILE *f = fopen(path, "r");
	char token[TOKEN_B - 64];

	bench_need(f && fgets(token, sizeof(token), f), "token file");
	token[strcspn(token, "\n")] = '\0';
	snprintf(c->authorization, sizeof(c->authorization),
	    "Authorization: Bearer %s", token);
	fclose(f);
}

int
main(int argc, char **argv)
{
	static struct client c;
	unsigned int n;
	int64_t began;
	int running = 1;

	bench_need(argc == 5, "arguments: SERVER CA-FILE TOKEN-FILE IN-FLIGHT");
	c.server = argv[1];
	c.ca_file = argv[2];
	read_token(&c, argv[3]);
	n = bench_number(argv[4], IN_FLIGHT_MAX);
	read_requests(&c);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	c.multi = curl_multi_init();
	began = bench_now_ns();
	for (unsigned int i = 0; i < n; i++) {
		set_up(&c, &c.slots[i]);
		send_next(&c, &c.slots[i]);
	}
	while (c.n_done < c.requests.n) {
		curl_multi_perform(c.multi, &running);
		take_answers(&c);
		curl_multi_poll(c.multi, NULL, 0, 1000, NULL);
	}
	printf("%.3f %zu\n", (double)(bench_now_ns() - began) / 1e9, c.n_done);
	return 0;
}
