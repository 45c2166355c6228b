"""Terminal output of a search: its plan, its progress, and the state of a study."""
