"""A sweep: one base configuration, axes and seeds, run on whatever executor there is."""
