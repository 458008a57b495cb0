"""GANs that are not ours, each with a monitor attached in at most three lines."""
