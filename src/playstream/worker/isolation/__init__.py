"""Isolating a job from the worker's host, in a container (podman, docker) or with bubblewrap.

`make_sandbox` in `sandbox.py` is the entry point. Starting, watching and ending the job is not done here.
"""
