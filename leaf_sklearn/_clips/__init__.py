"""Any accepted X, arrays or audio files, as lazily read clips: mono, float32, checked, at one sample rate."""
