"""Estimators that train a network on samples or samplers."""
