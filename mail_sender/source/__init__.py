"""Where messages come from: `base` says what a source can do, `kanidm` does it over HTTPS, `untold` only reads."""
