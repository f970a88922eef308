"""What surrounds a job's work: its log, and the refusal of a case that cannot be used."""
