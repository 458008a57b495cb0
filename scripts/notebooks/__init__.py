"""Notebooks as Python files: ``# %%`` begins a cell."""
