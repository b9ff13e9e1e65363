"""The rows of the paper's tables: each preset names a filterbank, a pooling and a compression."""

from dataclasses import dataclass

from .compression import PCEN, ChannelNorm, Compression, Log
from .filterbank import Filterbank
from .free import FreeBank
from .gabor import GaborBank
from .mel import MelBank
from .pooling import GaussianPooling, LowpassPooling, MaxPooling, Pooling, StftFrames
from .sinc import SincBank
from .wavegram import NoCompression, WavegramBank, WavegramFrames


@dataclass(frozen=True)
class Preset:
    """What a frontend's name stands for: the classes of the three slots, and numbers."""

    filterbank: type[Filterbank]
    pooling: type[Pooling]
    compression: type[Compression]
    fmin: float = 60.0  # range of the filters at the start, in Hz
    fmax: float = 7800.0
    pcen_floor: float = 1e-12  # of a learned PCEN
    fixed: tuple[str, ...] = ("sort_filters",)  # arguments that it cannot honour off their defaults


MEL_FIXED = ("pooling", "sort_filters")
SINC_FIXED = ("n_fft", "sort_filters")
WAVEGRAM_FIXED = (
    *("window_ms", "hop_ms", "fmin", "fmax", "init", "pooling", "compression"),
    *("n_fft", "preemphasis", "instance_norm", "sort_filters", "learn_pcen"),
)
PRESETS: dict[str, Preset] = {
    "mel": Preset(MelBank, StftFrames, Log, fixed=MEL_FIXED),
    "mel-pcen": Preset(MelBank, StftFrames, PCEN, fixed=MEL_FIXED),
    "wavegram": Preset(WavegramBank, WavegramFrames, NoCompression, fixed=WAVEGRAM_FIXED),
    "td-fbanks": Preset(FreeBank, LowpassPooling, Log),
    "sincnet": Preset(SincBank, MaxPooling, ChannelNorm, fmin=50.0, fmax=7900.0, fixed=SINC_FIXED),
    "sincnet+": Preset(SincBank, GaussianPooling, PCEN, fmin=50.0, fmax=7900.0, pcen_floor=1e-6, fixed=SINC_FIXED),
    "leaf": Preset(GaborBank, GaussianPooling, PCEN, fixed=()),
}
