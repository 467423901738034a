"""The networks of students: MONAI's BasicUNet, BasicUNetPlusPlus and, in 3-D, DynUNet."""

from __future__ import annotations

import torch
from torch import nn

from sammed.datasets.students.config import StudentConfig


def build_network(config: StudentConfig, outputs: int) -> nn.Module:
    """Return a network with `outputs` channels and fresh weights determined by `config.seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return _BUILDERS[config.network](config, outputs)


def _unet(config: StudentConfig, outputs: int) -> nn.Module:
    from monai.networks.nets.basic_unet import BasicUNet

    return BasicUNet(2, config.channels, outputs, features=config.features)


def _unet_plus_plus(config: StudentConfig, outputs: int) -> nn.Module:
    from monai.networks.nets.basic_unetplusplus import BasicUNetPlusPlus

    return BasicUNetPlusPlus(2, config.channels, outputs, features=config.features)


def _dynunet(config: StudentConfig, outputs: int) -> nn.Module:
    from monai.networks.nets.dynunet import DynUNet

    filters = config.features[:5]
    levels = len(filters)
    return DynUNet(
        3,
        config.channels,
        outputs,
        kernel_size=[3] * levels,
        strides=[1] + [2] * (levels - 1),
        upsample_kernel_size=[2] * (levels - 1),
        filters=filters,
    )


_BUILDERS = {"unet": _unet, "unet++": _unet_plus_plus, "dynunet": _dynunet}
