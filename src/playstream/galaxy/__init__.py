"""Collections and roles that a project requires: ansible-galaxy installs them here, into a cache of the user.

The user asks for it with `--galaxy`; a directory or a stream cannot. What is installed is found by Ansible in the cache
if the job runs on this host, and travels with the job otherwise. Nothing is written to the user's directory.
"""
