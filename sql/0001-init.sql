-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Leases, reservations, the ledger of both, and small settings.
-- Times are seconds since 1970 UTC; addresses are in canonical text form.

-- Who holds or held an address: one row per (address, Service).
CREATE TABLE lease (
	address TEXT NOT NULL,
	cluster TEXT NOT NULL,
	namespace TEXT NOT NULL,
	name TEXT NOT NULL,
	uid TEXT NOT NULL,
	pool TEXT NOT NULL,
	-- The pool announces nothing: known even when the pool is gone.
	passive INTEGER NOT NULL CHECK (passive IN (0, 1)),
	held INTEGER NOT NULL CHECK (held IN (0, 1)),
	since INTEGER NOT NULL,
	quarantine_until INTEGER NOT NULL,
	sticky_until INTEGER NOT NULL,
	PRIMARY KEY (address, cluster, namespace, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE reservation (
	address TEXT NOT NULL PRIMARY KEY,
	pool TEXT NOT NULL,
	namespace TEXT NOT NULL,
	name TEXT NOT NULL,
	since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What happened to which address and why; only ever added to.
CREATE TABLE ledger (
	id INTEGER PRIMARY KEY,
	time INTEGER NOT NULL,
	event TEXT NOT NULL,
	address TEXT NOT NULL,
	cluster TEXT NOT NULL,
	namespace TEXT NOT NULL,
	name TEXT NOT NULL,
	uid TEXT NOT NULL,
	pool TEXT NOT NULL,
	reason TEXT NOT NULL
) STRICT;

CREATE INDEX ledger_address ON ledger (address);
CREATE INDEX ledger_service ON ledger (namespace, name);

CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger
BEGIN
	SELECT raise(ABORT, 'the ledger is only ever added to');
END;

CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger
BEGIN
	SELECT raise(ABORT, 'the ledger is only ever added to');
END;

CREATE TABLE setting (
	name TEXT NOT NULL PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
