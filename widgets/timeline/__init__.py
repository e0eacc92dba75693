"""What runs along the frames: timeline, play bar, ECG, motion plots."""
