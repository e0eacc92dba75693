"""From a stored frame to the 8-bit picture, as the window and exports show it."""
