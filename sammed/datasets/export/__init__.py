"""Data sets for nnU-Net and MONAI, made of gold labels and pseudo-labels.

`cases.cases_of_set` and the readers of labeled sets gather the cases, `nnunet.export_nnunet` and
`monai.export_monai` write them.
"""
