/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * replay: runs a fuzz target over files instead of under libFuzzer.
 *
 * Without arguments over its corpus, the folder of $top_srcdir/tests/fuzz/
 * corpus that has the program's name less "fuzz_".  A finding is a crash or a
 * sanitizer's report, as with the fuzzer.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	INPUT_MAX_B = 1 << 20
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_b);

/* The input lies in a block of its own size, so that ASan sees a read beyond
 * its end. */
static int
replay_file(const char *path)
{
	static uint8_t buf[INPUT_MAX_B];
	uint8_t *data;
	FILE *f;
	size_t n;

	f = fopen(path, "rb");
	if (!f) {
		perror(path);
		return 1;
	}
	n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	data = malloc(n ? n : 1);
	if (!data)
		return 1;
	memcpy(data, buf, n);
	LLVMFuzzerTestOneInput(data, n);
	free(data);
	return 0;
}

static int
replay_folder(const char *folder)
{
	struct dirent *de;
	int n = 0;
	int rc = 0;
	DIR *dir;

	dir = chdir(folder) == 0 ? opendir(".") : NULL;
	if (!dir) {
		perror(folder);
		return 1;
	}
	while (!rc && (de = readdir(dir))) {
		if (de->d_name[0] == '.')
			continue;
		rc = replay_file(de->d_name);
		n++;
	}
	closedir(dir);
	printf("%s: %d inputs\n", folder, n);
	return rc || !n;
}

int
main(int argc, char **argv)
{
	const char *top = getenv("top_srcdir");
	const char *name = strrchr(argv[0], '/');
	char folder[4096];
	int rc = 0;

	for (int i = 1; i < argc; i++)
		rc |= replay_file(argv[i]);
	if (argc > 1)
		return rc;

	name = name ? name + 1 : argv[0];
	if (strncmp(name, "fuzz_", 5) == 0)
		name += 5;
	snprintf(folder, sizeof(folder), "%s/tests/fuzz/corpus/%s",
	    top ? top : ".", name);
	return replay_folder(folder);
}
