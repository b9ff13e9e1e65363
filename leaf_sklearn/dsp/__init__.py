"""Pure tensor and array functions: scales, kernels, framing, compression, smoothing."""
