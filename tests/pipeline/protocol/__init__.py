"""Tests of the protocol, without IO: `strategies` is what hypothesis generates, `wire` makes and takes streams."""
