"""What a person sees of a search in a terminal."""
