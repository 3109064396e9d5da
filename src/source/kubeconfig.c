/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/kubeconfig.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/vec.h"
#include "conf/tree.h"
#include "source/base64.h"

/* A named cluster, user or context and the file that it came from. */
struct entry {
	const char *name;
	const struct tree *body;
	const char *file;
};

struct entries {
	VEC(struct entry) all;
	size_t file_begin; /* where those of the present file begin */
};

struct loader {
	struct arena scratch; /* trees and names, until all is resolved */
	struct entries clusters;
	struct entries users;
	struct entries contexts;
	const char *current_context;
	const char *file; /* being read */
	kubeconfig_read_fn read;
	void *read_arg;
	struct kubeconfig *out;
	struct err *err;
};

/* -- small readers -------------------------------------------------------- */

/* NULL if absent or empty, as kubectl sees it. */
static int
get_text(struct loader *l, const struct tree *map, const char *key,
    const char **out)
{
	const struct tree *t = tree_get(map, key);
	int rc;

	*out = NULL;
	if (!t)
		return 0;
	rc = tree_string(t, out, l->err);
	/* Never quote it: it may be a secret. */
	if (rc < 0)
		return err_at(l->err, rc, t->line, t->column,
		    "%s: %s must be a string, in quotes if it looks like a number",
		    l->file, key);
	if (!**out)
		*out = NULL;
	return 0;
}

static int
get_bool(struct loader *l, const struct tree *map, const char *key, bool *out)
{
	const struct tree *t = tree_get(map, key);

	*out = false;
	if (!t)
		return 0;
	if (tree_bool(t, out, l->err) < 0)
		return err_prefix(l->err, "%s: %s", l->file, key);
	return 0;
}

/* Relative paths are seen from the file that they stand in. */
static const char *
resolve(struct loader *l, const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');

	if (path[0] == '/' || !slash)
		return path;
	return arena_printf(&l->scratch, "%.*s/%s", (int)(slash - file), file,
	    path);
}

/* `what` KEY-data (base64) or KEY (a file); both is an error. */
struct source {
	const char *key;
	const char *data_key;
	const char *what; /* in errors */
};

static int
get_pem(struct loader *l, const struct entry *e, const struct source *s,
    const char **out)
{
	const char *data;
	const char *path;
	char *text = NULL;
	size_t size_b;
	struct err why = { 0 };

	if (get_text(l, e->body, s->data_key, &data) < 0 ||
	    get_text(l, e->body, s->key, &path) < 0)
		return -EINVAL;
	if (data && path)
		return err_set(l->err, -EINVAL,
		    "%s and %s are both specified for %s: remove one of them",
		    s->data_key, s->key, e->name);
	if (data) {
		*out = base64_decode(&l->out->arena, data);
		if (!*out)
			return err_set(l->err, -EINVAL,
			    "%s of \"%s\" is not base64", s->data_key, e->name);
	}
	if (path) {
		path = resolve(l, e->file, path);
		if (l->read(l->read_arg, path, &text, &size_b, &why) < 0)
			return err_set(l->err, why.code,
			    "unable to read %s %s for %s due to %s", s->what,
			    path, e->name, why.text);
		*out = arena_strndup(&l->out->arena, text, size_b);
		free(text);
	}
	if (*out && !strstr(*out, "-----BEGIN "))
		return err_set(l->err, -EINVAL,
		    "failed to find any PEM data in %s of \"%s\"", s->what,
		    e->name);
	return 0;
}

/* -- files ---------------------------------------------------------------- */

static int
add_entries(struct loader *l, struct entries *to, const struct tree *root,
    const char *list_key, const char *body_key)
{
	const struct tree *list = tree_get(root, list_key);

	if (!list)
		return 0;
	if (list->kind != TREE_SEQ)
		return tree_err(list, l->err, "%s must be a list", list_key);
	for (const struct tree *t = list->first; t; t = t->next) {
		struct entry e = { .file = l->file };
		bool is_known = false;

		if (get_text(l, t, "name", &e.name) < 0)
			return -EINVAL;
		if (!e.name)
			return tree_err(t, l->err, "an entry of %s has no name",
			    list_key);
		e.body = tree_get(t, body_key);
		for (size_t i = 0; i < to->all.n; i++) {
			if (strcmp(to->all.v[i].name, e.name) != 0)
				continue;
			if (i >= to->file_begin)
				return tree_err(t, l->err,
				    "duplicate name \"%s\" in list %s", e.name,
				    list_key);
			is_known = true;
		}
		/* The first file that defines a name wins, whole. */
		if (!is_known)
			vec_push(&to->all, e);
	}
	return 0;
}

