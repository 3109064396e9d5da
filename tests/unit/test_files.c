/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_files: the objects directory, read once and watched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/str.h"
#include "source/files.h"
#include "sys/log.h"
#include "sys/loop.h"

#define DEADLINE_US (20 * MONO_S)

static char root[64];

/* What a sink was told since it was last asked, and how often it was told of
 * a whole listing. */
struct seen {
	struct str text;
	int open; /* listings begun and not ended */
	int lists;
	struct loop *loop;
};

static void
on_put(void *arg, struct object *o)
{
	struct seen *s = arg;
	const char *base = strrchr(o->origin, '/');

	assert_string_equal(o->cluster, CLUSTER_STATIC);
	str_printf(&s->text, "+%s %s%s%s %s\n", object_kind_name(o->kind),
	    o->ns, *o->ns ? "/" : "", o->name, base ? base + 1 : o->origin);
	object_free(o);
}

static void
on_gone(void *arg, enum object_kind kind, const char *cluster, const char *ns,
    const char *name)
{
	(void)arg;
	(void)kind;
	(void)cluster;
	(void)ns;
	fail_msg("%s is gone by itself", name);
}

static void
on_refused(void *arg, enum object_kind kind, const char *cluster,
    const char *ns, const char *name, const char *where, const struct err *err)
{
	struct seen *s = arg;
	const char *base = strrchr(where, '/');
	size_t n = (size_t)(base + 1 - where);
	const char *text = err->text;
	const char *p;

	(void)cluster;
	str_printf(&s->text, "!%s %s%s%s %s:%u:%u: ", object_kind_name(kind),
	    ns, *ns ? "/" : "", name, base + 1, err->line, err->column);
	/* without the name of the scratch directory */
	while ((p = strstr(text, where)) || (p = strstr(text, root))) {
		size_t skip = strncmp(p, where, n) == 0 ? n : strlen(root) + 1;

		str_add_n(&s->text, text, (size_t)(p - text));
		text = p + skip;
	}
	str_printf(&s->text, "%s\n", text);
}

static void
on_begin(void *arg, enum object_kind kind, const char *cluster)
{
	struct seen *s = arg;

	(void)cluster;
	if (kind == 0)
		s->open = 0;
	s->open++;
}

static void
on_end(void *arg, enum object_kind kind, const char *cluster)
{
	struct seen *s = arg;

	(void)kind;
	(void)cluster;
	if (--s->open > 0)
		return;
	s->lists++;
	if (s->loop)
		loop_stop(s->loop);
}

static struct sink
sink_of(struct seen *s)
{
	return (
	    struct sink){ on_put, on_gone, on_refused, on_begin, on_end, s };
}

