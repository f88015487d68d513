#!/usr/bin/python
"""A module that answers with what JSON does not allow."""

print('{"changed": false, "number": NaN}')