static int
on_document(void *arg, const struct tree *doc)
{
	struct loader *l = arg;
	const char *current;

	if (doc->kind != TREE_MAP)
		return tree_err(doc, l->err, "no kubeconfig");
	if (get_text(l, doc, "current-context", &current) < 0 ||
	    add_entries(l, &l->clusters, doc, "clusters", "cluster") < 0 ||
	    add_entries(l, &l->users, doc, "users", "user") < 0 ||
	    add_entries(l, &l->contexts, doc, "contexts", "context") < 0)
		return -EINVAL;
	if (!l->current_context)
		l->current_context = current;
	return 0;
}

static int
load_file(struct loader *l, const char *path)
{
	char *text = NULL;
	size_t size_b = 0;
	int rc;

	l->file = path;
	l->clusters.file_begin = l->clusters.all.n;
	l->users.file_begin = l->users.all.n;
	l->contexts.file_begin = l->contexts.all.n;
	rc = l->read(l->read_arg, path, &text, &size_b, l->err);
	if (rc < 0)
		return rc;
	rc = tree_parse_yaml(text, size_b, &l->scratch, on_document, l, l->err);
	free(text);
	if (rc < 0 && l->err->line)
		return err_prefix(l->err,
		    "error loading config file \"%s\": line %u", path,
		    l->err->line);
	if (rc < 0)
		return err_prefix(l->err, "error loading config file \"%s\"",
		    path);
	return 0;
}

static int
load_files(struct loader *l, const char *paths)
{
	char *list = arena_strdup(&l->scratch, paths);
	bool is_list = strchr(paths, ':') != NULL;
	size_t found = 0;
	char *save = NULL;
	char *path;

	for (path = strtok_r(list, ":", &save); path;
	     path = strtok_r(NULL, ":", &save)) {
		int rc = load_file(l, path);

		if (rc == -ENOENT && is_list)
			continue;
		if (rc < 0)
			return rc;
		found++;
	}
	if (!found)
		return err_set(l->err, -ENOENT, "config not found: %s", paths);
	return 0;
}

/* -- the chosen context --------------------------------------------------- */

static const struct entry *
find_entry(const struct entries *list, const char *name)
{
	for (size_t i = 0; i < list->all.n; i++) {
		if (strcmp(list->all.v[i].name, name) == 0)
			return &list->all.v[i];
	}
	return NULL;
}

static int
set_server(struct loader *l, const struct entry *cluster, const char *server)
{
	struct kubeconfig *out = l->out;
	const char *scheme = "";
	size_t n;

	if (!server)
		return err_set(l->err, -EINVAL,
		    "invalid configuration: no server found for cluster \"%s\"",
		    cluster->name);
	if (!strstr(server, "://"))
		scheme = out->ca_pem || out->cert_pem || out->is_insecure
		    ? "https://"
		    : "http://";
	n = strcspn(server, "?#");
	while (n > 0 && server[n - 1] == '/')
		n--;
	out->server =
	    arena_printf(&out->arena, "%s%.*s", scheme, (int)n, server);
	if (!str_starts_with(out->server, "https://") &&
	    !str_starts_with(out->server, "http://"))
		return err_set(l->err, -EINVAL,
		    "cluster \"%s\": server %s: only https and http are supported",
		    cluster->name, out->server);
	return 0;
}

static int
set_proxy(struct loader *l, const struct entry *cluster, const char *proxy)
{
	static const char *const schemes[] = { "http://", "https://",
		"socks5://" };

	if (!proxy)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		if (!str_starts_with(proxy, schemes[i]))
			continue;
		l->out->proxy = arena_strdup(&l->out->arena, proxy);
		return 0;
	}
	return err_set(l->err, -EINVAL,
	    "invalid proxy-url of cluster \"%s\": unsupported scheme, must be http, https, or socks5",
	    cluster->name);
}

