"""Faces of a ctseg model for people and programs; all segmentation is done by `ctseg.inference.predict`."""
