"""What experiments share: claims, jobs, figures, pairs of laws with known divergences."""
