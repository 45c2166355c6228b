"""Report of a study: one HTML file."""
