/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void
reserve(struct str *str, size_t more)
{
	size_t need = str->n + more + 1;

	if (need <= str->cap)
		return;
	str->cap = MAX(need, str->cap * 2);
	str->s = mem_resize(str->s, str->cap, 1);
}

void
str_add_n(struct str *str, const char *s, size_t n)
{
	reserve(str, n);
	if (n)
		memcpy(str->s + str->n, s, n);
	str->n += n;
	str->s[str->n] = '\0';
}

void
str_add(struct str *str, const char *s)
{
	str_add_n(str, s, strlen(s));
}

void
str_printf(struct str *str, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	reserve(str, (size_t)n);
	va_start(ap, fmt);
	vsnprintf(str->s + str->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	str->n += (size_t)n;
}

void
str_clear(struct str *str)
{
	str->n = 0;
	if (str->s)
		str->s[0] = '\0';
}

void
str_fini(struct str *str)
{
	free(str->s);
	*str = (struct str){ 0 };
}

const char *
str_get(const struct str *str)
{
	return str->s ? str->s : "";
}

char *
str_steal(struct str *str)
{
	char *s;

	reserve(str, 0);
	str->s[str->n] = '\0';
	s = str->s;
	*str = (struct str){ 0 };
	return s;
}

int
str_to_u64(const char *s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return -ERANGE;
	}
	if (v > max)
		return -ERANGE;
	*out = v;
	return 0;
}

static const struct {
	const char *name;
	int64_t us;
} units[] = {
	{ "d", INT64_C(86400000000) },
	{ "h", INT64_C(3600000000) },
	{ "m", 60000000 },
	{ "s", 1000000 },
	{ "ms", 1000 },
};

int
str_to_duration(const char *s, int64_t *out_us)
{
	size_t digits = strspn(s, "0123456789");
	char number[20];
	uint64_t v;

	if (digits == 0)
		return -EINVAL;
	if (digits >= sizeof(number))
		return -ERANGE;
	memcpy(number, s, digits);
	number[digits] = '\0';
	if (str_to_u64(number, INT64_MAX, &v) < 0)
		return -ERANGE;
	if (!s[digits] && v == 0) {
		*out_us = 0;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		int64_t us;

		if (strcmp(s + digits, units[i].name) != 0)
			continue;
		if (__builtin_mul_overflow((int64_t)v, units[i].us, &us))
			return -ERANGE;
		*out_us = us;
		return 0;
	}
	return -EINVAL;
}

void
str_duration(int64_t us, char out[24])
{
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (us == 0 || us % units[i].us != 0)
			continue;
		snprintf(out, 24, "%" PRId64 "%s", us / units[i].us,
		    units[i].name);
		return;
	}
	/* No unit is finer: the nearest above, so that it does not read 0. */
	if (us)
		snprintf(out, 24, "%" PRId64 "ms", us / 1000 + (us > 0));
	else
		snprintf(out, 24, "0s");
}

bool
str_eq(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a, b) == 0;
}

bool
str_starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

size_t
str_distance(const char *a, const char *b)
{
	enum {
		LONGEST = 63
	};
	size_t row[LONGEST + 1];
	size_t na = strlen(a);
	size_t nb = strlen(b);

	if (na > LONGEST || nb > LONGEST)
		return MAX(na, nb);
	for (size_t j = 0; j <= nb; j++)
		row[j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t change = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = MIN(MIN(row[j], row[j - 1]) + 1, change);
		}
	}
	return row[nb];
}

const char *
str_nearest(const char *s, const char *const *names, size_t n)
{
	const char *best = NULL;
	size_t best_distance = MAX((strlen(s) + 1) / 3, (size_t)1) + 1;

	for (size_t i = 0; i < n; i++) {
		size_t d = str_distance(s, names[i]);

		if (d < best_distance) {
			best_distance = d;
			best = names[i];
		}
	}
	return best;
}

uint64_t
str_hash(const char *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	return h;
}
