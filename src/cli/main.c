/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * eipctl: asks eipd over its control socket and shows the answer.
 */
#include "cli/run.h"

int
main(int argc, char **argv)
{
	return run(argc, argv);
}
