"""Masks of placed prompts, label by label."""

from collections.abc import Callable, Iterator, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from sammed.assist.masks import decode_prompts
from sammed.embeddings.scan import Scan
from sammed.prompts.placing import PlacedPrompt
from sammed_volumes.labels import Label


def decode_placed(
    scan: Scan, placed: Sequence[PlacedPrompt], encoder_of: Callable[[Label], nn.Module]
) -> Iterator[tuple[Label, list[int], Float[Tensor, "N M M"]]]:
    """Yield each label, by value, with the slices of its prompts and the mask logits of each of them."""
    shown = sorted({each.slice_index for each in placed})
    embeddings = scan.embeddings(shown)
    for label in sorted({each.label for each in placed}, key=lambda label: label.value):
        own = [each for each in placed if each.label == label]
        rows = [shown.index(each.slice_index) for each in own]
        prompts = [each.prompt for each in own]
        decoded = decode_prompts(scan.backbone, encoder_of(label), embeddings, prompts, rows, scan.frame)
        yield label, [each.slice_index for each in own], decoded
