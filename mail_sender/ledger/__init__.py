"""What became of each message for each recipient: `base` says what a ledger can do, `memory` does it."""
