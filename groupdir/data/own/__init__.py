"""Data sets from your own files: pictures or a table, with labels and splits."""
