"""Site and plan: YAML that people write, checked all at once, to the compiled record that the engine runs on.

`find` lists the documents under a root, `shipped` is the root of those that come with flowwatch, `load` gives the compiled record of a pair
or raises `DocumentErrors` with every fault of both. `actions` holds the records that operators write.
"""

from flowwatch.documents.faults import DocumentErrors, Fault
from flowwatch.documents.load import Loaded, Source, compile_sources, load, read_document
from flowwatch.documents.shelf import find, shipped

__all__ = ["DocumentErrors", "Fault", "Loaded", "Source", "compile_sources", "find", "load", "read_document", "shipped"]
