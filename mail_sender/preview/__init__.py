"""What mails look like, before anybody gets one: the work behind `mail-sender template`.

In comes the mail-sender config, as far as it is usable (`lenient_config`). Out go lists, sample mails, findings and
copies of files; only `cli` prints them. Nothing is sent, and no network is used.

    inventory       which templates, variables and languages there are
    sample_mail     one mail, made by the code that makes real mail
    check           what is wrong with the operator's templates
    export          the built-in templates, copied into a folder
    page, server    all sample mails as a page in a browser, on 127.0.0.1

Read `lenient_config` first, then `sample_mail`.
"""
