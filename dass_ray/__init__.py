"""Distillation-aware student search on Ray: the student that will be best after distillation."""

from importlib.metadata import version

__version__ = version("dass-ray")
