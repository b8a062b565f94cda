"""The mail room: turns one message into the mail of one recipient.

In come a `Message`, the recipient's address, the `MailConfig` and the Date; out goes a `Mail`: the envelope and the
bytes. Nothing here reads a file, a clock or the network, so the same input always gives the same bytes.

Open `render` first: it has the steps. `parts` has the templates make subject, text and HTML; `plan` makes the same
parts without running them, and `plans` keeps the plans of a configuration. `headers` has every header of a mail in
its order, `variables` what templates get, `links` the addresses of pages, `display_name` how a person's name is
cleaned, `confidential` what logs must hide, `mime` how parts become bytes, `mail` the finished mail and its
Message-ID.
"""
