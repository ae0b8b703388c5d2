"""What a worker does with a job: an upload, a document of a registered source, or the sync of one.

`runner` takes each kind to its object and is called by the queue, through the worker. `upload` makes the job of a file that was
handed over, for the faces, and ingests it. `registered` keeps sources open, and their records, for as long as jobs need them.
"""
