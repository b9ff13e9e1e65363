"""Audio data sets: synthetic clips, the files of a folder or a table, and published sets that are downloaded."""

from .._clips.stamped import stamp_files
from ._audio_files import load_audio_files
from ._esc50 import fetch_esc50
from ._speech_commands import fetch_speech_commands
from ._synthetic import make_audio_classification

__all__ = ["fetch_esc50", "fetch_speech_commands", "load_audio_files", "make_audio_classification", "stamp_files"]
