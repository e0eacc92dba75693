"""What is computed: networks, runtimes, denoising, tracking, simulation, training and scores."""
