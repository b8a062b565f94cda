"""TOML files, environment and secrets in, one frozen `Config` out.

In come the paths of Kanidm's two files; `ConfigError` lists every fault of both at once, with file, line and key. The
rooms own their slices (`relay/config.py`, `mail/config.py`, ...); this room only fills them in.

    load              reads both files and builds the `Config` (`config`)
    sources           the two files, with what the environment (`environment`) and secrets' files (`secret_files`) put
                      over them; `origin` says where a value stands
    keys, values      which keys there are, and which values each takes (`web_url`); `fields` lists them with
                      their variables
    reference, effective, schema
                      what is said of each key, what counts for it, and the JSON schema; no start needs them
    toml_file         one file: its values, and the line of each key
    faults            pydantic's findings in plain words
    placeholders, example_domains
                      values that were never filled in
    proxy, certificates, relay, alerts, headers, appearance, sample_check
                      one topic each: its faults, and its slice
    security_warnings settings that work, but weaken security
    ignored           parts of a URL that have no effect
    child             has another process read the files for a sender, which never imports the rest
    watch             reads the files again when one changes

Read `load` first. A new key begins in `keys`, and is described in `descriptions.toml`.
"""
