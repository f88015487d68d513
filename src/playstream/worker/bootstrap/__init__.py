"""What runs on a bare host before the worker; the other side sends it, and the host needs nothing but Python.

Its modules use only the standard library and each other. `program` is the first; its docstring describes what is said.
"""
