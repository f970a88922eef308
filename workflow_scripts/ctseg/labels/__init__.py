"""Reading labels in any accepted format as classes on the grid of their scan."""
