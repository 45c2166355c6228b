"""The driver's side of a study: its folder, its checkpoints, its exports."""
