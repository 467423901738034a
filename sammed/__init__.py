"""sammed: label a volume from a few annotated slices (SAM^Med, arXiv 2307.05617).

    scan = sammed.open("image.nii.gz")
    skill = sammed.learn(scan, "marks.seg.nrrd")
    skill.label("other.nii.gz").save("other_label.nii.gz")

The public names stand in `__init__.pyi`. Each is imported when it is first asked for: importing sammed loads
no torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
