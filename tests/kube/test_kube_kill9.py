# SPDX-License-Identifier: GPL-2.0-or-later
"""A few rounds of kill9.py; EIPD_KILL9_ROUNDS and EIPD_KILL9_SEED say
otherwise."""
import os
import time

import kill9


def test_killed_at_any_moment(net):
    seed = int(os.environ.get("EIPD_KILL9_SEED") or time.time())
    print(f"seed {seed}")
    kill9.play(net, int(os.environ.get("EIPD_KILL9_ROUNDS") or 10), seed)
