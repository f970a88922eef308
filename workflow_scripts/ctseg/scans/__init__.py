"""Reading and writing scans in any accepted format."""