static int
resolve_cluster(struct loader *l, const struct entry *e)
{
	static const struct source ca = { "certificate-authority",
		"certificate-authority-data", "certificate-authority" };
	struct kubeconfig *out = l->out;
	const char *proxy;
	const char *name;

	if (get_bool(l, e->body, "insecure-skip-tls-verify",
		&out->is_insecure) < 0 ||
	    get_bool(l, e->body, "disable-compression", &out->no_compression) <
		0 ||
	    get_text(l, e->body, "proxy-url", &proxy) < 0 ||
	    get_text(l, e->body, "tls-server-name", &name) < 0 ||
	    get_pem(l, e, &ca, &out->ca_pem) < 0)
		return -EINVAL;
	if (out->is_insecure && out->ca_pem)
		return err_set(l->err, -EINVAL,
		    "cluster \"%s\": specifying a root certificates file with the insecure flag is not allowed",
		    e->name);
	out->tls_server_name = arena_strdup(&out->arena, name);
	return set_proxy(l, e, proxy);
}

static int
resolve_certificate(struct loader *l, const struct entry *e)
{
	static const struct source cert = { "client-certificate",
		"client-certificate-data", "client-cert" };
	static const struct source key = { "client-key", "client-key-data",
		"client-key" };
	struct kubeconfig *out = l->out;

	if (get_pem(l, e, &cert, &out->cert_pem) < 0)
		return -EINVAL;
	if (!out->cert_pem)
		return 0;
	if (get_pem(l, e, &key, &out->key_pem) < 0)
		return -EINVAL;
	if (!out->key_pem)
		return err_set(l->err, -EINVAL,
		    "client-key-data or client-key must be specified for %s to use the clientCert authentication method",
		    e->name);
	/* The TLS library would ask a terminal for the pass phrase. */
	if (strstr(out->key_pem, "ENCRYPTED"))
		return err_set(l->err, -EINVAL,
		    "the client key of \"%s\" is encrypted: give one without a pass phrase",
		    e->name);
	return 0;
}

/* True if it may stand in a header line. */
static bool
is_header_text(const char *s, bool may_have_blanks)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c > 0x7e || c < (may_have_blanks ? 0x20 : 0x21))
			return false;
	}
	return true;
}

static int
read_token_file(struct loader *l, const struct entry *e, const char *path,
    const char **token)
{
	struct kubeconfig *out = l->out;
	struct err why = { 0 };
	char *text = NULL;
	size_t size_b;
	const char *begin;
	size_t n;

	out->token_file = arena_strdup(&out->arena, resolve(l, e->file, path));
	if (l->read(l->read_arg, out->token_file, &text, &size_b, &why) < 0) {
		if (*token)
			return 0; /* until the first good read */
		return err_set(l->err, why.code,
		    "unable to read tokenFile %s for %s due to %s",
		    out->token_file, e->name, why.text);
	}
	begin = text + strspn(text, " \t\r\n");
	for (n = strlen(begin); n > 0 && isspace((unsigned char)begin[n - 1]);)
		n--;
	*token = arena_strndup(&out->arena, begin, n);
	explicit_bzero(text, size_b);
	free(text);
	if (!n)
		return err_set(l->err, -EINVAL, "read empty token from file %s",
		    out->token_file);
	return 0;
}

static int
resolve_token(struct loader *l, const struct entry *e)
{
	const char *token;
	const char *path;

	if (get_text(l, e->body, "token", &token) < 0 ||
	    get_text(l, e->body, "tokenFile", &path) < 0)
		return -EINVAL;
	token = arena_strdup(&l->out->arena, token);
	if (path && read_token_file(l, e, path, &token) < 0)
		return -EINVAL;
	if (token && !is_header_text(token, false))
		return err_set(l->err, -EINVAL,
		    "the token of \"%s\" has characters that no token has",
		    e->name);
	l->out->token = token;
	return 0;
}

static int
resolve_basic(struct loader *l, const struct entry *e)
{
	struct kubeconfig *out = l->out;
	const char *username;
	const char *password;

	if (get_text(l, e->body, "username", &username) < 0 ||
	    get_text(l, e->body, "password", &password) < 0)
		return -EINVAL;
	if (!username && !password)
		return 0;
	if (out->token)
		return err_set(l->err, -EINVAL,
		    "more than one authentication method found for %s; found [token basicAuth], only one is allowed",
		    e->name);
	out->username = arena_strdup(&out->arena, username ? username : "");
	out->password = arena_strdup(&out->arena, password ? password : "");
	return 0;
}

