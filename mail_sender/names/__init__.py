"""Short texts with rules of their own: mail addresses, host names, secrets, and which characters they have.

In come texts that people or servers wrote; out go names that are safe to use, or a sentence about what is wrong.
Open `address` first.
"""
