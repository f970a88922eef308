"""Common parts of jobs: the log, and the refusal of a case that cannot be used."""
