"""The configurations, one module for each kind of run."""
