"""Answers as streams of events that outlive the connection and the process: writing, reading, resuming, handing over.

`Streams` is called by the faces and calls `Chat`; `events.py` says what each event looks like, also for answers that are not streamed.
"""
