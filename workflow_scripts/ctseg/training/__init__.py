"""From prepared cases to the weights of a network."""
