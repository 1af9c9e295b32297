"""Room: manifests, one file for each profile of a target system.

A profile turns the estate's `manifest` table into files under out/manifests. To add one, write its
file with a `write(query, folder)` and name it in PROFILES.
"""

from __future__ import annotations

from migrate.manifests import standard

PROFILES = {"standard": standard.write}
