"""Tables and curves of a benchmark, from its folder or from its pack."""
