"""Layer 4: benchmarks that print our figure, the plain way's in the same run, and the ratio."""
