"""Voxels with their place in space: volumes, resampling, memory-mapped arrays, Hounsfield windows."""
