"""Losses of the group head of group_dir, with what they learn: one idea per file, by name in `groupdir.registry`."""
