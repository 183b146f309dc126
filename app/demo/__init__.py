"""A month of believable traffic, sent to the real service over HTTP."""
