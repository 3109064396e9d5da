-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The ledger keeps its newest million rows; older ones may go.

DROP TRIGGER ledger_no_delete;

CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger
WHEN old.id > (SELECT max(id) FROM ledger) - 1000000
BEGIN
	SELECT raise(ABORT, 'the newest million rows of the ledger stay');
END;
