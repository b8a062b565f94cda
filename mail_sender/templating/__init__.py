"""The templating room: which words and which template make a mail, and how it looks.

In come the built-in templates, an operator's override folder, and the language, time zone and brand of the
configuration; out goes an `Appearance`, with which the mail room renders. All files are read together with the
configuration: no mail depends on a later state of the disk.

Open `template_set` first: it decides which file makes which part. The sentences themselves are in
`templates/wording/`. `kinds` lists the variables of templates, `dates` writes times ("in 55 minutes"), `languages`
chooses a recipient's language, `sandbox` limits what a template may do, `process` what an operator's template may
take, `check` finds faults in an override folder. `placing` says which templates only place their variables, and
`hole` shows where: such templates need not run for each mail.
"""
