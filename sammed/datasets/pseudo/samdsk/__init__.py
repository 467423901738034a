"""SamDSK: match SAM's proposals with a student's probability maps, round after round."""