static int
check_plugins(struct loader *l, const struct entry *e)
{
	const struct kubeconfig *out = l->out;
	const struct tree *provider = tree_get(e->body, "auth-provider");
	const char *name;

	if (provider) {
		if (get_text(l, provider, "name", &name) < 0)
			return -EINVAL;
		return err_set(l->err, -ENOTSUP,
		    "user \"%s\": the auth provider \"%s\" is not supported: use the token of a ServiceAccount (eipctl manifests) or a client certificate",
		    e->name, name ? name : "");
	}
	if (tree_get(e->body, "exec") && !out->token && !out->username &&
	    !out->cert_pem)
		return err_set(l->err, -ENOTSUP,
		    "getting credentials: exec: plugins are not supported (user \"%s\"): use the token of a ServiceAccount (eipctl manifests) or a client certificate",
		    e->name);
	return 0;
}

/* -- impersonation -------------------------------------------------------- */

struct headers {
	VEC(const char *) lines;
};

static int
add_header(struct loader *l, struct headers *h, const char *name,
    const char *value)
{
	if (!is_header_text(value, true))
		return err_set(l->err, -EINVAL,
		    "%s: the value cannot be sent in a header", name);
	vec_push(&h->lines,
	    arena_printf(&l->out->arena, "%s: %s", name, value));
	return 0;
}

static int
add_headers(struct loader *l, struct headers *h, const char *name,
    const struct tree *list)
{
	for (const struct tree *t = list ? list->first : NULL; t; t = t->next) {
		const char *value;

		if (tree_string(t, &value, l->err) < 0 ||
		    add_header(l, h, name, value) < 0)
			return -EINVAL;
	}
	return 0;
}

