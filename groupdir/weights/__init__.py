"""Sample-weight modes, which make samples of rare labels count more, by name in `groupdir.registry`."""
