dnl SPDX-License-Identifier: GPL-2.0-or-later
dnl
dnl Probes of configure.ac.  Each flag is tried with -Werror, because clang
dnl only warns about one that it does not know.

dnl EIPD_LIBRARY(NAME, MODULES, DEBIAN-PACKAGE)
AC_DEFUN([EIPD_LIBRARY], [
PKG_CHECK_MODULES([$1], [$2], [],
    [AC_MSG_ERROR([$2: $$1_PKG_ERRORS; on Debian: apt-get install $3])])
])

dnl EIPD_TRY(FLAG, CPPFLAGS, CFLAGS, LDFLAGS, PROGRAM, IF-GOOD)
AC_DEFUN([EIPD_TRY], [
AC_MSG_CHECKING([whether $CC accepts $1])
eipd_cppflags=$CPPFLAGS
eipd_cflags=$CFLAGS
eipd_ldflags=$LDFLAGS
CPPFLAGS="$2 $CPPFLAGS"
CFLAGS="$3 $CFLAGS -Werror"
LDFLAGS="$4 $LDFLAGS"
AC_LINK_IFELSE([$5], [eipd_good=yes], [eipd_good=no])
CPPFLAGS=$eipd_cppflags
CFLAGS=$eipd_cflags
LDFLAGS=$eipd_ldflags
AC_MSG_RESULT([$eipd_good])
AS_IF([test $eipd_good = yes], [$6])
])

AC_DEFUN([EIPD_CFLAG], [
EIPD_TRY([$1], [], [$EIPD_CFLAGS $1], [], [AC_LANG_PROGRAM()],
    [EIPD_CFLAGS="$EIPD_CFLAGS $1"])
])

AC_DEFUN([EIPD_LDFLAG], [
EIPD_TRY([$1], [], [$EIPD_CFLAGS], [$1], [AC_LANG_PROGRAM()],
    [EIPD_LDFLAGS="$EIPD_LDFLAGS $1"])
])

dnl For the compiler and the linker; asked for by name, so its lack is an
dnl error.
AC_DEFUN([EIPD_REQUIRED_FLAG], [
EIPD_TRY([$1], [], [$1], [$1], [AC_LANG_PROGRAM()],
    [EIPD_CFLAGS="$EIPD_CFLAGS $1"; EIPD_LDFLAGS="$EIPD_LDFLAGS $1"])
AS_IF([test $eipd_good = no], [AC_MSG_ERROR([$CC does not accept $1])])
])

AC_DEFUN([EIPD_FORTIFY], [
EIPD_TRY([-D_FORTIFY_SOURCE=$1],
    [-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$1], [], [],
    [AC_LANG_PROGRAM([[#include <string.h>]])],
    [EIPD_CPPFLAGS="-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$1"])
])

dnl EIPD_SYSTEMD_DIR(NAME, VARIABLE-OF-SYSTEMD.PC, DEFAULT)
AC_DEFUN([EIPD_SYSTEMD_DIR], [
AC_ARG_WITH([$1], [AS_HELP_STRING([--with-$1=DIR],
    [default: what systemd.pc says, or $3])], [$1=$withval], [
	$1=`$PKG_CONFIG --variable=$2 systemd 2>/dev/null`
	AS_IF([test -z "$$1"], [$1=$3])
])
AC_SUBST([$1])
])
