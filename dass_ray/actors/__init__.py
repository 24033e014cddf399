"""Layer 3: Ray actors and tasks, thin over layers 1 and 2."""
