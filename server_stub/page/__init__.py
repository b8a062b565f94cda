"""The web page that shows queue and mail, and its buttons.

In: HTTP requests of a browser. Out: the files in `files/`, and as JSON what they show. `application` has the routes
and is the file to open first; the page asks for `snapshot` twice a second; `actions` is what the buttons do.
"""
