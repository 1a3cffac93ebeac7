"""What leaves the program for people and monitors: alerts, metrics, spans."""
