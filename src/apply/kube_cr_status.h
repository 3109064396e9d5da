/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kube_cr_status: writes the status of Eip, BgpConf and BgpPeer objects.
 *
 * Level-triggered: it is told what each status should be, compares that with
 * what the API server has and writes the difference, so that nothing is
 * written where nothing changed, after a restart either.  One request per
 * object at a time and one write in five seconds, bounded in flight, tried
 * again with backoff.
 */
#ifndef EIPD_APPLY_KUBE_CR_STATUS_H
#define EIPD_APPLY_KUBE_CR_STATUS_H

#include "model/object.h"

struct kube;
struct kube_cr_status;
struct loop;

struct kube_cr_status *kube_cr_status_new(struct loop *loop, struct kube *kube);
/* kube_free() has to follow before the loop runs again: answers may still be
 * on their way. */
void kube_cr_status_free(struct kube_cr_status *writer);

/* All that is wanted, between these two; what is not named is forgotten, its
 * status stays as it is. */
void kube_cr_status_begin(struct kube_cr_status *writer);
void kube_cr_status_end(struct kube_cr_status *writer);

/* `status` is JSON text; a null in it is a field that should not be there.
 * What eipd does not own is left alone: other fields of the status, other
 * gateways' entries of nodesConfStatus and nodesPeerStatus.  An object from
 * a file has no status to write. */
void kube_cr_status_want(struct kube_cr_status *writer,
    const struct object *object, const char *status);

/* Whoever waits after a failure waits no longer. */
void kube_cr_status_retry(struct kube_cr_status *writer);

/* Why a status could not be written; "" if all could. */
const char *kube_cr_status_problem(const struct kube_cr_status *writer);

#endif
