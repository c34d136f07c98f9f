"""Site and plans: YAML that people write, checked all at once, to the compiled record that the engine runs on.

`find` lists the sites under a root with their plans in force and `alternatives` those that are not, `shipped` is the root of those that come
with flowwatch, `load` gives the compiled record of a site with its plans or raises `DocumentErrors` with every fault of all files, and
`notes` says what in a record is right but does nothing yet. `actions` holds the records that operators write.
"""

from flowwatch.documents.faults import DocumentErrors, Fault
from flowwatch.documents.load import Loaded, Source, compile_sources, load, read_document
from flowwatch.documents.notes import notes
from flowwatch.documents.shelf import alternatives, find, shipped

__all__ = [
    "DocumentErrors",
    "Fault",
    "Loaded",
    "Source",
    "alternatives",
    "compile_sources",
    "find",
    "load",
    "notes",
    "read_document",
    "shipped",
]
