"""The same task, searched in several ways at equal cost: is the predictor worth it?

What every way chose is in the store before its first distillation, so a comparison that was stopped
goes on, and a finished one is read again in seconds.

    comparisons/<name of the search>/<way>.json    students in the order in which they were chosen
"""
