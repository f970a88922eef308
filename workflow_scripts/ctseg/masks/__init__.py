"""Binary masks and label maps: components, postprocessing, outlines."""
