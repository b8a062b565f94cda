"""What a mailbox thought of a test mail that arrived: `mail-sender doctor --received FILE.eml`.

In come the octets of a mail, which anybody may have written; out go findings. Nothing is looked up, and the body is
not read. Open `check` first.
"""
