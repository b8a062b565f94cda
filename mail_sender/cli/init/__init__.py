"""`mail-sender init`: asks for what the sender needs, tries each answer out, and writes the two configuration files.

Open `setup` first: it goes through the steps in their order. `questions` is the table of what is asked, `draft` makes
the two files of the answers, and the configuration's own loader checks them before anything is written. `checks`
runs the doctor's checks on a draft. `files` writes both at once, or neither.
"""
