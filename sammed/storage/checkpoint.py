"""The checkpoint of a training: weights, optimizer state and progress, in one tensor file.

The file is replaced as a whole, never changed in place, so that a kill at any moment leaves an intact one.
"""

from collections.abc import Callable, Mapping
from dataclasses import Field, asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from sammed.storage.network_state import load_state, state_of
from sammed.storage.tensor_file import TensorKind, read_tensors, tensors_below, write_tensors
from sammed_volumes.json_text import MALFORMED


class Counted(Protocol):
    """How far a training is: a dataclass that JSON can hold."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def step(self) -> int:
        """The number of steps done."""


Progress = TypeVar("Progress", bound=Counted)


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint(Generic[Progress]):
    """The file that keeps a training's state; with `path` None nothing is kept.

    `identity` is what must be the same for a training to continue. `progress_of` makes the progress from a
    file's header, which has its fields.
    """

    kind: TensorKind
    path: Path | None
    network: nn.Module
    optimizer: torch.optim.Optimizer
    identity: Mapping[str, Any]
    progress_of: Callable[[Mapping[str, Any]], Progress]

    def save(self, progress: Progress) -> None:
        """Replace the file."""
        if self.path is None:
            return
        tensors = {f"network/{name}": tensor for name, tensor in state_of(self.network).items()}
        for number, state in self.optimizer.state_dict()["state"].items():
            tensors.update(
                {f"optimizer/{number}/{name}": tensor for name, tensor in state.items() if tensor is not None}
            )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_tensors(self.kind, {**self.identity, **asdict(progress)}, tensors, self.path, overwrite=True)

    def resume(self) -> Progress | None:
        """Load the state into network and optimizer, in place, and return the progress; None without a file.

        Raises `kind.error` for the checkpoint of another training, and for one that can't be read.
        """
        if self.path is None or not self.path.exists():
            return None
        header, tensors = read_tensors(self.kind, self.path)
        other = [name for name, value in self.identity.items() if header.get(name) != value]
        if other:
            raise self.kind.error(
                f"{self.path} is the checkpoint of another training (other {' and '.join(other)}); remove "
                "it, or choose another place."
            )
        try:
            load_state(self.network, tensors_below(tensors, "network"))
            groups = self.optimizer.state_dict()["param_groups"]
            state = _optimizer_state(tensors_below(tensors, "optimizer"))
            self.optimizer.load_state_dict({"state": state, "param_groups": groups})
            return self.progress_of(header)
        except (*MALFORMED, RuntimeError) as error:
            raise self.kind.error(
                f"{self.path} is a checkpoint that can't be read: {error}; remove it."
            ) from error


def _optimizer_state(tensors: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, _, key = name.partition("/")
        state.setdefault(int(number), {})[key] = tensor
    return state
