/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kubeconfig: where the API server is and as whom to speak to it.
 *
 * Pure: files are read by the caller's function.  Merging, precedence and the
 * words of the errors are kubectl's.  exec plugins are not supported.
 */
#ifndef EIPD_SOURCE_KUBECONFIG_H
#define EIPD_SOURCE_KUBECONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

enum {
	KUBECONFIG_FILE_MAX_B = 1 << 20
};

struct kubeconfig {
	struct arena arena; /* owns all below; strings are NULL if not set */
	const char *context;
	const char *cluster;
	const char *user;
	const char *ns; /* of the context, "default" if none */
	const char *server; /* scheme://host[:port][/prefix] */
	const char *tls_server_name;
	const char *proxy;
	const char *ca_pem;
	const char *cert_pem;
	const char *key_pem;
	const char *token; /* of tokenFile, if there is one */
	const char *token_file;
	const char *username;
	const char *password;
	const char *const *headers; /* impersonation, "Name: value" */
	size_t n_headers;
	bool is_insecure;
	bool no_compression;
};

/* Reads `path` whole into malloc()ed, NUL-terminated memory: -ENOENT if there
 * is no such file, -E2BIG above KUBECONFIG_FILE_MAX_B. */
typedef int (*kubeconfig_read_fn)(void *arg, const char *path, char **text,
    size_t *size_b, struct err *err);

/* `paths` is one path, or a colon list of which some may be missing; `context`
 * NULL: current-context.  On failure `*out` is untouched and `err` says what
 * to change. */
ATTR_NODISCARD int kubeconfig_load(const char *paths, const char *context,
    kubeconfig_read_fn read, void *arg, struct kubeconfig *out,
    struct err *err);
void kubeconfig_fini(struct kubeconfig *config);

/* The same API server, reached in the same way. */
bool kubeconfig_same_server(const struct kubeconfig *a,
    const struct kubeconfig *b);
/* Names it, over restarts. */
uint64_t kubeconfig_server_id(const struct kubeconfig *config);
/* Nothing differs but the token. */
bool kubeconfig_same_but_token(const struct kubeconfig *a,
    const struct kubeconfig *b);

#endif
