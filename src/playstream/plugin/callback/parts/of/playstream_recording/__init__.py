# SPDX-License-Identifier: GPL-3.0-or-later
"""What the callback plugin is made of.

It lies this deep because ansible takes every Python file in a callback directory, and in two levels of folders below
it, for a plugin.

After each of its forks ansible pays for every page of memory it writes to, and Python writes to an object when it
merely uses it. So on the way of an event, which is walked twice between two forks, few functions are called and few
objects are used; in particular an event is formatted, and never a dictionary with a dozen keys.
"""

from __future__ import annotations

from .base import RecordingCallback, guarded
from .recorder import Recorder
from .wire import members

__all__ = ["Recorder", "RecordingCallback", "guarded", "members"]
