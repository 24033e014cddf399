"""Baselines, one module each: higher scores mean a better student is expected."""
