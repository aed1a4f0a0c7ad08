"""That the OSV database was swapped, in the audit trail: once per organization and database.

The file belongs to the host, and an update knows no organization. So each organization records a database when its
rules first decide by it. A database that is older than the last recorded one is not recorded: another host may still
have it.
"""

from __future__ import annotations

import logging
from functools import partial

from msgspec.structs import asdict

from nproxy_mw.access import Actor
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import NproxyError
from nproxy_mw.intelligence.osv_database import OsvDatabase, Summary, summary_of
from nproxy_mw.json_values import Json
from nproxy_mw.storage import documents
from nproxy_mw.storage.layout import KNOWLEDGE
from nproxy_mw.storage.port import Storage

UPDATED = "osv.updated"
ENGINE = Actor(name="rules")
"""The actor in the audit trail."""

_log = logging.getLogger(__name__)


class DatabaseEvents:
    """Records in *trail*, of the organization whose own *storage* it is, when *database* was swapped."""

    def __init__(self, storage: Storage, trail: Trail, database: OsvDatabase) -> None:
        self.storage = storage
        self.trail = trail
        self.database = database
        self._seen = ""

    def look(self) -> None:
        """Records another database, if there is one. What cannot be written now is written at a later look."""
        revision = self.database.revision
        if revision in ("", self._seen):
            return
        summary = summary_of(self.database.path)
        try:
            if summary is not None and self._is_news(summary):
                self.trail.record(UPDATED, ENGINE, **asdict(summary))
        except NproxyError as error:
            _log.warning("the swap of the OSV database was not recorded and will be tried again: %s", error)
            return
        self._seen = revision

    def _is_news(self, summary: Summary) -> bool:
        """Notes that this database is recorded. Returns whether nobody has noted it before."""
        return documents.change(self.storage, KNOWLEDGE.key(), partial(_newer, built=summary.built)).after is not None


def _newer(before: Json | None, *, built: str) -> Json | None:
    """Returns what is noted once a database that was *built* then is; None when one as new is noted already."""
    noted = before or {}
    return {**noted, "built": built} if before is None or noted["built"] < built else None
