"""Event log of a study: writing it, reading it, and replaying it into a state. Nothing here loads torch."""
