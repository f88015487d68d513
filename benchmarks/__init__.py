"""The benchmark: playstream beside ansible-runner, tar and zstd in the same run. `make bench` runs it.

Correctness belongs into tests/; a figure that misses its target is printed and never fails anything.
"""
