"""Methods, one per file. `groupdir.registry` lists their names."""
