"""A search on a cluster, from a machine that is no part of it: thin over Ray's own commands, which are printed."""
