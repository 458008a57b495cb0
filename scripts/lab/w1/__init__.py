"""Solvers of the W1 benchmark, and how accurate each is."""
