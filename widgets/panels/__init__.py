"""What stands beside the picture: run list, tracks, denoising, notices."""
