"""Functions that run on a node of a cluster: training on a share of a GPU, and a report on the node."""
