"""Methods: one file each, found by name in `groupdir.registry`."""
