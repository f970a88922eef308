"""Volumes and their grids in the patient's space, resampling, memory-mapped arrays, Hounsfield windows."""
