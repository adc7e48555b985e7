"""The command line: `kalends …`."""
