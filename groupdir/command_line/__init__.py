"""Shared parts of the command lines of groupdir, launch and analysis. They import typer but no heavy package."""
