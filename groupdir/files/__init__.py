"""Files of a study: their names, how they are written and read, and the places where they are kept."""
