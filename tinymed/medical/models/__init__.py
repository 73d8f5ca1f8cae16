"""Networks of the applications, by the name that model files use."""

from tinymed import nn
from tinymed.medical.models.aligned_sequence import AlignedSequenceNetwork
from tinymed.medical.models.beat_sequence import BeatSequenceNetwork
from tinymed.medical.models.character_lstm import CharacterLSTM
from tinymed.medical.models.dncnn import DnCNN
from tinymed.medical.models.ensemble import Ensemble
from tinymed.medical.models.masked_image_network import MaskedImageNetwork
from tinymed.medical.models.molecule_network import MoleculeNetwork
from tinymed.medical.models.nodule_cnn import NoduleCNN
from tinymed.medical.models.note_classifier import NoteClassifier
from tinymed.medical.models.sequence_network import SequenceNetwork
from tinymed.medical.models.treatment_network import TreatmentNetwork
from tinymed.medical.models.unet import UNet

__all__ = [
    "MODELS",
    "AlignedSequenceNetwork",
    "BeatSequenceNetwork",
    "CharacterLSTM",
    "DnCNN",
    "Ensemble",
    "MaskedImageNetwork",
    "MoleculeNetwork",
    "NoduleCNN",
    "NoteClassifier",
    "SequenceNetwork",
    "TreatmentNetwork",
    "UNet",
]

MODELS: dict[str, type[nn.Module]] = {
    "AlignedSequenceNetwork": AlignedSequenceNetwork,
    "BeatSequenceNetwork": BeatSequenceNetwork,
    "CharacterLSTM": CharacterLSTM,
    "DnCNN": DnCNN,
    "Ensemble": Ensemble,
    "MaskedImageNetwork": MaskedImageNetwork,
    "MoleculeNetwork": MoleculeNetwork,
    "NoduleCNN": NoduleCNN,
    "NoteClassifier": NoteClassifier,
    "SequenceNetwork": SequenceNetwork,
    "TreatmentNetwork": TreatmentNetwork,
    "UNet": UNet,
}
