"""Contenders for the speed benchmark: the tasks, who runs them, and how they are timed."""
