"""The phase of the heart in each frame."""
