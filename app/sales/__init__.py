"""What sales did and has to do: its activities, who waits to be contacted, and the stages that people and deals go through."""
