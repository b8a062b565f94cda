"""What a start of the stub binds, writes and prints.

In: the kept identity, a host and the wanted ports. Out: bound sockets (`ports`), the files for people and senders
(`config_files`), and the text on the terminal (`startup_text`). Open `config_files` first.
"""
