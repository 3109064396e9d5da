/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * manifests: what `kubectl apply` needs, from etc/manifests.yaml by the build.
 */
#ifndef EIPD_CLI_MANIFESTS_H
#define EIPD_CLI_MANIFESTS_H

extern const char eipd_manifests[];

#endif
