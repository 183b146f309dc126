"""What is said of people, deals and companies: the last value of each property."""
