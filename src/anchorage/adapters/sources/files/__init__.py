"""Folders and files of this machine as a source.

`folder` implements the `Source` port and is opened by wiring. It touches files in `threads` of their own, since one on a network
file system may never answer; wiring looks at paths through them, too.
"""
