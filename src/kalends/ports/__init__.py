"""`kalends port`: what the registry says of a port beside what really listens there, each labelled."""
