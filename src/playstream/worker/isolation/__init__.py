"""Keeping a job apart from the worker's host, in a container (podman, docker) or with bubblewrap.

`make_sandbox` in `sandbox.py` is the way in. Starting, watching and ending what it gives back is not done here.
"""
