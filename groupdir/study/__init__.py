"""The event log of a study, as its driver writes it and as every reader replays it. Nothing here loads torch."""
