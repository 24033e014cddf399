"""Layer 2: the evaluation that could prove the predictor wrong. No Ray."""
