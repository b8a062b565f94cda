"""What mailboxes and machines are called: mail addresses, host names, and the characters that may stand in them.

In come texts that people or servers wrote; out go names that are safe to use, or a sentence about what is wrong.
Open `address` first.
"""
