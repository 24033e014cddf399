"""Layer 4: proposing candidates on predicted scores."""
