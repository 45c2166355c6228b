"""One node of a cluster: its share of a GPU, and a report of what it has and can reach."""
