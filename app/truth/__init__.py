"""The truth bench: markets whose truth is known, told to the real pipeline, and how far each model is from it."""
