"""Sample-weight modes: how much more samples of rare labels count, by name in `groupdir.registry`."""
