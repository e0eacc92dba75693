"""Training loops, checkpoints and logs shared by the networks."""
