"""Any accepted X, arrays or audio files, as lazily read clips: mono, float32, checked, at one sample rate."""

from .audio import AudioFileError, read_audio
from .clips import Clips, as_clips
from .containers import clip_kind

__all__ = ["AudioFileError", "Clips", "as_clips", "clip_kind", "read_audio"]
