"""Readers of all accepted label formats; the result is classes on the grid of the scan."""
