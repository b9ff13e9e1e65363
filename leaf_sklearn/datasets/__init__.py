"""Audio data sets: synthetic clips, and the files of a folder or a table."""

from ._audio_files import load_audio_files
from ._synthetic import make_audio_classification

__all__ = ["load_audio_files", "make_audio_classification"]
