"""Pages in a real browser, as a package: the browser is a fixture of it, and ends with it."""
