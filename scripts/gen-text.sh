#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Prints a C file that holds the text FILE as the string NAME.
set -eu

if [ $# -ne 2 ]; then
	echo "usage: gen-text.sh NAME FILE" >&2
	exit 2
fi

cat <<END
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Made by scripts/gen-text.sh from ${2##*/}; not to be edited. */
extern const char $1[];

const char $1[] =
END
# Trigraphs are off in gnu11, so backslash, quote and tab are all there is.
sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/	/\\t/g' \
	-e 's/^/    "/' -e 's/$/\\n"/' "$2"
echo "    ;"
