"""asked: what kind of thing a question asks for, and what of that kind a text holds. English, German, French and Spanish."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from anchorage.text.analyser import Analyser, format_analyser_name, load_analyser
from anchorage.text.languages import KNOWN, detect_language, load_language
from anchorage.text.question_language import detect_question_language, is_in_latin_script

_I = re.IGNORECASE
_WHO = re.compile(
    r"\b(?:who|whom|whose|wer|wem|wen|wessen|qui|quién|quien|quiénes|s['’]appelle(?:nt)?|se llaman?|heißt|heißen|names? of|(?:what|which) (?:person|author|artist|singer|actor|president|king|queen))\b",
    _I,
)
_WHERE = re.compile(
    r"\bwhere\b|\b(?:what|which) (?:country|city|place|town|state|region|continent|island|street|river)\b|^\W*(?:wo|woher|wohin)\b|\boù\b|\bdónde\b|\badónde\b",
    _I,
)
_WHEN = re.compile(
    r"\bwhen\b|\b(?:what|which) (?:year|date|century|day|month|decade|time|era)\b|\bwann\b|\bwelche[ms]? (?:jahr|tag|datum|monat)\b|\bquand\b|"
    r"\bquelle (?:année|date)\b|\bcuándo\b|\bqué (?:año|fecha|día)\b", _I
)  # fmt: skip
_NUMBER_ASKED = re.compile(
    r"\bhow (?:many|much|long|old|far|tall|large|big|high|often|fast|deep|wide|heavy|late|soon)\b|\b(?:what|which) (?:\w+ )?(?:percent|percentage|number|amount|"
    r"proportion|population|temperature|age|price|cost|size|length|height|weight|rate|distance|phone|score)\b|"
    r"\bwie (?:viele?|lange|alt|oft|groß|hoch|weit|schnell|schwer|teuer)\b|\bcombien\b|\bcuánt[oa]s?\b", _I
)  # fmt: skip
_HOW_TO = re.compile(
    r"^(?:so |and |but )?how (?:to|(?:do|can|could|should|would) (?:i|we|you|one))\b|\b(?:commands?|code|syntax|snippets?|scripts?)\b|"
    r"\b(?:which|what) (?:\w+ )?(?:settings?|options?|flags?|parameters?|variables?|functions?|methods?|quer(?:y|ies)|statements?)\b|"
    r"^wie (?:kann|muss|soll|mache?|installier\w*|starte?) |\bcomment (?:puis|faire|installer|\w+er)\b|\bcómo (?:puedo|se|hago|\w+r)\b", _I
)  # fmt: skip
_LIST = re.compile(
    r"\b(?:what|which) (?:are|were)\b|\b(?:what|which) (?:\w+ ){0,2}(?!(?:was|is|does|has|class|process|address|status|business|basis|bus|us|this)\b)\w{2,}s\b"
    r"(?! (?:is|was|of)\b)|\b(?:list|name|enumerate)\b(?: all)?(?: (?:of )?the)? \w+|\bnames of\b|\ball (?:the|of)\b|\bwhat (?:\w+ )?(?:things|items)\b|"
    r"^\W*(?:welche|nenne|quels|quelles|cuáles|qué \w+s)\b|^what (?:should|must|can|do|does|was|were) .*\b(?:not|added|included|changed|need)\b", _I
)  # fmt: skip
_DEFINITION = re.compile(
    r"^(?:so |and |but )?(?:(?:what|who)(?:'s|’s| is| are| was| were) |define |what do(?:es)? (?=.+ (?:mean|stand for|do)\b)|was (?:ist|sind|bedeutet) |"
    r"qu'est-ce qu[e'] ?(?:un |une |le |la )?|c'est quoi |qué (?:es|son) )(?P<subject>[^,;]+?)(?: mean| stand for| do)?\s*\??$", _I
)  # fmt: skip
_PLACE = re.compile(r" (?:in|within|bei|en|dans) ", _I)  # "a job in Kubernetes" is a job
_WHY = re.compile(r"\bwhy\b|\b(?:warum|weshalb|wieso)\b|\bpourquoi\b|\bpor qué\b", _I)
_YES_NO = re.compile(
    r"^(?:is|are|was|were|do|does|did|can|could|will|would|has|have|had|should|may|must|ist|sind|kann|hat|haben|wird|gibt es|est-ce|peut-on|¿?(?:es|hay|puede|tiene))\b",
    _I,
)
_NUMBERS = re.compile(
    r"\d[\d.,:'’]*|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred|thousand|million|billion|half|dozen|"
    r"first|second|third|once|twice|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|hundert|tausend|deux|trois|quatre|cinq|sept|huit|neuf|dix|cent|mille|"
    r"dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|cien|mil)\b", _I
)  # fmt: skip
_DATES = re.compile(
    r"(?<![\w-])(?:1\d{3}|20\d{2})\b|\bcentur|\b\d{1,2}(?:st|nd|rd|th)\b|\b(?:January|February|March|April|May|June|July|August|September|October|November|December|"
    r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|Januar|Februar|März|Mai|Juni|Juli|Oktober|Dezember|janvier|février|mars|avril|juin|juillet|août|septembre|"
    r"octobre|novembre|décembre|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre)\b|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|"
    r"\b\d{1,2}:\d{2}\b|\b\d{1,2} ?[ap]\.?m\b"
)  # fmt: skip
_NAMES = re.compile(
    r"(?:(?<=[\w,;:\"'“‘(] )|^|(?<=: ))[A-ZÀ-Þ][\w'’.-]+(?: (?:of |de |von |van |the )?[A-ZÀ-Þ][\w'’.-]+)*"
)
_IDENTIFIERS = re.compile(
    r"(?<!\w)[A-Za-z_]\w*+(?:[._/-]\w++)+|\b\w*(?:\d[A-Za-z]|[A-Za-z]\d)\w*\b|\b[a-z]++_[a-z_]++\b|\b[A-Z]{2,}+[_-]?+[A-Z\d]*+\b|--?[a-z][\w-]+"
)
_VERSIONS = re.compile(r"(?<![\w.])\d+(?:\.\d+)+(?![\w.]*\d)")
_REASONS = re.compile(
    r"\b(?:because|since|due to|so that|in order to|as a result|therefore|reason|caus\w+|weil|damit|da |parce|car |afin|porque|para que)\b",
    _I,
)
_WORDS = re.compile(r"\w+")
_LOOKED_AT = 300  # characters of a text that show its script
_CARRIED = re.compile(r"(?P<own>.*\?)\s*\([^()]*\)")  # as `memory.rewrite.carry_over_words` writes it
# Things with a form of their own: what asks for them, and what they look like.
_CONTACTS = tuple(
    (re.compile(asks, _I), re.compile(looks, _I))
    for asks, looks in (
        (r"\be-?mail|\bcorreo\b|\bcourriel\b", r"\S@[^\s@]{1,255}\.\w"),
        (r"\b(?:tele)?phone\b|\bfax\b|\btelefon\w*|\btéléphone\b|\bteléfono\b", r"(?:\d[\s().-]{0,2}){7,}"),
        (
            r"\b(?:website|web site|url|link|homepage|web ?seite)\b",
            r"https?://|www\.|\w\.(?:com|org|net|io|dev|de|fr|es)\b",
        ),
    )
)
_FORMS = tuple(
    (re.compile(asks, _I), re.compile(looks, _I))
    for asks, looks in (
        (
            r"\A(?!.*\b(?:how many|wie viele|combien de|cuánt[oa]s)\b).*?\b(?:price|cost|total|subtotal|paid|pay|amount|fee|salary|revenue|profit|income|preis|kosten|betrag|prix|coût|precio|importe)\b",
            r"[$€£¥₹`]\s?\d|(?<![\d.,])\d[\d.,]*+\s?(?:[$€£¥₹]|USD|EUR|dollars?|euros?|crore|million|billion|CHF)",
        ),
        (
            r"\b(?:percent\w*|accuracy|share|proportion|prozent|pourcentage|porcentaje)\b",
            r"\d\s?%|\bpercent\b|\bProzent\b|\d pour cent|\d por ciento",
        ),
        (r"\b(?:address|adresse|dirección)\b", r"(?<!\d)\d++\s++[A-ZÀ-Þ]\w|\b\d{4,5}\b"),
        (
            r"\b(?:which|what)(?: \w+)?(?: version| setting| option| variable| command| flag| parameter| function| method| class| file| module| package| library| code| sku| id)\b",
            r"(?<!\w)[A-Za-z_]\w*+(?:[._/-]\w++)+|\b[A-Z]{2,}+[_-]?+[A-Z\d]*+\b|(?<!\d)\d++\.\d|--?[a-z][\w-]+|\b[a-z]++_[a-z_]++\b|(?<!\w)\w++\(\)|`",
        ),
    )
)
_OPENS_BACKWARDS = re.compile(
    r"(?:this|that|these|those|it|they|he|she|such|however|but|and|also|so|then|therefore|thus|here|otherwise|dies\w*|das|er|sie|es|aber|und|auch|dann|"
    r"ce|cette|ces|il|elle|ils|elles|mais|et|esto|este|esta|estos|pero|también)\b", _I
)  # fmt: skip
_FUNCTION_WORDS = frozenset(
    "what who whom whose which when where why how many much did does do is are was were has have had can could name type kind give tell explain please list "
    "show find there any get use der die das den dem des ein eine einer eines einem und oder ist sind war waren wird werden wurde wie was wer wo wann welche "
    "welcher welches welchem man ich für mit von zu im in am auf an es gibt kann hat haben le la les un une des du de et ou est sont était que qui quoi quel "
    "quelle quels quelles où quand comment combien pour dans sur avec je il elle el los las unos unas del y o es son era qué quién cuál cuáles dónde cuándo "
    "cómo cuántos cuántas cuánto por para con en se al lo he she him her his hers they them their its er sie ihn ihm ihr il elle lui leur él ella ellos".split()
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and the kinds of things that it asks for."""

    question: str
    terms: tuple[str, ...]
    """What it is about, as an analyser has it, in order."""
    carried: frozenset[str]
    """Those of them that were carried over from the question before."""
    words: frozenset[str]
    names: frozenset[str]
    """Terms that are names, numbers or identifiers in it."""
    who: bool
    where: bool
    when: bool
    number: bool
    how_to: bool
    several: bool
    why: bool
    yes_no: bool
    subject: frozenset[str]
    """The terms of what is to be defined; empty where it asks for something else."""
    forms: tuple[re.Pattern[str], ...]
    """What the things look like that it asks for, where they have a form of their own, as a price has."""
    contacts: tuple[re.Pattern[str], ...]
    """The same of e-mail addresses, telephone numbers and web addresses, whose form nothing else has."""


