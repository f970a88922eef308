"""What can be chosen, in plain words: networks, losses, optimisers, metrics, label formats, archives; and citations."""
