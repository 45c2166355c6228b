"""Terms that shape the features of any method: one file each, found by name in `groupdir.registry`."""