def choose_analyser(question: str, analyser: Analyser) -> Analyser:
    """The analyser to read a question's passages with: that of its language, where it is another one that is known."""
    if analyser.language not in KNOWN:
        return analyser
    language = detect_question_language(question, load_language(analyser.language)).name
    return (
        analyser
        if language in (analyser.language, "none") or language in ("chinese", "japanese", "vietnamese")
        else load_analyser(format_analyser_name(language))
    )


def is_in_other_language(question: str, texts: Sequence[str], analyser: Analyser) -> bool:
    """Whether a question is in another language than most of the texts. Texts without a word of grammar, like receipts, say nothing;
    where none says anything, they are taken to be in the language of the analyser.
    """
    if analyser.language not in KNOWN:
        return False
    own = load_language(analyser.language)
    asked = detect_question_language(question, own).name
    if is_in_latin_script(question) != is_in_latin_script(" ".join(text[:_LOOKED_AT] for text in texts)):
        return True
    spoken = Counter(name for text in texts if (name := detect_language(text, own).name) != "none")
    return asked != "none" and asked != (spoken.most_common(1)[0][0] if spoken else own.name)


def read_question(question: str, analyser: Analyser) -> Asked:
    """Find out what a question asks for."""
    text = " ".join(question.split())
    follows = _CARRIED.fullmatch(text)
    own = follows["own"] if follows else text
    when, number = bool(_WHEN.search(own)), bool(_NUMBER_ASKED.search(own))
    asks = _DEFINITION.match(own)
    named = [found.group() for found in _NAMES.finditer(text[:1].lower() + text[1:])]
    named += [found.group() for found in _IDENTIFIERS.finditer(text)] + re.findall(r"\d[\w.,-]*", text)
    names = {term for name in named for term in _find_telling_terms(name, analyser)}
    terms = extract_content_terms(text, analyser)
    carried = frozenset(terms).difference(analyser.extract_terms(own)) if follows else frozenset[str]()
    return Asked(
        text, terms, carried, frozenset(word.lower() for word in _WORDS.findall(text)), frozenset(names & set(terms)),
        bool(_WHO.search(own)), bool(_WHERE.search(own)), when, number and not when, bool(_HOW_TO.search(own)),
        bool(_LIST.search(own)), bool(_WHY.search(own)), bool(_YES_NO.match(own)),
        frozenset(extract_content_terms(_PLACE.split(asks["subject"])[0], analyser)) if asks else frozenset(),
        tuple(looks for asks_for, looks in _FORMS if asks_for.search(text)),
        tuple(looks for asks_for, looks in _CONTACTS if asks_for.search(text)),
    )  # fmt: skip


