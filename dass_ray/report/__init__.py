"""Layer 4: what a search found, made from the store alone, for a terminal and as an HTML page."""
