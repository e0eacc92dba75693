"""What is going on: the opened run, its labels, what is playing, what is computed; no widgets."""
