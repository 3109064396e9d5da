/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * migrations: the files of sql/ as the build compiles them in.
 *
 * The C file is made by scripts/gen-sql.sh.
 */
#ifndef EIPD_STORE_MIGRATIONS_H
#define EIPD_STORE_MIGRATIONS_H

#include <stddef.h>

/* `version` is the schema that `sql` leads to, from the one before it. */
struct migration {
	int version;
	const char *sql;
};

extern const struct migration store_migrations[];
extern const size_t store_n_migrations;

#endif
