/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_driver: the nft applier by hand, for tests.  Reads commands from standard
 * input, answers each with one line.
 *
 *   load | commit | foreign | flush | services | stats | remove
 *   stage KEY [FRONTEND ...]
 *	FRONTEND = ADDRESS,PROTOCOL,PORT,masq|keep[,BACKEND ...]
 *	BACKEND = ADDRESS@PORT[@WEIGHT[@STATE]], STATE a number
 *   bulk N B	N Services of B backends each, staged and committed
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/nft.h"
#include "base/arena.h"
#include "sys/clock.h"

enum {
	FRONTENDS_MAX = 64,
	BACKENDS_MAX = 100
};

static bool
parse_backend(char *word, struct backend *out)
{
	char *save = NULL;
	const char *addr = strtok_r(word, "@", &save);
	const char *port = strtok_r(NULL, "@", &save);
	const char *weight = strtok_r(NULL, "@", &save);
	const char *state = strtok_r(NULL, "@", &save);

	*out = (struct backend){ .node = "", .probe = "" };
	out->port = (uint16_t)atoi(port ? port : "0");
	out->weight = (uint16_t)atoi(weight ? weight : "1");
	out->state = (enum backend_state)atoi(state ? state : "0");
	return addr && addr_parse(addr, &out->addr) == 0;
}

static bool
parse_frontend(struct arena *arena, char *word, struct frontend *out)
{
	struct backend *backends =
	    arena_array(arena, struct backend, BACKENDS_MAX);
	char *save = NULL;
	char *part = strtok_r(word, ",", &save);

	*out = (struct frontend){ .backends = backends };
	if (!part || addr_parse(part, &out->addr) < 0)
		return false;
	part = strtok_r(NULL, ",", &save);
	out->protocol = (uint8_t)atoi(part ? part : "0");
	part = strtok_r(NULL, ",", &save);
	out->port = (uint16_t)atoi(part ? part : "0");
	part = strtok_r(NULL, ",", &save);
	out->is_masqueraded = part && strcmp(part, "masq") == 0;
	while ((part = strtok_r(NULL, ",", &save)) &&
	    out->n_backends < BACKENDS_MAX) {
		if (!parse_backend(part, &backends[out->n_backends++]))
			return false;
	}
	return true;
}

static int
stage(struct nft *nft, char *line, struct err *err)
{
	static struct frontend frontends[FRONTENDS_MAX];
	struct arena arena = { 0 };
	char *save = NULL;
	const char *key = strtok_r(line, " \n", &save);
	char *word;
	size_t n = 0;
	int rc = 0;

	while (n < FRONTENDS_MAX && (word = strtok_r(NULL, " \n", &save))) {
		if (!parse_frontend(&arena, word, &frontends[n++]))
			rc = err_set(err, -1, "bad frontend");
	}
	if (rc == 0)
		rc = nft_stage(nft, key ? key : "", frontends, n, err);
	arena_fini(&arena);
	return rc;
}

static int
stage_number(struct nft *nft, unsigned int i, unsigned int n_backends,
    struct err *err)
{
	static struct backend backends[BACKENDS_MAX];
	struct frontend frontend = { .protocol = 6,
		.port = 80,
		.is_masqueraded = true,
		.backends = backends,
		.n_backends = n_backends };
	uint8_t eip[4] = { 100, (uint8_t)(64 + (i >> 16)), (uint8_t)(i >> 8),
		(uint8_t)i };
	char key[64];

	frontend.addr = addr_from_bytes(FAMILY_IPV4, eip);
	for (unsigned int j = 0; j < n_backends; j++) {
		uint8_t b[4] = { 10, 9, (uint8_t)j, (uint8_t)(i % 250 + 1) };

		backends[j] =
		    (struct backend){ .addr = addr_from_bytes(FAMILY_IPV4, b),
			    .port = (uint16_t)(30000 + i % 2768),
			    .weight = 1,
			    .node = "",
			    .probe = "" };
	}
	snprintf(key, sizeof(key), "prod/namespace-%u/service-%u", i % 50, i);
	return nft_stage(nft, key, &frontend, n_backends ? 1 : 0, err);
}

