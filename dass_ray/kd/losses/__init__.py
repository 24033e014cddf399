"""Losses of distillation, one module each, and their weighted sum.

Letters: B images, K classes, C channels, H and W a map's size.
"""
