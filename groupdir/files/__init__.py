"""Files of a study: their names, reading and writing them, and the storage that holds them."""
