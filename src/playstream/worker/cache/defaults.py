"""What the options of a worker are about its cache if nothing is said."""

DEFAULT_CACHE_BYTES = 2 << 30
"""Size of the cache, in bytes: 2 GiB."""
OWN_USER = "user"
"""Who has sent a job through a pipe, or over ssh: whoever can do that is this user."""
