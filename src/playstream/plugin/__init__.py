"""What runs INSIDE ansible: the callback plugin that turns a run into events.

It is loaded by ansible, by path; no other module of playstream imports it.
Anything that imports another playstream room, or more than the standard library and ansible, does not belong here.
"""
