"""Files people write, read into checked models: every complaint at once, each with its line.

`read_document` is the short way. To check several documents together, or to add checks of your own,
share one `Complaints`: `load_document`, `validate`, `complaints.add(...)`, `complaints.raise_if_any()`.
"""

from failover.documents.complaints import Complaints, Document, Place, ending, shown
from failover.documents.messages import NOT_YET
from failover.documents.reading import Source, load_document, read_document, validate
from failover.documents.section import Section

__all__ = [
    "NOT_YET",
    "Complaints",
    "Document",
    "Place",
    "Section",
    "Source",
    "ending",
    "load_document",
    "read_document",
    "shown",
    "validate",
]
