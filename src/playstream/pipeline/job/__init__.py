"""Jobs: their options, the checks, and what they need."""
