# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Fresh minimal roots of Debian, for tests/distro/run and tests/vm/run: the
# folder is $root.  MIRROR=URL asks another mirror.  Sourced after
# scripts/lib.sh, in a git checkout.

cache=${XDG_CACHE_HOME:-$HOME/.cache}/eipd-tests

# unpack_root SUITE: into $root, which is empty; the download is kept.
unpack_root() {
	local tar=$cache/distro-$1.tar
	if [ ! -e "$tar" ]; then
		say "debootstrap $1 (once)"
		mkdir -p "$cache"
		run_logged debootstrap debootstrap --variant=minbase "$1" \
			"$root" "${MIRROR:-http://deb.debian.org/debian}" ||
			return 1
		tar -C "$root" -cf "$tar.new" . && mv "$tar.new" "$tar" ||
			return 1
		rm -rf --one-file-system "$root"
		mkdir "$root"
	fi
	tar -C "$root" -xf "$tar" && chmod 755 "$root" && settle_in
}

# What a machine on this network needs to be told.
settle_in() {
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	apt-config dump | grep -E '^Acquire::(Check-|.*::(Proxy|Timeout))' \
		>"$root/etc/apt/apt.conf.d/99network"
	mkdir -p "$root/usr/local/share/ca-certificates"
	cp -r /usr/local/share/ca-certificates/. \
		"$root/usr/local/share/ca-certificates"
	# Nothing is started or set by a package that is being installed.
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
}

# inside COMMAND...: in /root of the root, with an environment as after login.
# Its / has to be a mount, or ip-netns(8) could not make it private.
inside() {
	# shellcheck disable=SC2016 # expanded by that shell
	run unshare --mount --pid --fork --kill-child sh -euc '
		root=$1
		shift
		mount --bind "$root" "$root"
		mount -t proc proc "$root/proc"
		mount -t sysfs sysfs "$root/sys"
		mount --rbind /dev "$root/dev"
		cd "$root"
		pivot_root . .
		umount -l .
		cd /root
		exec env -i container=eipd-distro HOME=/root USER=root LOGNAME=root TERM=dumb \
			PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
			${http_proxy:+"http_proxy=$http_proxy"} \
			${https_proxy:+"https_proxy=$https_proxy"} "$@"
		' sh "$root" "$@"
}
