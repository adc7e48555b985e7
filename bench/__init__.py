"""What Kalends costs, beside a peer or a physical limit in the same run. Prints ratios, asserts nothing."""
