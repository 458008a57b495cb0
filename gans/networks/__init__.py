"""Generators, and the layers that they are made of."""

from gans.networks.generators import Generator, NoiseGenerator, Packed, SegmentGenerator

__all__ = ["Generator", "NoiseGenerator", "Packed", "SegmentGenerator"]
