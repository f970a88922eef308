"""Models as MONAI bundles, and the code that a bundle runs."""
