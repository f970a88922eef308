"""Provenance of results: the hash of the code, a record for each job, the manifest, the RO-Crate."""
