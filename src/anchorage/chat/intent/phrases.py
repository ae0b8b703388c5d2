"""phrases: how people greet, thank, ask for the catalogue and leave things open, and what they are told, by language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, auto


class Talk(StrEnum):
    """Kinds of small talk."""

    GREETING = auto()
    THANKS = auto()
    FAREWELL = auto()
    WELLBEING = auto()
    ABILITIES = auto()


@dataclass(frozen=True, slots=True)
class Phrases:
    """Patterns match a whole message, in small letters and without signs; replies have places in braces."""

    talk: Mapping[Talk, str]
    documents: str
    """Words for documents, for other patterns: `{documents}`."""
    list_all: str
    count: str
    """How many there are. A group `place` of this and of `list_all` is where: a collection or a folder."""
    everywhere: str
    """Places that are all that there is: this collection, the library."""
    newest: str
    of_kind: str
    """Which documents of a kind there are; the group `topic` is the kind."""
    about: str
    """Which documents there are about a topic, or whether there is one; the group `topic`."""
    open_words: frozenset[str]
    """Words that point to something that was not said, and words of asking: a message of these alone is vague."""
    pointing: str
    """What points to something that was not said."""
    replies: Mapping[str, str]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ENGLISH = Phrases(
    talk={
        Talk.GREETING: r"(?:hello|hi|hey|howdy|greetings|good (?:morning|day|afternoon|evening))(?: (?:there|all|everyone|anchorage|again))?",
        Talk.THANKS: r"(?:(?:many |ok |great |perfect )?(?:thanks|thank you|thx|cheers)(?: (?:a lot|so much|very much|again|for (?:your|the|that|this|it|all|everything|helping|answering|telling) ?.{0,30}))?|"
        r"(?:great|perfect|nice|cool|well done|good job))",
        Talk.FAREWELL: r"(?:(?:good ?)?bye(?: bye)?|see you(?: (?:later|soon|then|around|again|tomorrow|next (?:time|week)))?|goodnight|good night|farewell|that s all)",
        Talk.WELLBEING: r"(?:how are you(?: (?:doing|feeling|today|now|this morning|tonight|all|there|my friend)){0,2}|how is it going|how s it going|what s up|are you (?:ok|there))",
        Talk.ABILITIES: r"(?:help|help me|what (?:can|could) you do(?: for me)?|what do you do|who are you|what are you|what is this|"
        r"what s this|how (?:can|do) (?:i|you) (?:use (?:you|this)|work)|how can you help(?: me)?|are you (?:a |an )?(?:bot|robot|human|ai|chatgpt))",
    },
    documents=r"(?:documents?|files?|books?|texts?|sources?|papers?|docs)",
    list_all=r"(?:(?:what|which) (?:other )?{documents} (?:do you (?:have|know|hold)|are (?:there|here|available|in (?P<place>.{1,40}))|have you got|can you (?:see|read))"
    r"|(?:list|show|name|give me|tell me)(?: me)?(?: all)?(?: of)?(?: the| your)? {documents}|what(?: all)? do you have|what is in (?:this|the|your) (?:collection|library)"
    r"|what can i ask(?: you)?(?: about)?|what do you know(?: about)?|what are (?:these|your|the) {documents}(?: about)?|what topics do you (?:cover|know))",
    count=r"how many {documents} (?:do you have|are (?:there in (?P<place>.{1,40})|in (?P<place2>.{1,40})|there|here)|have you got|does (?P<place3>.{1,40}) (?:have|hold|contain)|did i (?:add|upload))",
    everywhere=r"(?:here|total|all|(?:this|the|your|my|our)(?: whole| entire)? (?:collection|library|index|archive|database|system|knowledge base|catalog(?:ue)?))",
    newest=r"(?:what|which)(?: is| are)?(?: the)? (?:{documents} (?:is|are|was|were) (?:the )?)?(?:newest|latest|most recent|last added|added last)(?: {documents})?",
    of_kind=r"(?:(?:what|which)|(?:list|show|give me)(?: me)?(?: all)?(?: the| your)?) (?P<topic>[\w.]{2,12}) (?:{documents})(?: (?:do you have|are there|are here|have you got))?",
    about=r"(?:(?:what|which) {documents}(?: do you have| are there| have you got| are)? (?:about|on|mention|talk about|speak of|contain) (?P<topic>.{2,60})"
    r"|(?:do you have|have you got) (?:a |an |any |some )?(?:{documents} (?:about|on) )?(?P<topic2>\w[\w-]*(?: \w[\w-]*)?)"
    r"|(?:is|are) there (?:a |an |any |some )?{documents} (?:about|on) (?P<topic3>[\w -]{2,40}))",
    open_words=_words(
        "tell me more how why when where who what which the a an and or then so but it this that these those he she they them him her his "
        "its their one ones second first third last other next is are was were do does did can could i you we go on continue explain again "
        "please really ok okay yes no more about else also book document file thing stuff same say show"
    ),
    pointing=r"\b(?:it|this|that|these|those|he|she|they|them|him|her|the (?:first|second|third|last|other|next) one)\b",
    replies={
        "greeting": "Hello! I answer questions from your documents, and show the passage behind each answer.",
        "thanks": "You are welcome. Ask me anything else about your documents.",
        "farewell": "Goodbye! Your documents are here whenever you want to ask again.",
        "wellbeing": "I am well, and ready to help with your documents.",
        "abilities": "I am Anchorage, an assistant that answers questions from your documents: I search them, quote the passages that answer, and show where "
        "each stands. Where they do not hold the answer, I say so.",
        "try": "You could ask:",
        "about": "What is said about “{topic}”?",
        "empty": "There are no documents yet. Add some, and ask about them.",
        "documents": "There are {count} documents:",
        "document": "There is 1 document:",
        "count": "There are {count} documents in all.",
        "count_one": "There is 1 document in all.",
        "newest": "The newest documents:",
        "matching": "{count} documents match “{topic}”:",
        "matching_one": "Yes, 1 document matches “{topic}”:",
        "more": "and {count} more.",
        "clarify": "What do you mean? Please name the subject. These documents speak of, for example:",
        "clarify_plain": "What do you mean? Please say what your question is about.",
    },
)

GERMAN = Phrases(
    talk={
        Talk.GREETING: r"(?:hallo|hi|hey|servus|moin|grüß gott|grüezi|guten (?:morgen|tag|abend))(?: (?:zusammen|alle|allerseits|miteinander|da|du|sie|nochmals?|wieder|anchorage|leute)){0,2}",
        Talk.THANKS: r"(?:(?:vielen |herzlichen |besten )?danke?(?: (?:schön|dir|ihnen|sehr))?|super|prima|perfekt)",
        Talk.FAREWELL: r"(?:tschüss|tschüs|ciao|auf wiedersehen|bis (?:bald|dann|später|morgen)|gute nacht)",
        Talk.WELLBEING: r"(?:wie geht(?: es|s)(?: dir| ihnen| euch)?(?: (?:heute|denn|so|heute so))?)",
        Talk.ABILITIES: r"(?:hilfe|hilf mir|was (?:kannst du|können sie)(?: (?:alles|eigentlich|denn|so|für mich|tun|machen)){0,4}|wer (?:bist du|sind sie)|was (?:bist du|ist das)|wie funktioniert das)",
    },
    documents=r"(?:dokumente?n?|dateien?|datei|bücher|texte?|quellen?|unterlagen)",
    list_all=r"(?:welche {documents} (?:hast du|haben sie|gibt es|kennst du|sind (?:da|hier|in (?P<place>.{1,30})))|(?:zeige?|liste|nenne?)(?: mir)?(?: alle?)?(?: die| deine)? {documents}(?: auf)?"
    r"|was hast du|was kann ich(?: dich)? fragen|worüber (?:weißt du|kann ich fragen).{0,30})",
    count=r"wie viele {documents} (?:hast du|haben sie|gibt es in (?P<place>.{1,40})|gibt es|sind (?:da|hier|es|in (?P<place2>.{1,40})))",
    everywhere=r"(?:hier|(?:dieser|der|deiner|ihrer|meiner|unserer) (?:sammlung|bibliothek|datenbank)|(?:diesem|dem|deinem|ihrem) (?:archiv|system|bestand))",
    newest=r"(?:welches?|was)(?: ist| sind)?(?: das| die| der)? ?(?:{documents} (?:ist|sind|wurde|wurden) )?(?:neu(?:este|este[ns]?|esten)|zuletzt hinzugefügt|jüngste[ns]?)(?: {documents})?",
    of_kind=r"welche (?P<topic>[\w.]{2,12})[ -](?:{documents})(?: (?:hast du|gibt es|haben sie))?",
    about=r"(?:welche {documents} (?:hast du|gibt es|haben sie)? ?(?:über|zu|zum thema) (?P<topic>.{2,60})"
    r"|(?:hast du|gibt es|haben sie) (?:ein |eine |einen |irgendwelche )?(?:{documents} (?:über|zu) )?(?P<topic2>[\w -]{2,40}))",
    open_words=_words(
        "erzähl erzähle mir mehr wie warum wieso wann wo wer was welche welcher welches der die das den dem ein eine und oder dann also aber es dies diese "
        "dieser er sie ihn ihm ihr ihre sein zweite erste dritte letzte andere nächste ist sind war waren kann ich du wir weiter erkläre nochmal bitte "
        "ok ja nein darüber davon dazu buch dokument datei ding man"
    ),
    pointing=r"\b(?:es|dies|diese[rsnm]?|er|sie|ihn|ihm|das (?:erste|zweite|dritte|letzte|andere)|de[rm] (?:erste|zweite|dritte|letzte|andere)n?)\b",
    replies={
        "greeting": "Hallo! Ich beantworte Fragen aus Ihren Dokumenten und zeige zu jeder Antwort die Stelle, an der sie steht.",
        "thanks": "Gern geschehen. Fragen Sie mich, was immer Sie aus Ihren Dokumenten wissen wollen.",
        "farewell": "Auf Wiedersehen! Ihre Dokumente bleiben hier.",
        "wellbeing": "Gut, danke. Ich bin bereit, in Ihren Dokumenten zu suchen.",
        "abilities": "Ich bin Anchorage, ein Assistent, der Fragen aus Ihren Dokumenten beantwortet: Ich suche darin, zitiere die Stellen, die antworten, und "
        "zeige, wo sie stehen. Wo sie die Antwort nicht enthalten, sage ich das.",
        "try": "Fragen Sie zum Beispiel:",
        "about": "Was steht über „{topic}“ darin?",
        "empty": "Es gibt noch keine Dokumente. Fügen Sie welche hinzu, und fragen Sie danach.",
        "documents": "Es gibt {count} Dokumente:",
        "document": "Es gibt 1 Dokument:",
        "count": "Es gibt insgesamt {count} Dokumente.",
        "count_one": "Es gibt insgesamt 1 Dokument.",
        "newest": "Die neuesten Dokumente:",
        "matching": "{count} Dokumente passen zu „{topic}“:",
        "matching_one": "Ja, 1 Dokument passt zu „{topic}“:",
        "more": "und {count} weitere.",
        "clarify": "Was meinen Sie? Bitte nennen Sie das Thema. Diese Dokumente handeln zum Beispiel von:",
        "clarify_plain": "Was meinen Sie? Bitte sagen Sie, worum es geht.",
    },
)

FRENCH = Phrases(
    talk={
        Talk.GREETING: r"(?:bonjour|salut|coucou|bonsoir|allô)(?: (?:à (?:tous|toutes|vous|toi)|tout le monde|toi|vous|madame|monsieur|encore|anchorage|l ami)){0,2}",
        Talk.THANKS: r"(?:(?:un grand )?merci(?: (?:beaucoup|bien|à toi|à vous))?|parfait|super)",
        Talk.FAREWELL: r"(?:au revoir|à bientôt|à plus(?: tard)?|bonne (?:nuit|journée|soirée)|adieu)",
        Talk.WELLBEING: r"(?:(?:comment )?ça va(?: bien)?|comment (?:vas tu|allez vous|tu vas)(?: (?:bien|aujourd hui|ce (?:matin|soir)))?)",
        Talk.ABILITIES: r"(?:aide|aide moi|que (?:peux tu|pouvez vous|sais tu) faire|qu est ce que tu (?:peux|sais) faire|qui (?:es tu|êtes vous)|qu est ce que c est|comment ça marche)",
    },
    documents=r"(?:documents?|fichiers?|livres?|textes?|sources?)",
    list_all=r"(?:(?:quels?|quelles?) {documents} (?:as tu|avez vous|y a t il|sont (?:là|ici|disponibles|dans (?P<place>.{1,30}))|connais tu)|(?:liste|montre|donne)(?: moi)?(?: tous)?(?: les| tes| vos)? {documents}"
    r"|qu as tu|que puis je (?:te |vous )?demander|de quoi parlent (?:ces|les|tes) {documents})",
    count=r"combien (?:de |d )?{documents} (?:as tu|avez vous|y a t il dans (?P<place>.{1,40})|y a t il|sont (?:là|ici|dans (?P<place2>.{1,40})))|combien y a t il de {documents}(?: dans (?P<place3>.{1,40}))?",
    everywhere=r"(?:tout|(?:cette|la|ta|votre|notre|ma) (?:collection|bibliothèque|base)|(?:ce|le|l) ?(?:système|index|archive|catalogue))",
    newest=r"(?:quel|quels|quelle)(?: est| sont)?(?: le| les)? ?{documents}?(?: est| sont)?(?: le| les)? (?:plus récents?|derniers?(?: ajoutés?)?)(?: {documents})?",
    of_kind=r"(?:quels?|quelles?) {documents} (?P<topic>[\w.]{2,12})(?: (?:as tu|avez vous|y a t il))?",
    about=r"(?:(?:quels?|quelles?) {documents} (?:as tu|avez vous|y a t il)? ?(?:sur|au sujet de|à propos de|parlent de) (?P<topic>.{2,60})"
    r"|(?:as tu|avez vous|y a t il|est ce qu il y a) (?:un |une |des )?(?:{documents} (?:sur|à propos de) )?(?P<topic2>[\w -]{2,40}))",
    open_words=_words(
        "dis moi en plus comment pourquoi quand où qui que quoi quel quelle quels quelles le la les un une et ou alors donc mais il elle ils elles lui "
        "ce cela ça cette ces celui premier deuxième second troisième dernier autre suivant est sont était je tu nous vous continue explique encore "
        "s il te plaît ok oui non livre document fichier chose même l d c qu"
    ),
    pointing=r"\b(?:il|elle|ils|elles|lui|ce|cela|ça|le (?:premier|deuxième|second|troisième|dernier|autre)|l autre)\b",
    replies={
        "greeting": "Bonjour ! Je réponds aux questions à partir de vos documents, et je montre le passage d’où vient chaque réponse.",
        "thanks": "Avec plaisir. Posez-moi d’autres questions sur vos documents.",
        "farewell": "Au revoir, à bientôt ! Vos documents restent ici.",
        "wellbeing": "Je vais bien, merci, et je suis prêt à chercher dans vos documents.",
        "abilities": "Je suis Anchorage, un assistant qui répond à partir de vos documents : je cherche, je cite les passages qui répondent et je montre où ils se "
        "trouvent. Quand ils ne contiennent pas la réponse, je le dis.",
        "try": "Vous pouvez demander :",
        "about": "Que disent-ils de « {topic} » ?",
        "empty": "Il n’y a pas encore de documents. Ajoutez-en, puis posez vos questions.",
        "documents": "Il y a {count} documents :",
        "document": "Il y a 1 document :",
        "count": "Il y a {count} documents en tout.",
        "count_one": "Il y a 1 document en tout.",
        "newest": "Les documents les plus récents :",
        "matching": "{count} documents correspondent à « {topic} » :",
        "matching_one": "Oui, 1 document correspond à « {topic} » :",
        "more": "et {count} autres.",
        "clarify": "Que voulez-vous dire ? Précisez le sujet, s’il vous plaît. Ces documents parlent par exemple de :",
        "clarify_plain": "Que voulez-vous dire ? Précisez de quoi il s’agit, s’il vous plaît.",
    },
)

SPANISH = Phrases(
    talk={
        Talk.GREETING: r"(?:hola|buenos días|buenas(?: tardes| noches)?|qué tal)(?: (?:a todos|amigos?|amigas?|todos|estás|está|de nuevo|anchorage|qué tal|buenos días)){0,2}",
        Talk.THANKS: r"(?:(?:muchas |mil )?gracias(?: (?:a ti|a usted|de nuevo|amigo|amiga|por (?:todo|tu|su|la|el|eso) ?.{0,20}))?|perfecto|genial)",
        Talk.FAREWELL: r"(?:adiós|hasta (?:luego|pronto|mañana)|chao|nos vemos)",
        Talk.WELLBEING: r"(?:cómo (?:estás|está|te va)(?: (?:hoy|usted|todo|ustedes|amigo|amiga))?)",
        Talk.ABILITIES: r"(?:ayuda|ayúdame|qué (?:puedes|sabes) hacer|quién eres|qué eres|qué es esto|cómo funciona(?: esto)?)",
    },
    documents=r"(?:documentos?|archivos?|ficheros?|libros?|textos?|fuentes?)",
    list_all=r"(?:qué {documents} (?:tienes|tiene|hay|conoces)|(?:lista|muestra|enumera|dame)(?:me)?(?: todos)?(?: los| tus)? {documents}|qué tienes"
    r"|qué (?:te )?puedo preguntar(?:te)?|de qué tratan (?:los|estos|tus) {documents})",
    count=r"cuántos {documents} (?:tienes|tiene|hay)(?: (?:aquí|en total|en (?P<place>.{1,40})))?",
    everywhere=r"(?:total|(?:esta|la|tu|su|mi|nuestra) (?:colección|biblioteca|base)|(?:este|el|tu|su) (?:sistema|índice|archivo|catálogo))",
    newest=r"(?:cuál|cuáles|qué)(?: es| son)?(?: el| los)? ?(?:{documents} (?:(?:es|son) (?:el |los )?)?)?(?:más recientes?|últimos?(?: añadidos?)?)(?: {documents})?",
    of_kind=r"qué {documents} (?P<topic>[\w.]{2,12})(?: (?:tienes|hay))?",
    about=r"(?:qué {documents} (?:tienes|hay)? ?(?:sobre|acerca de|de) (?P<topic>.{2,60})|(?:tienes|hay) (?:un |una |algún |alguna )?(?:{documents} (?:sobre|de) )?(?P<topic2>[\w -]{2,40}))",
    open_words=_words(
        "dime cuéntame más cómo por qué cuándo dónde quién qué cuál cuáles el la los las un una y o entonces pero él ella ellos ellas lo le esto eso este esta "
        "ese esa primero segundo tercero último otro siguiente es son era yo tú sigue explica otra vez favor ok sí no libro documento archivo cosa"
    ),
    pointing=r"\b(?:él|ella|ellos|ellas|lo|esto|eso|este|esta|ese|esa|el (?:primero|segundo|tercero|último|otro))\b",
    replies={
        "greeting": "¡Hola! Respondo preguntas a partir de tus documentos y muestro el pasaje del que sale cada respuesta.",
        "thanks": "De nada. Pregúntame lo que quieras sobre tus documentos.",
        "farewell": "¡Adiós, hasta luego! Tus documentos siguen aquí.",
        "wellbeing": "Bien, gracias, y con ganas de buscar en tus documentos.",
        "abilities": "Soy Anchorage, un asistente que responde a partir de tus documentos: busco en ellos, cito los pasajes que responden y muestro dónde están. "
        "Cuando no contienen la respuesta, lo digo.",
        "try": "Puedes preguntar:",
        "about": "¿Qué dicen de «{topic}»?",
        "empty": "Todavía no hay documentos. Añade algunos y pregunta por ellos.",
        "documents": "Hay {count} documentos:",
        "document": "Hay 1 documento:",
        "count": "Hay {count} documentos en total.",
        "count_one": "Hay 1 documento en total.",
        "newest": "Los documentos más recientes:",
        "matching": "{count} documentos coinciden con «{topic}»:",
        "matching_one": "Sí, 1 documento coincide con «{topic}»:",
        "more": "y {count} más.",
        "clarify": "¿Qué quieres decir? Di el tema, por favor. Estos documentos hablan, por ejemplo, de:",
        "clarify_plain": "¿Qué quieres decir? Di de qué trata tu pregunta, por favor.",
    },
)

LANGUAGES = (ENGLISH, GERMAN, FRENCH, SPANISH)


def compiled(pattern: str, phrases: Phrases) -> re.Pattern[str]:
    """A pattern of these phrases, with its words for documents filled in."""
    return re.compile(pattern.replace("{documents}", phrases.documents))
