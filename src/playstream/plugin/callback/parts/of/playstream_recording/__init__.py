# SPDX-License-Identifier: GPL-3.0-or-later
"""What the callback plugin is made of.

It lies this deep because ansible takes every Python file in a callback directory, and in two levels of folders below
it, for a plugin.

After each of its forks ansible pays for every page of memory it writes to, and Python writes to an object when it
merely uses it. So on the way of an event, which is walked twice between two forks, few functions are called and few
objects are used; in particular an event is formatted, and never a dictionary with a dozen keys.
"""

from __future__ import annotations

from .channel import not_recorded
from .context import Context
from .facts import look_again, spare_lookups
from .recorder import Recorder
from .shown import listen
from .wire import encode, iso_of, members, quote, text_of

__all__ = [
    "Context", "Recorder", "encode", "iso_of", "listen", "look_again", "members", "not_recorded", "quote",
    "spare_lookups", "text_of",
]  # fmt: skip
