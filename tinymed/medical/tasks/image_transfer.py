"""Starting from a network that has learned something else: ``--from RUN``.

What a network has seen, it must not be judged on, whatever it was asked there: it may know the
patient. So a model file remembers the images that it learned from, and those that what it started
from had; each of its members says of which patients it has seen nothing. A cross-validated model
(``--folds``) has such a member for each patient; a single one for those only that were left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinymed import nn
from tinymed.errors import CheckpointError, DataError
from tinymed.medical.imaging.dataset import Split
from tinymed.medical.imaging.windowing import Window
from tinymed.medical.models import Ensemble, MaskedImageNetwork, NoduleCNN
from tinymed.medical.tasks.image_splits import patients_of
from tinymed.medical.tasks.preprocessing import Preprocessing, grey
from tinymed.medical.tasks.task import SavedModel, load_model
from tinymed.medical.tasks.training_groups import (
    groups_seen_again,
    images_seen,
    remembered_images,
    united,
)

__all__ = ["Source", "grey_bytes", "remembered", "seen_in_training"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Source:
    """A trained model, whose networks others start from.

    Parameters
    ----------
    saved : SavedModel
    members : list of Module
        The networks of an ensemble, or the only one; each with ``features``.
    """

    saved: SavedModel
    members: list[nn.Module]

    @classmethod
    def read(cls, path: Path, task: str) -> Source:
        """Return the model of a file, or of the folder of a run.

        Raises
        ------
        CheckpointError
            No model of this command, nor one of ``tinymed pretrain`` for it; another network than
            those whose features a `NoduleCNN` can take over.
        """
        saved = load_model(path)
        if task not in (saved.about["task"], saved.about["preprocessing"].get("purpose")):
            raise CheckpointError(
                f"{task}: --from {path} is a model of `tinymed {saved.about['task']}`, one of "
                f"`tinymed {task}` or of `tinymed pretrain --for {task}` expected"
            )
        network = saved.network
        members = list(network.members) if isinstance(network, Ensemble) else [network]
        if not all(isinstance(member, (NoduleCNN, MaskedImageNetwork)) for member in members):
            raise CheckpointError(f"{task}: --from {path} is no NoduleCNN and has no features")
        return cls(saved, members)

    @property
    def preprocessing(self) -> Preprocessing:
        """Return what its networks take an image through."""
        return Preprocessing.kept(self.saved.about["preprocessing"])

    @property
    def widths(self) -> list[int]:
        """Return how wide its features are."""
        layers = [each for each in self.members[0].features if isinstance(each, nn.Conv2d)]
        return [layer.out_channels for layer in layers[::2]]

    @property
    def told(self) -> str:
        """Return what it is, for people."""
        file = self.saved.about["training"]["data_file"] or "synthetic patients"
        classes = self.saved.about.get("classes", [self.saved.about["task"]])
        return f"{' or '.join(classes)}, learned from {file}"

    def network(
        self, member: int, arguments: dict[str, Any], classes: tuple[str, ...], *, frozen: bool
    ) -> NoduleCNN:
        """Return a network of these arguments with the features of a member.

        Where it tells the same classes by the same features, the classifier is the member's, too.
        ``frozen`` features do not learn.
        """
        network = NoduleCNN(**arguments)
        state = self.members[member].state_dict()
        own = network.state_dict()
        head = [name for name in own if name.startswith("classifier.")]
        alike = all(name in state and own[name].shape == state[name].shape for name in head)
        if list(classes) != self.saved.about.get("classes") or not alike:
            state |= {name: own[name] for name in head}
        network.load_state_dict({name: state[name] for name in own})
        if frozen:
            network.freeze_features()
        return network

    def unseen(self, split: Split) -> Array:
        """Return of which patients' images each member has seen none, bool (n, members).

        A patient is seen if any image of theirs is.

        Raises
        ------
        CheckpointError
            A model of before, whose file does not say which images it learned from.
        """
        about, count = self.saved.about, len(self.members)
        parts = about["data"].get("training_images")
        if parts is None:
            raise CheckpointError(
                f"{about['task']}: {self.saved.path} does not say which images it learned from, so "
                "nobody can be judged by what starts from it; train it again"
            )
        images = self.grey_bytes(split)
        inside = np.stack([images_seen(part, images) for part in parts], axis=1)  # (n, parts)
        _, patient = np.unique(patients_of(split), return_inverse=True)
        of_patient = np.zeros((int(patient.max()) + 1, len(parts)), bool)
        np.logical_or.at(of_patient, patient, inside)
        inside = of_patient[patient]
        if count == 1:  # it has learned from all parts
            return np.logical_not(inside.any(axis=1, keepdims=True))
        # each member has learned from all parts but its own
        return np.stack([~np.delete(inside, k, axis=1).any(axis=1) for k in range(count)], axis=1)

    def member_for(self, judged: Split) -> tuple[int, list[str]]:
        """Return a member that has seen nobody of a split, and warnings.

        Raises
        ------
        DataError
            Each of them has.
        """
        unseen = self.unseen(judged)
        best = int(unseen.sum(axis=0).argmax())
        if not unseen[:, best].all():
            raise DataError(
                f"{self.saved.about['task']}: the model of --from has seen patients of "
                f"{int((~unseen[:, best]).sum())} of the {len(judged)} images to be judged; cut "
                "the patients with --folds, or start from one that was trained on other data"
            )
        return best, self.warnings(judged)

    def warnings(self, split: Split) -> list[str]:
        """Return a warning if patients are named as in its training, and no image tells more."""
        data = self.saved.about["data"]
        parts = data["training_images"]
        if self.saved.about["training"]["data_file"] is None:
            return []  # synthetic patients are numbered, too, and nobody
        if any(images_seen(part, self.grey_bytes(split)).any() for part in parts):
            return []  # equal images have told who is who
        again = groups_seen_again(data.get("training_groups"), split.groups, "patient")
        return [f"--from: {each}" for each in again]

    def grey_bytes(self, split: Split) -> Array:
        """Return the images as it remembers them."""
        known = self.preprocessing
        return grey_bytes(split.images, Window(known.low, known.high))


def grey_bytes(images: Array, limits: Window) -> Array:
    """Return images (n, H, W) as grey values of 0 to 255 over a window."""
    return np.rint(grey(images, limits) * 255).astype(np.uint8)


def seen_in_training(about: Mapping[str, Any], judged: Split) -> list[str]:
    """Return warnings if some of the judged were there when a model was trained and chosen.

    Parameters
    ----------
    about : mapping
        What its file says.
    judged : Split
        Patients are known again by their names, images by their grey values.
    """
    data, known = about["data"], about["preprocessing"]
    found = groups_seen_again(data.get("training_groups"), judged.groups, "patient")
    images = grey_bytes(judged.images, Window(known["low"], known["high"]))
    seen = np.zeros(len(images), bool)
    for part in data.get("training_images", ()):  # a model of before does not say
        seen |= images_seen(part, images)
    if seen.any():
        told = f"{int(seen.sum())} of {len(seen)} images are those that the model learned from"
        found.append(f"{told} or was chosen by: the result is too good")
    return found


def remembered(
    parts: Sequence[Split],
    limits: Window,
    source: Source | None = None,
    members: Sequence[int] = (),
) -> list[str]:
    """Return what a model file keeps of the images that were learned from, see `Source.unseen`.

    A text for each member of an ensemble, of what this one alone has not seen, then texts of what
    all have seen; for a single network only these.

    Parameters
    ----------
    parts : sequence of Split
        One for each member of an ensemble, that which this member alone has not learned from, then
        what all have; or what a single network has learned from.
    limits : Window
        Of the task.
    source : Source, optional
        What they started from.
    members : sequence of int
        Of the source, where each of them did.
    """
    own = [remembered_images(grey_bytes(each.images, limits)) for each in parts]
    if source is None:
        return own
    theirs: list[str] = source.saved.about["data"]["training_images"]
    count = len(source.members)
    if len(members) == 1:
        return own + [text for k, text in enumerate(theirs) if count == 1 or k != members[0]]
    if list(members) == list(range(count)):
        both = [united(*pair) for pair in zip(own[:count], theirs[:count], strict=True)]
        return both + own[count:] + theirs[count:]
    return own + theirs  # as if each had started from all members
