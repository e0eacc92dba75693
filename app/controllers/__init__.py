"""What joins widgets, labels and inference in the window, one responsibility a file."""
