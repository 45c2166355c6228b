"""Pairs of sentences: STS-B-DIR, as words or as embeddings."""
