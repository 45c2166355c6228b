"""Driver of a search: `groupdir search FILE`, `groupdir resume FOLDER`."""
