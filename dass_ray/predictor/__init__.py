"""Layer 2: the meta-learned predictor of accuracy after distillation. No Ray."""
