"""The lung field: computed, or given as a file."""
