"""Files of events, and tables of journeys, brought in through the same door as everything else."""
