"""Who is known here: accounts with their tokens, and the people who get mail.

In: `identity.json`, made at the first start, and a people file. Out: accounts, signing keys, tokens, people.
`identity_file` is the file to open first.
"""
