/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kube_fake: a kube_request() that keeps the requests until the test answers
 * them.
 */
#ifndef EIPD_TESTS_KUBE_FAKE_H
#define EIPD_TESTS_KUBE_FAKE_H

#include <stddef.h>

/* Requests that were not answered yet. */
size_t kube_fake_waiting(void);
/* The oldest of them, "METHOD path[ body]"; "" if none. */
const char *kube_fake_first(void);
/* Answers it; status 0: the server could not be reached. */
void kube_fake_answer(long status, const char *body);
/* Forgets them. */
void kube_fake_clear(void);

#endif
