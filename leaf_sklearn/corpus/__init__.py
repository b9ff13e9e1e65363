"""The features of a corpus: any number of audio files into partitioned Parquet, in memory that does not grow."""

from ._corpus import CorpusResult, transform_corpus

__all__ = ["CorpusResult", "transform_corpus"]
