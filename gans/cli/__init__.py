"""The training command: its configurations, what they may name, how it ends."""
