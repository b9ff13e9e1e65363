"""Copy a part of the reference numbers from ../shared/golden into this folder: run it after changing what it keeps."""

import numpy as np
from cases import GOLDEN, SUBSET

INPUTS = ("short03", "odd4801", "len1600", "tiny100", "zeros")
WHOLE = (
    "leaf__init leaf__pert leaf__clip leaf_log__pert leaf_none__pert leaf_preemp__pert leaf_mvn__pert "
    "leaf_sorted__clip leaf_pcenfixed__pert leaf_n64__init mel__init mel_pcen__init mel_pcenfixed__pert "
    "sincnet__init sincnet__clip sincnet_plus__init sincnet_plus__clip leaf_8k__init mel_pcen_8k__pert "
    "tdfbanks_8k__pert sincnet_8k__pert sincnet_plus_8k__pert leaf_22k_evenwin__init "
    "adam_steps_leaf__init kernels"
).split()
DROPPED = {
    "init_tables": ("td_",),
    "stages_leaf__pert": ("conv", "activation", "lowpass"),
    "stages_sincnet__pert": ("conv", "activation"),
}


def keep(name, key):
    """Whether an array of a file is copied."""
    if name.startswith("inputs_"):
        return key in INPUTS
    if key.startswith("out/"):
        return key[4:] in INPUTS
    return not key.startswith(DROPPED.get(name, ("\0",)))


for name in [
    *WHOLE,
    "init_tables",
    "stages_leaf__pert",
    "stages_sincnet__pert",
    "inputs_16000",
    "inputs_8000",
    "inputs_22050",
]:
    with np.load(GOLDEN / f"{name}.npz") as stored:
        np.savez_compressed(SUBSET / f"{name}.npz", **{key: stored[key] for key in stored.files if keep(name, key)})