static int
add_extra(struct loader *l, struct headers *h, const struct tree *extra)
{
	for (const struct tree *t = extra ? extra->first : NULL; t;
	     t = t->next) {
		struct str name = { 0 };
		int rc;

		str_add(&name, "Impersonate-Extra-");
		for (const char *p = t->key ? t->key : ""; *p; p++) {
			if (isalnum((unsigned char)*p) || strchr("-._", *p))
				str_add_n(&name, p, 1);
			else
				str_printf(&name, "%%%02X", (unsigned char)*p);
		}
		rc = add_headers(l, h, name.s, t);
		str_fini(&name);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int
resolve_impersonation(struct loader *l, const struct entry *e)
{
	const struct tree *groups = tree_get(e->body, "as-groups");
	const struct tree *extra = tree_get(e->body, "as-user-extra");
	struct headers h = { 0 };
	const char *as;
	const char *uid;
	int rc = -EINVAL;

	if (get_text(l, e->body, "as", &as) < 0 ||
	    get_text(l, e->body, "as-uid", &uid) < 0)
		return -EINVAL;
	if (!as && (uid || groups || extra))
		return err_set(l->err, -EINVAL,
		    "requesting uid, groups or user-extra for %s without impersonating a user",
		    e->name);
	if (!as)
		return 0;
	if (add_header(l, &h, "Impersonate-User", as) < 0 ||
	    (uid && add_header(l, &h, "Impersonate-Uid", uid) < 0) ||
	    add_headers(l, &h, "Impersonate-Group", groups) < 0 ||
	    add_extra(l, &h, extra) < 0)
		goto out;
	l->out->headers = arena_dup(&l->out->arena, h.lines.v,
	    h.lines.n * sizeof(*h.lines.v));
	l->out->n_headers = h.lines.n;
	rc = 0;
out:
	vec_fini(&h.lines);
	return rc;
}

/* -- all together --------------------------------------------------------- */

static int
resolve_user(struct loader *l, const struct entry *e)
{
	if (resolve_certificate(l, e) < 0 || resolve_token(l, e) < 0 ||
	    resolve_basic(l, e) < 0 || resolve_impersonation(l, e) < 0)
		return -EINVAL;
	return check_plugins(l, e);
}

static int
find_context(struct loader *l, const char *name, const struct entry **out)
{
	if (!name && !l->current_context) {
		if (!l->clusters.all.n && !l->contexts.all.n)
			return err_set(l->err, -EINVAL,
			    "invalid configuration: no configuration has been provided");
		return err_set(l->err, -EINVAL,
		    "the kubeconfig has no current-context: set cluster.context in eipd.conf or run kubectl config use-context");
	}
	*out = find_entry(&l->contexts, name ? name : l->current_context);
	if (*out)
		return 0;
	if (name)
		return err_set(l->err, -EINVAL, "context \"%s\" does not exist",
		    name);
	return err_set(l->err, -EINVAL,
	    "context was not found for specified context: %s",
	    l->current_context);
}

static int
resolve_context(struct loader *l, const char *context_name)
{
	struct kubeconfig *out = l->out;
	const struct entry *context;
	const struct entry *cluster;
	const struct entry *user = NULL;
	const char *cluster_name;
	const char *user_name;
	const char *server;
	const char *ns;

	if (find_context(l, context_name, &context) < 0 ||
	    get_text(l, context->body, "cluster", &cluster_name) < 0 ||
	    get_text(l, context->body, "user", &user_name) < 0 ||
	    get_text(l, context->body, "namespace", &ns) < 0)
		return -EINVAL;
	cluster = find_entry(&l->clusters, cluster_name ? cluster_name : "");
	if (!cluster)
		return err_set(l->err, -EINVAL, "cluster \"%s\" does not exist",
		    cluster_name ? cluster_name : "");
	if (user_name) {
		user = find_entry(&l->users, user_name);
		if (!user)
			return err_set(l->err, -EINVAL,
			    "auth info \"%s\" does not exist", user_name);
	}
	if (resolve_cluster(l, cluster) < 0 ||
	    (user && resolve_user(l, user) < 0) ||
	    get_text(l, cluster->body, "server", &server) < 0)
		return -EINVAL;
	out->context = arena_strdup(&out->arena, context->name);
	out->cluster = arena_strdup(&out->arena, cluster->name);
	out->user = arena_strdup(&out->arena, user_name);
	out->ns = arena_strdup(&out->arena, ns ? ns : "default");
	return set_server(l, cluster, server);
}

int
kubeconfig_load(const char *paths, const char *context, kubeconfig_read_fn read,
    void *arg, struct kubeconfig *out, struct err *err)
{
	struct kubeconfig config = { 0 };
	struct loader l = { .read = read,
		.read_arg = arg,
		.out = &config,
		.err = err };
	int rc;

	rc = load_files(&l, paths);
	if (rc == 0)
		rc = resolve_context(&l, context);
	vec_fini(&l.clusters.all);
	vec_fini(&l.users.all);
	vec_fini(&l.contexts.all);
	arena_fini(&l.scratch);
	if (rc < 0) {
		kubeconfig_fini(&config);
		return err->code;
	}
	*out = config;
	return 0;
}

void
kubeconfig_fini(struct kubeconfig *config)
{
	arena_fini(&config->arena);
	*config = (struct kubeconfig){ 0 };
}

bool
kubeconfig_same_server(const struct kubeconfig *a, const struct kubeconfig *b)
{
	return str_eq(a->server, b->server) &&
	    str_eq(a->tls_server_name, b->tls_server_name) &&
	    str_eq(a->ca_pem, b->ca_pem) && str_eq(a->proxy, b->proxy);
}

uint64_t
kubeconfig_server_id(const struct kubeconfig *config)
{
	struct str text = { 0 };
	uint64_t id;

	str_printf(&text, "%s\n%s\n%s", config->server,
	    config->tls_server_name ? config->tls_server_name : "",
	    config->ca_pem ? config->ca_pem : "");
	id = str_hash(text.s);
	str_fini(&text);
	return id;
}

bool
kubeconfig_same_but_token(const struct kubeconfig *a,
    const struct kubeconfig *b)
{
	if (!kubeconfig_same_server(a, b) ||
	    !str_eq(a->cert_pem, b->cert_pem) ||
	    !str_eq(a->key_pem, b->key_pem) ||
	    !str_eq(a->username, b->username) ||
	    !str_eq(a->password, b->password) ||
	    a->is_insecure != b->is_insecure ||
	    a->no_compression != b->no_compression ||
	    a->n_headers != b->n_headers)
		return false;
	for (size_t i = 0; i < a->n_headers; i++) {
		if (!str_eq(a->headers[i], b->headers[i]))
			return false;
	}
	return true;
}
