"""TOML files, environment and secrets in, one frozen `Config` out.

In come the paths of Kanidm's two files; `ConfigError` lists every fault of both at once, with file, line and key. The
rooms own their slices (`relay/config.py`, `mail/config.py`, ...); this room only fills them in.

    load              reads both files and builds the `Config` (`config`)
    keys, values      which keys there are, and which values each takes
    toml_file         one file: its values, and the line of each key
    faults            pydantic's findings in plain words
    placeholders, example_domains
                      values that were never filled in
    proxy, certificates, relay, alerts, headers, appearance, sample_check
                      one topic each: its faults, and its slice
    security_warnings settings that work, but weaken security
    ignored           parts of a URL that have no effect
    watch             reads the files again when one changes

Read `load` first. A new key begins in `keys`.
"""
