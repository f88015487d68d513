"""A listening worker: many jobs, each a `playstream worker` in a process of its own.

`sockets` creates what clients connect to, and `entrance` decides who may. `admission` reads a connection until its job
is complete, without IO. `server` is the loop that waits for everything; `waiting`, `served` and `leaving` are the
states of a connection. `systemd` speaks with the service manager.
"""
