"""Who may do what and see what: VCARs, the judges they make, and the ways of sharing (RFC 4324 §4)."""
