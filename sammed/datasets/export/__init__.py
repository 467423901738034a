"""Data sets to train a network on, made of gold labels and pseudo-labels.

`pairing.gather_cases` finds the cases, `nnunet.export_nnunet` and `monai.export_monai` write them.
"""
