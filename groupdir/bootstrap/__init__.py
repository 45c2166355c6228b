"""Bootstrap over test samples and seeds, for `groupdir train` and `groupdir compare`."""
