"""What is kept of a person: shown whole, or erased."""
