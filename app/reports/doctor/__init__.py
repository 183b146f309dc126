"""The tracking doctor: what is wrong with how a site is tracked, what that does to its figures, and what to change."""
