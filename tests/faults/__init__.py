"""Kills: what was acknowledged is stored, exactly once. Three kills in `make test`, a hundred in `make faults`."""
