"""SamDSK: SAM's proposals matched with a student's probability maps, round after round."""
