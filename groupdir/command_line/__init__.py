"""What the command lines of groupdir, launch and analysis share. Loading it needs typer alone."""
