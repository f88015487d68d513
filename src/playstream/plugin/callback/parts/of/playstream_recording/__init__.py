# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the callback plugin.

They are nested this deeply because ansible loads every Python file in a callback directory, and in two levels of
directories below it, as a plugin.

After each fork ansible pays for every page of memory that it writes to, and Python writes to an object even when it
only uses it. So recording an event, which happens twice between two forks, calls few functions and uses few objects; in
particular it formats text and never builds a dictionary with a dozen keys.
"""

from __future__ import annotations

from .base import RecordingCallback, guarded
from .recorder import Recorder
from .wire import members

__all__ = ["Recorder", "RecordingCallback", "guarded", "members"]
