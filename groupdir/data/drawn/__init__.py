"""Built-in data sets of generated pictures, which need no download."""
