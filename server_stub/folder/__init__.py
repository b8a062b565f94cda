"""The folder DIR, in which a stub keeps everything.

In: the path that `--dir` names. Out: where each file lies (`directory`, to open first), and files that are
replaced in one step (`files`).
"""
