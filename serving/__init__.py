"""Page and REST service for ctseg models; both segment with `ctseg.inference.predict`."""
