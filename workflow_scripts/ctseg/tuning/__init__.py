"""Choices made on cases out of training: thresholds, postprocessing, inference variants."""
