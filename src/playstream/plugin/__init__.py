"""Code that runs inside ansible: the callback plugin that converts a run to events.

Ansible loads it by path; no other module of playstream imports it. Modules that import another package of playstream,
or more than the standard library and ansible, do not belong here.
"""
