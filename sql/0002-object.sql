-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Eip, BgpConf and BgpPeer objects of the cluster as they were last in force,
-- for a start while its API server is away.

CREATE TABLE object (
	kind TEXT NOT NULL,
	name TEXT NOT NULL,
	-- A hash that names the API server.
	server INTEGER NOT NULL,
	-- JSON, without status.
	manifest TEXT NOT NULL,
	PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
