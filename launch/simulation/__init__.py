"""Simulated searches in virtual time over recorded learning curves."""
