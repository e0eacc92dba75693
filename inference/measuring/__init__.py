"""Measuring on one frame: the size of a pixel, and vessels. Points are (x, y) in pixels."""
