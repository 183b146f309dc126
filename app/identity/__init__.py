"""Keys seen together -> people; the spans of time in which a visitor was which person. Reversible."""
