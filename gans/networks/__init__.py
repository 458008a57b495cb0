"""Generators, and the layers that they are made of."""

from gans.networks.generators import Generator, NoiseGenerator, Packed, SegmentGenerator
from gans.networks.plain import PlainCritic, PlainGenerator

__all__ = [
    "Generator",
    "NoiseGenerator",
    "Packed",
    "PlainCritic",
    "PlainGenerator",
    "SegmentGenerator",
]
