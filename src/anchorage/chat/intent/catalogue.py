"""catalogue: answers questions about what there is from the catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from anchorage.chat.intent.detect import Detected, Intent
from anchorage.chat.retrieval.retrieve import Retriever
from anchorage.chat.safety.inert import neutralise_markup
from anchorage.errors import NotFound
from anchorage.model import Collection, Document, DocumentStatus, Principal
from anchorage.ports.catalog import Catalog
from anchorage.text.analyser import Analyser

_PAGE = 500
_MOST_READ = 5000  # documents that are looked through
_MOST_SHOWN = 100
_NEWEST = 5
_SAMPLED = 200  # documents that topics are taken from
_TOPICS = 3
_LONGEST_TOPIC = 80  # characters
_KINDS_TO_ASK = ("user", "docs", "eval")
_FOUND = 50  # passages that a topic is looked for in
_DATA = frozenset(("xls", "xlsx", "csv", "ods"))
_KINDS = {
    "excel": _DATA, "spreadsheet": _DATA, "word": frozenset(("doc", "docx", "odt")), "powerpoint": frozenset(("ppt", "pptx", "odp")),
    "markdown": frozenset(("md",)), "text": frozenset(("txt", "md", "rst")), "web": frozenset(("html", "htm")),
    "mail": frozenset(("eml", "msg")), "email": frozenset(("eml", "msg")), "picture": frozenset(("png", "jpg", "jpeg", "gif")),
}  # fmt: skip


class CatalogueReader:
    """Lists, counts and looks through the documents that the principal may read."""

    def __init__(self, catalog: Catalog, retriever: Retriever, analyser: Analyser) -> None:
        self._catalog, self._retriever, self._analyser = catalog, retriever, analyser

    async def answer(self, principal: Principal, detected: Detected, collections: Sequence[str] | None) -> str | None:
        """The answer in the message's language; None where nothing there is meant, so that the passages are asked."""
        asked = await self._find_collections(principal, collections)
        if detected.place:
            return await self._answer_of_place(principal, detected, asked)
        count, replies = sum(item.documents for item in asked), detected.phrases.replies
        if not count:
            return replies["empty"]
        if detected.intent is Intent.COUNT:
            return replies["count" if count > 1 else "count_one"].format(count=count)
        if detected.intent is Intent.LIST_ALL:
            shown = await self._read_documents(principal, asked, _MOST_SHOWN)
            return _list(shown, count, replies, "documents", "document", "")
        documents = await self._read_documents(principal, asked, _MOST_READ)
        if detected.intent is Intent.NEWEST:
            newest = sorted(
                documents, key=lambda item: item.updated_at.timestamp() if item.updated_at else 0, reverse=True
            )
            return "\n".join([replies["newest"], *map(_line, newest[:_NEWEST])])
        found = self._of_kind(documents, detected.topic) or await self._about(
            principal, documents, detected, collections
        )
        return _list(found, len(found), replies, "matching", "matching_one", detected.topic) if found else None

    async def _answer_of_place(
        self, principal: Principal, detected: Detected, asked: Sequence[Collection]
    ) -> str | None:
        """The count or the list of a collection's or a folder's documents; None where there is none of that name."""
        wanted, replies = set(self._analyser.extract_terms(detected.place)), detected.phrases.replies
        named = [item for item in asked if _is_named(set(self._analyser.extract_terms(_spaced(item.name))), wanted)]
        found = await self._read_documents(principal, named or asked, _MOST_READ)
        if not named:
            found = [item for item in found if _is_named(self._folder_terms(item), wanted)]
        if not found:
            return None
        count = sum(item.documents for item in named) or len(found)
        if detected.intent is Intent.COUNT:
            return replies["count" if count > 1 else "count_one"].format(count=count)
        return _list(found, count, replies, "documents", "document", "")

    def _folder_terms(self, document: Document) -> set[str]:
        """The terms of the name of the folder that a document is in."""
        return set(
            self._analyser.extract_terms(_spaced(PurePosixPath(unquote(urlsplit(document.uri).path)).parent.name))
        )

    async def name_topics(self, principal: Principal, collections: Sequence[str] | None) -> list[str]:
        """The titles of some documents, from all over the first of the list. Raises `NotFound`."""
        asked = await self._find_collections(principal, collections)
        documents = await self._read_documents(principal, asked, _SAMPLED)
        titles = list(dict.fromkeys(" ".join(item.title.split()) for item in documents if item.title.strip()))
        step = max(1, len(titles) // _TOPICS)
        return [neutralise_markup(title[:_LONGEST_TOPIC], inline=True) for title in titles[::step][:_TOPICS]]

    async def _find_collections(self, principal: Principal, names: Sequence[str] | None) -> list[Collection]:
        """The collections with these names, else all that the principal filled, else the sample. Raises `NotFound`."""
        if names:
            known = {item.name: item for item in await self._catalog.collections(principal, kinds=_KINDS_TO_ASK)}
            if missing := [name for name in names if name not in known]:
                raise NotFound(
                    f"No collection {missing[0]!r} that you may read. `anchorage documents list` shows the collections."
                )
            return [known[name] for name in names]
        filled = [item for item in await self._catalog.collections(principal, kinds=("user",)) if item.documents]
        return filled or list(await self._catalog.collections(principal, kinds=("docs",)))

    async def _read_documents(self, principal: Principal, asked: Sequence[Collection], most: int) -> list[Document]:
        """The documents that can be asked, by collection and uri, `most` at most."""
        found: list[Document] = []
        for collection in asked:
            after: tuple[str, str] | None = None
            while len(found) < most:
                limit = min(_PAGE, most - len(found))
                page = await self._catalog.documents(principal, collection=collection.name, limit=limit, after=after)
                found += [
                    item for item in page if item.version is not None and item.status is not DocumentStatus.DELETED
                ]
                if len(page) < limit:
                    break
                after = (page[-1].collection, page[-1].uri)
        return found

    def _of_kind(self, documents: Sequence[Document], topic: str) -> list[Document]:
        """Those whose files are of a kind, such as `pdf` or `excel`."""
        kind = topic.strip(" .").removesuffix("s") if topic not in _KINDS else topic
        endings = _KINDS.get(kind, frozenset((kind,)))
        return [item for item in documents if _file_name(item).rpartition(".")[2].lower() in endings]

    async def _about(
        self, principal: Principal, documents: Sequence[Document], detected: Detected, collections: Sequence[str] | None
    ) -> list[Document]:
        """Those that name the topic in their title, their file's name, or, unless it must stand there, a passage."""
        topic = detected.topic
        wanted = set(self._analyser.extract_terms(topic))
        if not wanted:
            return []
        named = {
            item.id
            for item in documents
            if wanted <= set(self._analyser.extract_terms(f"{item.title} {_spaced(_file_name(item))}"))
        }
        if detected.titled:
            return [item for item in documents if item.id in named]
        ranking, _ = await self._retriever.retrieve(principal, topic, collections, _FOUND)
        for hit in ranking.hits:
            if wanted <= set(self._analyser.extract_terms(" ".join((hit.title, *hit.heading_path, hit.text)))):
                named.add(hit.document_id)
        return [item for item in documents if item.id in named]


def _list(
    documents: Sequence[Document], count: int, replies: Mapping[str, str], several: str, one: str, topic: str
) -> str:
    head = replies[several if count > 1 else one].format(count=count, topic=topic)
    lines = [head, *map(_line, documents[:_MOST_SHOWN])]
    if count > _MOST_SHOWN:
        lines.append(replies["more"].format(count=count - _MOST_SHOWN))
    return "\n".join(lines)


def _line(document: Document) -> str:
    """A document as an item of a list: its title, and its file where that says more."""
    title, name = " ".join(document.title.split()), _file_name(document)
    shown = (
        title if not name or name in (title, f"{title}.") or PurePosixPath(name).stem == title else f"{title} ({name})"
    )
    return f"- {neutralise_markup(shown, inline=True)}"


def _file_name(document: Document) -> str:
    return unquote(urlsplit(document.uri).path).rstrip("/").rpartition("/")[2]


def _spaced(name: str) -> str:
    return name.replace("_", " ").replace("-", " ").replace(".", " ")


def _is_named(name: set[str], wanted: set[str]) -> bool:
    """Whether all of a name is said, with one word more at most: "the collection reports"."""
    return bool(name) and name <= wanted and len(wanted) <= len(name) + 1
