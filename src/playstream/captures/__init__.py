"""Runs at rest: captures of streams and recordings of the plugin, read as the records that they hold.

A capture is one direction of a stream in a file, in either dialect, encrypted or not.
"""