static void
write_file(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
remove_file(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	assert_int_equal(unlink(path), 0);
}

#define NODE(name)                                                             \
	"apiVersion: v1\nkind: Node\nmetadata: {name: " name                   \
	"}\nstatus: {addresses: [{type: InternalIP, address: 10.0.0.1}]}\n"

static const char *
read_once(struct seen *seen)
{
	struct sink sink = sink_of(seen);
	struct err err;

	str_clear(&seen->text);
	assert_int_equal(files_read(root, &sink, &err), 0);
	assert_int_equal(seen->open, 0);
	return str_get(&seen->text);
}

static void
test_read(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	write_file("b.yaml", "---\n" NODE("n2") "---\n" NODE("n1"));
	write_file("a.json",
	    "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\n"
	    "\"metadata\":{\"name\":\"x\"}}");
	write_file("c.yml",
	    "apiVersion: v1\nkind: List\nitems:\n- " /* a list of kubectl */
	    "{apiVersion: v1, kind: Namespace, metadata: {name: y}}\n"
	    "- {apiVersion: v1, kind: Namespace, metadata: {name: X}}\n");
	write_file(".hidden.yaml", "nonsense");
	write_file("d.txt", "nonsense");
	assert_string_equal(read_once(&seen),
	    "+Namespace x a.json:1:1\n"
	    "+Node n2 b.yaml:2:1\n"
	    "+Node n1 b.yaml:7:1\n"
	    "+Namespace y c.yml:4:3\n"
	    "!Namespace X c.yml:5:54: metadata.name: expected lower-case "
	    "letters, digits, \"-\" and \".\", at most 63, found \"X\"\n");
	assert_int_equal(seen.lists, 1);
	str_fini(&seen.text);
}

static void
test_duplicates_and_syntax(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	write_file("a.yaml", NODE("n1") "---\na: [\n---\n" NODE("n2"));
	write_file("b.yaml", NODE("n1"));
	assert_string_equal(read_once(&seen),
	    "+Node n1 a.yaml:1:1\n"
	    "!object  a.yaml:7:1: did not find expected node content, while "
	    "parsing a flow node\n"
	    "+Node n2 a.yaml:8:1\n"
	    "!Node n1 b.yaml:1:1: Node n1 is already given at a.yaml:1:1, "
	    "which stays; remove one of them\n");
	str_fini(&seen.text);
}

static void
test_no_directory(void **state)
{
	struct seen seen = { 0 };
	struct sink sink = sink_of(&seen);
	struct err err;

	(void)state;
	assert_int_equal(files_read("/nonexistent", &sink, &err), -ENOENT);
	assert_string_equal(err.text,
	    "No such file or directory; create it or set objects: to another directory");
	assert_int_equal(files_read_cluster("/nonexistent", "k", &sink, &err),
	    -ENOENT);
	assert_string_equal(err.text,
	    "No such file or directory; name another with --cluster");
	assert_int_equal(seen.open + seen.lists, 0);
}

static void
test_odd_files(void **state)
{
	struct seen seen = { 0 };
	char path[256];

	(void)state;
	snprintf(path, sizeof(path), "%s/fifo.yaml", root);
	assert_int_equal(mkfifo(path, 0600), 0);
	snprintf(path, sizeof(path), "%s/dangling.yaml", root);
	assert_int_equal(symlink("nowhere", path), 0);
	write_file("empty.yaml", "");
	assert_string_equal(read_once(&seen),
	    "!object  dangling.yaml:0:0: cannot be read: No such file or directory\n"
	    "!object  fifo.yaml:0:0: cannot be read: no regular file\n");
	str_fini(&seen.text);
}

static void
on_deadline(void *arg)
{
	loop_stop(arg);
}

/* Runs the loop until another listing has ended. */
static const char *
next_reading(struct seen *seen)
{
	struct loop_timer *timer =
	    loop_timer_new(seen->loop, on_deadline, seen->loop);
	int before = seen->lists;

	str_clear(&seen->text);
	loop_timer_arm(timer, DEADLINE_US);
	loop_run(seen->loop);
	loop_timer_free(timer);
	assert_int_equal(seen->lists, before + 1);
	return str_get(&seen->text);
}

static void
test_watch(void **state)
{
	struct seen seen = { .loop = loop_new() };
	struct sink sink = sink_of(&seen);
	char from[256];
	char to[256];
	struct files *f;

	(void)state;
	write_file("a.yaml", NODE("n1"));
	f = files_new(seen.loop, root, &sink);
	assert_int_equal(seen.lists, 1);
	assert_string_equal(str_get(&seen.text), "+Node n1 a.yaml:1:1\n");
	assert_string_equal(files_problem(f), "");

	/* in place; broken, so that the last good one stays */
	write_file("a.yaml", "[");
	assert_string_equal(next_reading(&seen),
	    "!object  a.yaml:2:1: did not find expected node content, while parsing a flow node\n"
	    "!Node n1 a.yaml:0:0: the file has errors; the last good version stays in force\n");
	write_file("a.yaml", NODE("n1") "spec: [\n");
	assert_string_equal(next_reading(&seen),
	    "!Node n1 a.yaml:6:1: did not find expected node content, while parsing a flow node\n");

	/* renamed over, as editors do */
	write_file("tmp", NODE("n2"));
	snprintf(from, sizeof(from), "%s/tmp", root);
	snprintf(to, sizeof(to), "%s/a.yaml", root);
	assert_int_equal(rename(from, to), 0);
	assert_string_equal(next_reading(&seen), "+Node n2 a.yaml:1:1\n");

	remove_file("a.yaml");
	assert_string_equal(next_reading(&seen), "");
	files_reload(f);
	assert_string_equal(next_reading(&seen), "");
	files_free(f);
	loop_free(seen.loop);
	str_fini(&seen.text);
}

static void
test_watch_links(void **state)
{
	struct seen seen = { .loop = loop_new() };
	struct sink sink = sink_of(&seen);
	char path[256];
	struct files *f;

	(void)state;
	write_file("target", NODE("n1"));
	snprintf(path, sizeof(path), "%s/objects", root);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/objects/a.yaml", root);
	assert_int_equal(symlink("../target", path), 0);
	snprintf(path, sizeof(path), "%s/objects", root);
	f = files_new(seen.loop, path, &sink);
	assert_string_equal(str_get(&seen.text), "+Node n1 a.yaml:1:1\n");
	write_file("target", NODE("n2"));
	assert_string_equal(next_reading(&seen), "+Node n2 a.yaml:1:1\n");
	files_free(f);
	loop_free(seen.loop);
	str_fini(&seen.text);
}

/* Absent, made, replaced by another one. */
static void
test_watch_directory(void **state)
{
	struct seen seen = { .loop = loop_new() };
	struct sink sink = sink_of(&seen);
	char dir[128];
	char other[128];
	char old[128];
	struct files *f;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/objects", root);
	snprintf(other, sizeof(other), "%s/other", root);
	snprintf(old, sizeof(old), "%s/old", root);
	assert_int_equal(mkdir(other, 0700), 0);
	write_file("other/a.yaml", NODE("n1"));
	f = files_new(seen.loop, dir, &sink);
	assert_int_equal(seen.lists + seen.open, 0);
	assert_non_null(strstr(files_problem(f), "No such file"));
	assert_int_equal(rename(other, dir), 0);
	assert_string_equal(next_reading(&seen), "+Node n1 a.yaml:1:1\n");
	assert_string_equal(files_problem(f), "");

	assert_int_equal(mkdir(other, 0700), 0);
	write_file("other/a.yaml", NODE("n2"));
	assert_int_equal(rename(dir, old), 0);
	assert_int_equal(rename(other, dir), 0);
	assert_string_equal(next_reading(&seen), "+Node n2 a.yaml:1:1\n");
	files_free(f);
	loop_free(seen.loop);
	str_fini(&seen.text);
}

static char *
read_text(const char *path)
{
	FILE *f = fopen(path, "r");
	struct str out = { 0 };
	char buf[4096];
	size_t n;

	assert_non_null(f);
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		str_add_n(&out, buf, n);
	fclose(f);
	return str_steal(&out);
}

static const char *
source_path(const char *name, char out[512])
{
	const char *dir = getenv("srcdir");

	snprintf(out, 512, "%s/%s", dir && *dir ? dir : ".", name);
	return out;
}

/* Every wrong line of the manifests in tests/golden/errors/. */
static void
test_golden_errors(void **state)
{
	struct seen seen = { 0 };
	struct sink sink = sink_of(&seen);
	char dir[512];
	char path[512];
	struct err err;
	char *want;

	(void)state;
	source_path("tests/golden/errors", dir);
	assert_int_equal(files_read(dir, &sink, &err), 0);
	source_path("tests/golden/errors/objects.want", path);
	if (getenv("GOLDEN_UPDATE")) {
		FILE *f = fopen(path, "w");

		assert_non_null(f);
		fputs(str_get(&seen.text), f);
		fclose(f);
	}
	want = read_text(path);
	assert_string_equal(str_get(&seen.text), want);
	free(want);
	str_fini(&seen.text);
}

static void
test_examples(void **state)
{
	struct seen seen = { 0 };
	struct sink sink = sink_of(&seen);
	char dir[512];
	struct err err;

	(void)state;
	assert_int_equal(files_read(source_path("etc/examples", dir), &sink,
			     &err),
	    0);
	assert_string_equal(str_get(&seen.text),
	    "+BgpConf default bgp.yaml:3:1\n"
	    "+BgpPeer router bgp.yaml:11:1\n"
	    "+Eip public eip.yaml:3:1\n"
	    "+Eip public-v6 eip.yaml:12:1\n"
	    "+Node n1 nodes.yaml:2:1\n"
	    "+Node n2 nodes.yaml:13:1\n"
	    "+Node n3 nodes.yaml:24:1\n"
	    "+Service default/web services.yaml:3:1\n"
	    "+Service default/dns services.yaml:18:1\n");
	str_fini(&seen.text);
}

static int
make_root(void **state)
{
	(void)state;
	strcpy(root, "/tmp/eipd-test-files-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int
remove_root(void **state)
{
	(void)state;
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#define SCRATCH_TEST(fn)                                                       \
	cmocka_unit_test_setup_teardown(fn, make_root, remove_root)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_read),
		SCRATCH_TEST(test_duplicates_and_syntax),
		SCRATCH_TEST(test_no_directory),
		SCRATCH_TEST(test_odd_files),
		SCRATCH_TEST(test_watch),
		SCRATCH_TEST(test_watch_links),
		SCRATCH_TEST(test_watch_directory),
		SCRATCH_TEST(test_golden_errors),
		SCRATCH_TEST(test_examples),
	};

	log_init(LOG_LEVEL_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
