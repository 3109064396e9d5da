# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What scripts/quickstart and scripts/check share: messages, packages, builds.
# Sourced by bash with the current folder at the top of the tree.

# shellcheck disable=SC2034 # used by those who source this
build_packages=(autoconf automake make gcc libc6-dev pkg-config git
	libevent-dev libcurl4-openssl-dev libjansson-dev libnftnl-dev
	libmnl-dev libsqlite3-dev libyaml-dev libcap-dev uthash-dev)
# shellcheck disable=SC2034
lab_packages=(iproute2 nftables bird2 python3 procps coreutils)

say() {
	printf '==> %s\n' "$*"
}

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

is_debian() {
	[ -e /etc/debian_version ] && command -v apt-get dpkg-query >/dev/null
}

is_installed() {
	dpkg-query -W -f '${Status}\n' "$1" 2>/dev/null |
		grep -qx 'install ok installed'
}

# need PACKAGE...: installs those that are not there; no network if all are.
need() {
	local missing=() p
	if ! is_debian; then
		say "not a Debian: taking for granted what these hold: $*"
		return 0
	fi
	for p in "$@"; do
		is_installed "$p" || missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	[ "$(id -u)" -eq 0 ] ||
		die "run as root, or first: apt-get install ${missing[*]}"
	say "apt-get install ${missing[*]}"
	run_logged apt env DEBIAN_FRONTEND=noninteractive apt-get -qy update ||
		return 1
	run_logged apt env DEBIAN_FRONTEND=noninteractive \
		apt-get -qy --no-install-recommends install "${missing[@]}"
}

# run COMMAND...: in a process group of its own, so that an interrupt reaches
# us first and stop_job() can end all of it.
job=
run() {
	local rc=0
	set -m
	"$@" </dev/null &
	job=$!
	set +m
	wait "$job" || rc=$?
	job=
	return $rc
}

stop_job() {
	[ -n "$job" ] || return 0
	kill -INT -- "-$job" 2>/dev/null
	for _ in $(seq 100); do
		kill -0 -- "-$job" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL -- "-$job" 2>/dev/null
	job=
}

# A parallel build goes on a while after its first error.
show_end() {
	grep -nE -A 4 'error:|undefined reference|\*\*\*' "$1" | head -n 40
	echo ...
	tail -n 20 "$1"
}

# run_logged NAME COMMAND...: output to build/log/NAME.log, its end on failure.
run_logged() {
	local log=build/log/$1.log rc=0
	shift
	mkdir -p build/log
	run "$@" >"$log" 2>&1 || rc=$?
	if [ $rc -ne 0 ]; then
		show_end "$log"
		printf '%s: exit %d of: %s (all of it: %s)\n' "${0##*/}" $rc \
			"$*" "$log" >&2
	fi
	return $rc
}

n_jobs() {
	nproc 2>/dev/null || echo 2
}

# build NAME CONFIGURE-ARGUMENT...: out of tree, in build/NAME.  Configures
# again only if the arguments or configure changed.
build() {
	local name=$1 dir=build/$1
	shift
	if [ ! -x configure ] || [ -n "$(find configure.ac Makefile.am m4 \
		src/*/Makefile.inc tests/*/Makefile.inc -newer configure \
		-print -quit)" ]; then
		say "autoreconf"
		run_logged autoreconf autoreconf -fi || return 1
	fi
	mkdir -p "$dir"
	if [ "$(cat "$dir/.arguments" 2>/dev/null)" != "$*" ] ||
		[ configure -nt "$dir/config.status" ]; then
		say "configure in $dir${*:+: $*}"
		run_logged "configure-$name" \
			sh -c 'cd "$0" && exec ../../configure -q "$@"' \
			"$dir" "$@" || return 1
		printf '%s\n' "$*" >"$dir/.arguments"
	fi
	say "make in $dir"
	run_logged "make-$name" make -j "$(n_jobs)" -C "$dir"
}

# sweep_lab PREFIX: ends what runs in the namespaces PREFIX-* and removes them.
sweep_lab() {
	local ns pid
	command -v ip >/dev/null || return 0
	for ns in $(ip netns list | awk -v p="$1" 'index($1, p) == 1 { print $1 }'); do
		for pid in $(ip netns pids "$ns"); do
			kill -KILL "$pid" 2>/dev/null
		done
		ip netns del "$ns"
	done
}
