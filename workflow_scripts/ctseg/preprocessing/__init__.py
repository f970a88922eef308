"""Preprocessing of scans to the input of the network, and the plan that decides its settings."""
