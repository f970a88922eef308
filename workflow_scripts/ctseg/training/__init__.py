"""Training: from prepared cases to the weights of a network."""
