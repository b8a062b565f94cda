"""What people type and read: options come in; text or JSON, and an exit code, go out. Only this room prints.

Open `app` first: it runs the sender, sends the test mail of `-t`, and names the groups of commands, `queue` and
`template`. A module `*_text` makes text for a person out of plain data, and does nothing else.
"""
