"""Captures and recordings: reading them whatever is in them, looking at them, unpacking them."""
