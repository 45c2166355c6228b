"""What is read after a search: its front, a choice on it, a page and a figure. Never torch, never Ray."""
