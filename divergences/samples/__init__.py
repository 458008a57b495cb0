"""Estimators from two samples; nothing is trained."""