def _find_telling_terms(name: str, analyser: Analyser) -> list[str]:
    """The terms of a name; of a code, the code alone, since its parts are those of others too."""
    terms = analyser.extract_terms(name)
    codes = [term for term in terms if not term.isalnum() and "'" not in term]
    return codes or terms


def extract_content_terms(text: str, analyser: Analyser) -> tuple[str, ...]:
    """The terms of a question that say what it is about, in order, without repetitions."""
    asking = _stem_function_words(analyser)
    terms = list(dict.fromkeys(analyser.extract_question_terms(text)))
    return tuple(term for term in terms if term not in asking) or tuple(terms)


@lru_cache(maxsize=16)
def _stem_function_words(analyser: Analyser) -> frozenset[str]:
    return frozenset(analyser.extract_terms(" ".join(sorted(_FUNCTION_WORDS))))


def find_new_names(text: str, asked: Asked) -> bool:
    """Whether the text has a name of which the question does not speak."""
    return any(
        not all(word.lower() in asked.words for word in _WORDS.findall(found.group()))
        for found in _NAMES.finditer(text)
    )


def find_new_numbers(text: str, asked: Asked) -> bool:
    """Whether the text has a number that the question does not have."""
    return any(found.group().strip(".,:").lower() not in asked.words for found in _NUMBERS.finditer(text))


