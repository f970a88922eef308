"""The network architectures, as plain settings and as torch modules."""
