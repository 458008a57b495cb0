"""Layers with a member axis, Lipschitz constraints, gradients by the input, optimizers."""