def find_new_identifiers(text: str, asked: Asked) -> bool:
    """Whether the text has a name of a setting, a code or a version that the question does not have."""
    lowered = asked.question.lower()
    return any(found.group().lower() not in lowered for found in _IDENTIFIERS.finditer(text))


def is_of_other_version(path: Sequence[str], text: str, asked: Asked) -> bool:
    """Whether a question about a version meets a text below the heading of another one, as in a changelog."""
    wanted = frozenset(_VERSIONS.findall(asked.question))
    stands_below = frozenset(_VERSIONS.findall(path[-1])) if path else frozenset[str]()
    return bool(wanted and stands_below) and not wanted & (stands_below | frozenset(_VERSIONS.findall(text)))


def match_form(text: str, asked: Asked) -> bool | None:
    """Whether the text has what a question asks for, where that has a form of its own; None where it has none."""
    return any(looks.search(text) for looks in asked.forms) if asked.forms else None


def match_contact(text: str, asked: Asked) -> bool | None:
    """The same for what one writes to or calls."""
    return any(looks.search(text) for looks in asked.contacts) if asked.contacts else None


def opens_backwards(text: str) -> bool:
    """Whether a sentence begins with a word that points back at what stands before it."""
    return _OPENS_BACKWARDS.match(text) is not None


def has_date(text: str) -> bool:
    """Whether the text has a date or a time."""
    return _DATES.search(text) is not None


def has_reason(text: str) -> bool:
    """Whether the text gives a reason."""
    return _REASONS.search(text) is not None


def repeats_question(text: str, question: str) -> bool:
    """Whether a text is the question itself, with little around it: a heading, an example, a command that asks it."""
    asked, told = (" ".join(word.lower() for word in _WORDS.findall(piece)) for piece in (question, text))
    return len(asked.split()) > 2 and asked in told and len(told) < 1.6 * len(asked) + 20
