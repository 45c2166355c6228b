"""Built-in data sets whose pictures are drawn: nothing to download."""
