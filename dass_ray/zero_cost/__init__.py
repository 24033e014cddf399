"""Scores of untrained, remapped students, one module each: higher means better is expected.

Some are inputs of the predictor (`predictor/signals.py`); all are baselines that it is judged by.
"""
