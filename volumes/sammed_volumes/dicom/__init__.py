"""DICOM: series as volumes, segmentations and contours as labels."""
