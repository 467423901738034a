"""Students: networks that are trained on gold labels and pseudo-labels (MONAI's UNet, UNet++, DynUNet)."""
