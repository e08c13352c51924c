"""What the containers do, proved without a Docker engine."""