static int
bulk(struct nft *nft, const char *line, struct err *err)
{
	unsigned int n = 0;
	unsigned int n_backends = 0;
	mono_t begin = clock_mono();
	mono_t staged;
	int rc = 0;

	if (sscanf(line, "%u %u", &n, &n_backends) != 2)
		return err_set(err, -1, "bulk N B");
	for (unsigned int i = 0; i < n && rc == 0; i++)
		rc = stage_number(nft, i, n_backends, err);
	staged = clock_mono();
	if (rc == 0)
		rc = nft_commit(nft, err);
	printf("stage_us=%" PRId64 " commit_us=%" PRId64 " ", staged - begin,
	    clock_mono() - staged);
	return rc;
}

static void
print_service(void *arg, const char *key, const struct frontend *frontends,
    size_t n)
{
	(void)arg;
	printf("%s", key);
	for (size_t i = 0; i < n; i++) {
		char addr[ADDR_TEXT_B];

		printf(" %s,%u,%u,%s", addr_text(&frontends[i].addr, addr),
		    frontends[i].protocol, frontends[i].port,
		    frontends[i].is_masqueraded ? "masq" : "keep");
		for (size_t j = 0; j < frontends[i].n_backends; j++)
			printf(",%s@%u",
			    addr_text(&frontends[i].backends[j].addr, addr),
			    frontends[i].backends[j].port);
	}
	printf("; ");
}

static void
print_stats(const struct nft *nft)
{
	const struct nft_stats *stats = nft_stats(nft);

	printf("commits=%" PRIu64 " operations=%" PRIu64 " errors=%" PRIu64
	       " restored=%" PRIu64 " last_commit_us=%" PRId64 " ",
	    stats->commits, stats->operations, stats->errors, stats->restored,
	    stats->last_commit_us);
}

static int
run(struct nft *nft, char *line, struct err *err)
{
	size_t n = strcspn(line, " \n");
	char *rest = line + n + strspn(line + n, " ");

	if (strncmp(line, "load", n) == 0) {
		mono_t begin = clock_mono();
		int rc = nft_load(nft, err);

		printf("load_us=%" PRId64 " ", clock_mono() - begin);
		return rc;
	}
	if (strncmp(line, "commit", n) == 0)
		return nft_commit(nft, err);
	if (strncmp(line, "remove", n) == 0)
		return nft_remove_all(nft, err);
	if (strncmp(line, "stage", n) == 0)
		return stage(nft, rest, err);
	if (strncmp(line, "bulk", n) == 0)
		return bulk(nft, rest, err);
	if (strncmp(line, "foreign", n) == 0)
		printf("%s ", nft_is_foreign_change(nft) ? "yes" : "no");
	else if (strncmp(line, "verifying", n) == 0)
		printf("%s ", nft_is_verifying(nft) ? "yes" : "no");
	else if (strncmp(line, "flush", n) == 0)
		printf("%s ",
		    nft_flush_flows(nft, 5000, true) ? "more" : "idle");
	else if (strncmp(line, "services", n) == 0)
		nft_each_service(nft, print_service, NULL);
	else if (strncmp(line, "stats", n) == 0)
		print_stats(nft);
	else
		return err_set(err, -1, "unknown command");
	return 0;
}

int
main(void)
{
	static char line[1 << 16];
	struct err err = { 0 };
	struct nft *nft = nft_new();

	while (fgets(line, sizeof(line), stdin)) {
		if (run(nft, line, &err) < 0)
			printf("error %d: %s\n", err.code, err.text);
		else
			printf("ok\n");
		fflush(stdout);
	}
	nft_free(nft);
	return 0;
}
