"""Losses of the group head of group_dir, with their parameters. `groupdir.registry` lists their names."""
