# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the survey; `report` brings them together."""
