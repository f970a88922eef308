"""Model files to ship: export, checks, quantisation, and models from elsewhere."""
