#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Prints the C file that holds the migrations: sql/NNNN-name.sql ..., given as
# arguments in order, numbered from 1 without gaps.
set -eu

if [ $# -eq 0 ]; then
	echo "usage: gen-sql.sh sql/0001-init.sql ..." >&2
	exit 2
fi

want=1
for file in "$@"; do
	base=${file##*/}
	number=$(printf '%s\n' "$base" |
		sed -n 's/^0*\([1-9][0-9]*\)-[A-Za-z0-9_-]*\.sql$/\1/p')
	if [ "$number" != "$want" ]; then
		echo "gen-sql.sh: $file: expected number $want" >&2
		exit 1
	fi
	want=$((want + 1))
done

cat <<'EOF'
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Made by scripts/gen-sql.sh from sql/; not to be edited. */
#include "store/migrations.h"

const struct migration store_migrations[] = {
EOF
number=0
for file in "$@"; do
	number=$((number + 1))
	printf '\t{\n\t\t.version = %d,\n\t\t.sql =\n' "$number"
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/	/\\t/g' \
		-e 's/^/\t\t    "/' -e 's/$/\\n"/' "$file"
	printf '\t},\n'
done
cat <<'EOF'
};

const size_t store_n_migrations =
    sizeof(store_migrations) / sizeof(store_migrations[0]);
EOF
