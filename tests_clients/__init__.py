"""Calendar apps that others wrote, each driven against a Kalends of its own (`make test-clients`)."""
