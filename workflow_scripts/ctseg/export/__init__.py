"""The model files that are shipped: made, checked, quantized, or taken from elsewhere."""
