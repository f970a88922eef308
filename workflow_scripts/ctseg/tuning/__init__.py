"""Choices made on cases outside of training: thresholds, postprocessing, inference variants."""
