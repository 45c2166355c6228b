"""What the driver of a search runs: `groupdir search FILE`, `groupdir resume FOLDER`."""
