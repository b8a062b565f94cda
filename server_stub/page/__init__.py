"""The web page that shows queue and mail, and its buttons.

In: HTTP requests of a browser. Out: the files in `files/`, and as JSON what they show. `application` has the routes
and is the file to open first; `snapshot` is what the page asks for twice a second; `actions` is what the buttons do.
"""
