"""The domain, free of wire words: the ledger (the door for writes), search, free/busy, identity, rights."""
