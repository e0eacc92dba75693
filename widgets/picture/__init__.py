"""The picture: frames, overlays, corners, zoom."""
