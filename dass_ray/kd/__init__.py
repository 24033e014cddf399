"""Layer 1: teacher training and knowledge distillation of one run, in one process."""
