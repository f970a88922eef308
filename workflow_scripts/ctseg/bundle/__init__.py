"""A model as a MONAI bundle, and what runs in it."""
