"""What the program is: opens runs, keeps tracks, commands, saves and exports."""
