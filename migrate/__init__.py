"""Empties shared drives into a records system, accountably."""

__version__ = "0.1.0"
