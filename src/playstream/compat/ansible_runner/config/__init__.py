"""Configurations, one module for each kind of run."""
