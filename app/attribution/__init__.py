"""The models, and the exact credit that each touch of a journey gets under them."""
