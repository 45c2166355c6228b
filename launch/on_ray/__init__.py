"""Backend on Ray Tune: resources, callbacks, and all uses of private names of Ray."""
