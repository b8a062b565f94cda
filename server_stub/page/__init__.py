"""The page for looking instead of reading. What the browser gets lies in `files/`.

gate ── application (snapshot, queue_view, mail_view, mail_parts, clean_html)
└──── actions
"""
