"""Training of the lung network: bodies whose lungs are known, made sick, and the network that learns from them."""
