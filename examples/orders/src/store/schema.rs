//! The tables, and how a file comes to have them.

use rusqlite::{Connection, TransactionBehavior};

/// Each brings a file from the version that is its index to the next. They are only ever added to.
const MIGRATIONS: &[&str] = &[
    // Ids are never used twice. Whoever changes an order, in whatever process or program, gives it the next revision,
    // by which everybody else finds what has changed.
    "CREATE TABLE orders (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        user TEXT NOT NULL,
        idempotency_key TEXT,
        symbol TEXT NOT NULL,
        side TEXT NOT NULL CHECK (side IN ('buy', 'sell')),
        quantity REAL NOT NULL,
        price REAL NOT NULL,
        status TEXT NOT NULL DEFAULT 'accepted' CHECK (status IN ('accepted', 'filled')),
        filled_quantity REAL NOT NULL DEFAULT 0,
        created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
        updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
        revision INTEGER NOT NULL DEFAULT 0,
        UNIQUE (user, idempotency_key)
    ) STRICT;
    CREATE INDEX orders_by_revision ON orders (revision);
    CREATE INDEX orders_to_fill ON orders (created_at) WHERE status = 'accepted';
    CREATE TRIGGER order_placed AFTER INSERT ON orders BEGIN
        UPDATE orders SET revision = (SELECT max(revision) + 1 FROM orders) WHERE id = new.id;
    END;
    CREATE TRIGGER order_changed AFTER UPDATE OF status, filled_quantity ON orders BEGIN
        UPDATE orders SET revision = (SELECT max(revision) + 1 FROM orders),
            updated_at = strftime('%Y-%m-%dT%H:%M:%fZ') WHERE id = new.id;
    END;",
    // What the payment provider calls its charge. Orders of before were not paid for.
    "ALTER TABLE orders ADD COLUMN payment TEXT;",
];

/// Brings a file up to date. Of several processes that open a new file at once, one does it.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let migration = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: u32 = migration.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    for (step, statements) in (0..).zip(MIGRATIONS).skip_while(|(step, _)| *step < version) {
        migration.execute_batch(statements)?;
        migration.pragma_update(None, "user_version", step + 1)?;
    }
    migration.commit()
}
