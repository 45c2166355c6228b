"""Data of your own: pictures or a table, with labels and splits from your files."""
