"""A study: its checked config, its cases and their splits."""
