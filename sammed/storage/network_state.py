"""The state of a network, each tensor once: MONAI's DynUNet has every block under two names.

safetensors refuses tensors that share memory, and writing them twice would be a waste.
"""

from collections.abc import Mapping

from torch import Tensor, nn


def state_of(network: nn.Module) -> dict[str, Tensor]:
    """Return parameters and buffers under the first of their names; `load_state` loads them."""
    named = network.state_dict(keep_vars=True)
    first = _first_names(named)
    return {name: tensor.detach() for name, tensor in named.items() if first[name] == name}


def load_state(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy a state into the network; torch's RuntimeError if it belongs to another network."""
    first = _first_names(network.state_dict(keep_vars=True))
    again = {name: state[once] for name, once in first.items() if once in state}
    network.load_state_dict({**state, **again})


def _first_names(named: Mapping[str, Tensor]) -> dict[str, str]:
    """Map each name to the first name of the same tensor."""
    seen: dict[int, str] = {}
    return {name: seen.setdefault(id(tensor), name) for name, tensor in named.items()}
