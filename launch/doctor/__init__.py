"""Examination of every node before a search, and what is wrong with it."""
