"""Catalogues of choices in plain words: networks, losses, optimisers, metrics, label formats, archives; references."""
