"""Layer 1: the networks, as torch modules built from specs."""
