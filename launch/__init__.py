"""What the driver of a search runs: `python -m launch search FILE`, `python -m launch resume FOLDER`."""
