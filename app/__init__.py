"""Closed Loop: closed-loop marketing attribution, from a first click to a closed deal."""

__version__ = "0.1.0"
