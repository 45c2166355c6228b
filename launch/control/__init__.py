"""Decisions of a search: which trial runs next, when the search ends, and a check of past decisions."""
