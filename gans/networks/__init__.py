"""Generators, and the layers that they are made of."""

from gans.networks.bounded import BoundedMLP
from gans.networks.convolutions import ChannelNorm, Convolutions, PointNorm, UpConvolutions
from gans.networks.evaluation_mode import evaluating as evaluating
from gans.networks.evaluation_mode import points_of as points_of
from gans.networks.generators import (
    Generator,
    LabelledGenerator,
    NoiseGenerator,
    Packed,
    SegmentGenerator,
)
from gans.networks.plain import PlainCritic, PlainGenerator

__all__ = [
    "BoundedMLP",
    "ChannelNorm",
    "Convolutions",
    "Generator",
    "LabelledGenerator",
    "NoiseGenerator",
    "Packed",
    "PlainCritic",
    "PlainGenerator",
    "PointNorm",
    "SegmentGenerator",
    "UpConvolutions",
]
