"""Finding passages: embedding the question, searching for it and its other wordings, reranking what comes back.

The step `Retriever.retrieve_passages` is called by the pipeline; `PassageSearch` by the faces, for those who want no answer;
`CandidateFinder` also by the retrieval role, for other processes; `Retriever.retrieve` by evaluations.
"""
