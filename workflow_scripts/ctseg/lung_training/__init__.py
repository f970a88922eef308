"""Training of the lung network on bodies with known lung fields and simulated diseases."""
