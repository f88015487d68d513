"""A soak: many pipelines at once, a million events, many runs in one program. `make soak`, not part of the tests."""
