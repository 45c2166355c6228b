"""Study as its driver sees it: folder, checkpoints and exports."""
