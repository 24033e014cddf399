"""Recorded KD runs as a benchmark: any way of choosing students, replayed without a GPU."""
