"""Training: what y asks for, the network around a frontend, where it starts, and the loop."""
