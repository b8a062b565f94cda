"""What people type: `server-stub serve`, and the commands that speak to a running stub.

In: arguments. Out: text or JSON on stdout, as `kanidm system message-queue` prints it; errors as one sentence.
`app` holds the commands and is the file to open first. `queue_client` speaks HTTPS to the stub, `queue_text` writes
what it answers.
"""
